"""Log entries: canonical bytes in, meaning out; the chain."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.log.entries import Entry, EntryError, check_chain, decode

RAW = (
    b'{"seq":7,"prev_public":5,"audience":"public","ts":1700000000123,"at_ms":1700000000100,'
    b'"kind":"product.pinned","actor":"p_x","body":{"sku":"a\\/b","price_minor":9007199254740991}}'
)


def entry(seq: int, prev: int, audience: str = "public") -> Entry:
    return Entry(seq, prev, audience, 1, 1, "k", "", {})


def test_an_entry_keeps_its_bytes_and_exact_numbers() -> None:
    decoded = decode(RAW)
    assert (decoded.seq, decoded.prev_public, decoded.ts, decoded.at_ms) == (
        7,
        5,
        1700000000123,
        1700000000100,
    )
    assert decoded.body == {"sku": "a/b", "price_minor": 2**53 - 1}
    assert decoded.raw == RAW


@pytest.mark.parametrize(
    ("audience", "public", "staff", "subject"),
    [("public", True, False, None), ("staff", False, True, None), ("subject:p_1", False, False, "p_1")],
)
def test_audiences(audience: str, public: bool, staff: bool, subject: str | None) -> None:
    decoded = decode(RAW.replace(b'"public"', f'"{audience}"'.encode()))
    assert (decoded.is_public, decoded.is_staff, decoded.subject) == (public, staff, subject)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[1]",
        RAW[:-1],
        RAW.replace(b'"seq":7', b'"seq":0'),
        RAW.replace(b'"seq":7', b'"seq":7.5'),
        RAW.replace(b'"prev_public":5', b'"prev_public":7'),
        RAW.replace(b'"public"', b'"everybody"'),
        RAW.replace(b'"public"', b'"subject:"'),
        RAW.replace(b'"seq"', b'"extra":1,"seq"'),
        RAW.replace(b'"seq"', b'"raw":"eA==","seq"'),
        RAW.replace(b"a\\/b", b"\xff"),
    ],
)
def test_what_the_prelude_could_not_have_written_is_refused(raw: bytes) -> None:
    with pytest.raises(EntryError):
        decode(raw)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with contextlib.suppress(EntryError):
        decode(raw)


def test_the_chain_is_contiguous_and_true() -> None:
    good = [entry(3, 2), entry(4, 3, "staff"), entry(5, 3, "subject:p"), entry(6, 3), entry(7, 6)]
    assert check_chain(good, 2, 2) == "ok"
    assert check_chain([], 2, 2) == "ok"
    assert check_chain(good, 1, 1) == 3
    assert check_chain([*good[:2], *good[3:]], 2, 2) == 6
    assert check_chain([entry(3, 2), entry(4, 2)], 2, 2) == 4
    assert check_chain([entry(3, 2, "staff"), entry(4, 3)], 2, 2) == 4
