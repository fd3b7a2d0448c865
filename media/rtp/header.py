"""RTP headers (RFC 3550 §5.1), header extensions (RFC 8285) and retransmission payloads (RFC 4588).

Works on `bytes` with offsets; nothing is copied until a prepared packet is made.
"""

from struct import Struct
from typing import NamedTuple

from media.errors import ParseError

_FIXED = Struct("!BBHII")
_U16 = Struct("!H")
_EXTENSION = Struct("!HH")
HEADER_BYTES = 12
RTX_BYTES = 2
"""What RTX puts before a payload: the original sequence number."""
ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000


class Header(NamedTuple):
    """A parsed header. The payload is `packet[payload_start:payload_end]` (padding excluded)."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload_start: int
    payload_end: int
    extension_profile: int
    extension_start: int
    extension_end: int


def parse(packet: bytes) -> Header:
    """Read the header of a whole RTP packet. Raises ParseError for anything that is not one."""
    length = len(packet)
    if length < HEADER_BYTES:
        raise ParseError("RTP packet is too short")
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(packet)
    if first >> 6 != 2:
        raise ParseError("not RTP version 2")
    start = HEADER_BYTES + 4 * (first & 0x0F)
    profile = extension_start = extension_end = 0
    if first & 0x10:
        if length < start + 4:
            raise ParseError("RTP header extension is cut off")
        profile, words = _EXTENSION.unpack_from(packet, start)
        extension_start = start + 4
        start = extension_end = extension_start + 4 * words
    if start > length:
        raise ParseError("RTP header is longer than the packet")
    end = length
    if first & 0x20:
        end -= packet[-1]
        if packet[-1] == 0 or end < start:
            raise ParseError("RTP padding is longer than the payload")
    return Header(
        second > 0x7F,
        second & 0x7F,
        sequence,
        timestamp,
        ssrc,
        start,
        end,
        profile,
        extension_start,
        extension_end,
    )


def extensions(packet: bytes, header: Header) -> dict[int, bytes]:
    """Header extension elements by id, one-byte or two-byte form; empty for other profiles.

    Raises ParseError when an element runs over the end.
    """
    if header.extension_profile == ONE_BYTE_PROFILE:
        return _one_byte(packet, header.extension_start, header.extension_end)
    if header.extension_profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return _two_byte(packet, header.extension_start, header.extension_end)
    return {}


def _one_byte(packet: bytes, position: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while position < end:
        head = packet[position]
        position += 1
        if head == 0:
            continue
        if head >> 4 == 15:  # RFC 8285 §4.2: stop here
            break
        length = (head & 0x0F) + 1
        if position + length > end:
            raise ParseError("RTP header extension element is cut off")
        found[head >> 4] = packet[position : position + length]
        position += length
    return found


def _two_byte(packet: bytes, position: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while position < end:
        if packet[position] == 0:
            position += 1
            continue
        if position + 2 > end or position + 2 + packet[position + 1] > end:
            raise ParseError("RTP header extension element is cut off")
        start = position + 2
        position = start + packet[start - 1]
        found[packet[start - 2]] = packet[start:position]
    return found


def build(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False
) -> bytes:
    """A packet with a plain 12-byte header; numbers are taken modulo their field's size."""
    second = (payload_type & 0x7F) | (0x80 if marker else 0)
    return _FIXED.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc & 0xFFFF_FFFF) + payload


def pad(packet: bytes, size: int) -> bytes:
    """The prepared packet padded (RFC 3550 §5.1, P bit) to `size` bytes; 1 to 255 bytes are added."""
    count = size - len(packet)
    return bytes((packet[0] | 0x20,)) + packet[1:] + bytes(count - 1) + bytes((count,))


def readdress(packet: bytes, ssrc: int, payload_type: int, sequence: int) -> bytes:
    """A prepared packet for one viewer: another SSRC, payload type and sequence number."""
    second = (packet[1] & 0x80) | payload_type
    timestamp = int.from_bytes(packet[4:8])
    return _FIXED.pack(packet[0], second, sequence & 0xFFFF, timestamp, ssrc) + packet[12:]


def wrap_rtx(packet: bytes, ssrc: int, payload_type: int, sequence: int, original_sequence: int) -> bytes:
    """A prepared packet as RTX (RFC 4588 §4): own SSRC and sequence, the original one in front.

    Padding is left out: it was ours and carries nothing.
    """
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    second = (packet[1] & 0x80) | payload_type
    timestamp = int.from_bytes(packet[4:8])
    head = _FIXED.pack(0x80, second, sequence & 0xFFFF, timestamp, ssrc)
    return head + _U16.pack(original_sequence & 0xFFFF) + packet[12:end]


def unwrap_rtx(packet: bytes, header: Header, ssrc: int, payload_type: int) -> bytes | None:
    """The media packet inside an RTX packet, without extensions; None for one that is only padding."""
    start = header.payload_start
    if header.payload_end - start < 2:
        return None
    (original_sequence,) = _U16.unpack_from(packet, start)
    payload = packet[start + 2 : header.payload_end]
    return build(payload_type, original_sequence, header.timestamp, ssrc, payload, marker=header.marker)
