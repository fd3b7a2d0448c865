"""Identifiers: shapes, and the order id as a function of who asks with which key."""

import pytest

from server import ids


def test_minted_ids_have_the_shape_that_is_checked_for() -> None:
    pid = ids.new_pid()
    assert ids.is_pid(pid)
    assert ids.is_show_id(ids.new_id("s"))
    assert pid != ids.new_pid()


def test_an_order_id_is_a_function_of_show_buyer_and_key() -> None:
    first = ids.order_id("s", "p", "k", b"secret")
    assert first == ids.order_id("s", "p", "k", b"secret")
    assert first == ids.order_id("s", "p", "k", "secret")
    others = [
        ("t", "p", "k"),
        ("s", "q", "k"),
        ("s", "p", "l"),
        ("sp", "", "k"),
        ("", "sp", "k"),
        ("s", "pk", ""),
    ]
    made = {ids.order_id(*parts, b"secret") for parts in others}
    assert len(made) == len(others)
    assert first not in made
    assert first != ids.order_id("s", "p", "k", b"other")
    assert len(first) == 24
    assert ids.is_sku(first)


@pytest.mark.parametrize("value", ["", "a b", "a/b", "ä", "x" * 65, "a\n", "{a}"])
def test_names_that_are_refused(value: str) -> None:
    assert not ids.is_show_id(value)
    assert not ids.is_sku(value)


@pytest.mark.parametrize("value", ["", "a b", "ä", "x" * 256, "a\n"])
def test_idempotency_keys_that_are_refused(value: str) -> None:
    assert not ids.is_idempotency_key(value)
