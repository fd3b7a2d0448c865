"""Headers and bodies as the edge reads them."""

import msgspec
import pytest

from server.errors import Problem
from server.routes.body import bad_field, check_json_type
from server.routes.headers import Peers, Press, idempotency_key, is_loopback, parse_press

PROXY = ("10.0.0.1", 1)


def test_without_trusted_proxies_the_header_counts_for_nothing() -> None:
    assert Peers([]).address(PROXY, "1.2.3.4") == "10.0.0.1"
    assert Peers([]).address(None, "1.2.3.4") == ""


def test_whoever_may_choose_among_the_addresses_of_a_network_counts_as_one() -> None:
    peers = Peers(["10.0.0.0/8"])
    for given in ("2001:db8:7:8::1", "2001:DB8:7:8:ffff::2"):
        assert peers.address((given, 1), None) == "2001:db8:7:8::/64"
        assert peers.address(PROXY, f"{given}, 10.0.0.9") == "2001:db8:7:8::/64"
    assert peers.address(("2001:db8:7:9::1", 1), None) == "2001:db8:7:9::/64"
    assert peers.address(("::1", 1), None) == "::1"
    assert peers.address(("::ffff:9.8.7.6", 1), None) == "9.8.7.6"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, "10.0.0.1"),
        ("1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),  # what the client itself wrote on the left proves nothing
        ("1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("10.0.0.9, 10.0.0.7", "10.0.0.9"),
        ("nonsense, 10.0.0.7", "10.0.0.7"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_a_trusted_proxy_the_nearest_stranger_counts(forwarded: str | None, address: str) -> None:
    assert Peers(["10.0.0.0/8"]).address(PROXY, forwarded) == address


def test_a_stranger_cannot_forward() -> None:
    assert Peers(["10.0.0.0/8"]).address(("8.8.8.8", 1), "1.2.3.4") == "8.8.8.8"


@pytest.mark.parametrize(
    ("address", "loopback"), [("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("", False)]
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_a_press() -> None:
    assert parse_press("1700000000000.5;pub_1") == Press(1700000000000.5, "pub_1")


@pytest.mark.parametrize(
    "value", [None, "", "x;y", "1", "1;", ";p", "-1;p", "nan;p", "inf;p", "1e300;p", "1;" + "p" * 300]
)
def test_what_is_no_press_is_as_if_it_were_not_there(value: str | None) -> None:
    assert parse_press(value) is None


@pytest.mark.parametrize(
    ("value", "code"), [(None, "idempotency_key_required"), ("", "idempotency_key_required")]
)
def test_a_key_that_is_missing(value: str | None, code: str) -> None:
    assert idempotency_key(value, required=False) == ""
    with pytest.raises(Problem) as refused:
        idempotency_key(value, required=True)
    assert refused.value.code == code


@pytest.mark.parametrize("value", ["a b", "ü", "x" * 256])
def test_a_key_that_is_malformed(value: str) -> None:
    with pytest.raises(Problem) as refused:
        idempotency_key(value, required=False)
    assert refused.value.code == "bad_request"


@pytest.mark.parametrize(
    "value", [None, "application/json", "Application/JSON; charset=utf-8", "application/x+json"]
)
def test_types_that_are_json(value: str | None) -> None:
    check_json_type(value)


@pytest.mark.parametrize("value", ["", "text/json", "application/jsonp", "application/json5"])
def test_types_that_are_not(value: str) -> None:
    with pytest.raises(Problem) as refused:
        check_json_type(value)
    assert refused.value.code == "unsupported_media_type"


class _Inner(msgspec.Struct, forbid_unknown_fields=True):
    a: int


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: _Inner


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"x":1}', "x"),
        (b"{}", "inner"),
        (b'{"inner":{"a":"1"}}', "inner.a"),
        (b'{"inner":{"b":1}}', "b"),
        (b"[]", None),
    ],
)
def test_a_wrong_field_is_named(body: bytes, field: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(body, type=_Outer)
    assert bad_field(str(error.value)).extra.get("field") == field
