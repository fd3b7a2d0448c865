"""RTP headers: what is read, what is refused, and that a patched packet is the same packet otherwise."""

import pytest

from media.errors import ParseError
from media.rtp import header


def test_reads_every_field() -> None:
    packet = (
        bytes.fromhex("b1e30005 00000064 0000abcd 11111111 bede0001 5100 07 00") + b"payload" + b"\x00\x02"
    )
    head = header.parse(packet)
    assert head[:5] == (True, 0x63, 5, 100, 0xABCD)
    assert packet[head.payload_start : head.payload_end] == b"payload"
    assert header.extensions(packet, head) == {5: b"\x00\x07"}


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(11),
        bytes(12),  # version 0
        b"\x81" + bytes(11),  # a CSRC is announced, none is there
        b"\x90" + bytes(11),  # an extension is announced, none is there
        b"\x90" + bytes(11) + b"\xbe\xde\x00\x02" + bytes(4),  # the extension is cut off
        b"\xa0" + bytes(12),  # padding of 0
        b"\xa0" + bytes(11) + b"\x02",  # padding longer than the payload
    ],
)
def test_refuses_what_is_not_rtp(packet: bytes) -> None:
    with pytest.raises(ParseError):
        header.parse(packet)


def test_one_byte_extensions_stop_at_id_15_and_skip_padding() -> None:
    body = b"\x00\x10a\x00\xf0\x21zz"
    packet = b"\x90" + bytes(11) + b"\xbe\xde\x00\x02" + body
    assert header.extensions(packet, header.parse(packet)) == {1: b"a"}


def test_two_byte_extensions() -> None:
    body = b"\x01\x02ab\x00\x03\x00\x00"
    packet = b"\x90" + bytes(11) + b"\x10\x00\x00\x02" + body
    assert header.extensions(packet, header.parse(packet)) == {1: b"ab", 3: b""}


@pytest.mark.parametrize("body", [b"\x13ab\x00", b"\x00\x00\x00\x17"])
def test_an_extension_element_over_the_end_is_refused(body: bytes) -> None:
    packet = b"\x90" + bytes(11) + b"\xbe\xde\x00\x01" + body
    with pytest.raises(ParseError):
        header.extensions(packet, header.parse(packet))


def test_readdress_changes_three_fields_only() -> None:
    packet = header.build(0, 7, 1234, 0, b"payload", marker=True)
    patched = header.readdress(packet, 0xCAFE, 102, 70_000)
    head = header.parse(patched)
    assert head[:5] == (True, 102, 70_000 & 0xFFFF, 1234, 0xCAFE)
    assert patched[12:] == b"payload"


def test_rtx_leaves_our_padding_out() -> None:
    padded = header.pad(header.build(0, 7, 1234, 0, b"payload"), 40)
    assert len(padded) == 40
    rtx = header.wrap_rtx(padded, 0xBEEF, 103, 1, 0x1_0007)
    head = header.parse(rtx)
    assert (head.ssrc, head.payload_type, head.sequence, head.timestamp) == (0xBEEF, 103, 1, 1234)
    media = header.unwrap_rtx(rtx, head, 0xCAFE, 102)
    assert media == header.build(102, 7, 1234, 0xCAFE, b"payload")


def test_rtx_that_is_only_padding_holds_nothing() -> None:
    packet = header.build(103, 1, 0, 1, b"")
    assert header.unwrap_rtx(packet, header.parse(packet), 2, 96) is None
