"""RESP2: whatever way the bytes are cut, the replies are the same; nonsense is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.outcome import StoreReplyError
from server.store.resp import MAX_REPLY_BYTES, Parser, ProtocolError, Reply, encode

STREAM = b"+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n*-1\r\n-NOSCRIPT no\r\n*0\r\n"
REPLIES: list[Reply] = [b"OK", -7, b"a\r\n", None, [1, [b""], None], StoreReplyError("NOSCRIPT no"), []]


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert encode(("SET", b"k\xff", 12)) == b"*3\r\n$3\r\nSET\r\n$2\r\nk\xff\r\n$2\r\n12\r\n"
    assert encode(("é",)) == b"*1\r\n$2\r\n\xc3\xa9\r\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_replies_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    parser, replies, at = Parser(), list[Reply](), 0
    for cut in [*sorted(cuts), len(STREAM)]:
        replies += parser.feed(STREAM[at:cut])
        at = cut
    assert same(replies, REPLIES)


def test_an_error_reply_names_its_code() -> None:
    [error] = Parser().feed(b"-NOSCRIPT No matching script\r\n")
    assert isinstance(error, StoreReplyError)
    assert error.code == "NOSCRIPT"


@pytest.mark.parametrize(
    "junk",
    [
        b"HTTP/1.1 400\r\n",
        b"\r\n",
        b"$-2\r\n",
        b"$x\r\n",
        b":1.5\r\n",
        b"*-5\r\n",
        b"*4294967295\r\n",
        b"$999999999\r\n" + b"x" * (MAX_REPLY_BYTES + 1),
    ],
)
def test_what_is_not_resp_is_refused(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        Parser().feed(junk)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Parser().feed(data)
