"""RTCP packets (RFC 3550 §6, XR of RFC 3611): split compounds, read and write reports, SDES and BYE.

Feedback messages (NACK, PLI, …) are in `media.rtp.feedback`. Packets of unknown types are skipped.
"""

from dataclasses import dataclass, field
from struct import Struct, pack

from media.errors import ParseError
from media.rtp import feedback
from media.rtp.feedback import Feedback

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SDES = 202
BYE = 203
XR = 207
MAX_PACKETS_PER_COMPOUND = 32

_SENDER_INFO = Struct("!IQIII")
_BLOCK = Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one SSRC. `jitter` is in clock ticks, the last two in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is the 64-bit NTP time that `rtp_timestamp` corresponds to."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Reception reports of a peer that sends nothing (or has nothing to say about sending)."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SSRC → CNAME; other items are skipped."""

    cnames: dict[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The SSRCs that stop."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """XR receiver reference time (RFC 3611 §4.4): lets a receiver measure the round trip."""

    ssrc: int
    ntp: int


@dataclass(frozen=True, slots=True)
class DelaySinceReference:
    """XR DLRR (RFC 3611 §4.5), the answer to `ReferenceTime`: (ssrc, last reference, delay) each."""

    ssrc: int
    entries: tuple[tuple[int, int, int], ...]


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | ReferenceTime
    | DelaySinceReference
    | Feedback
)


def parse(data: bytes) -> list[RtcpPacket]:
    """The packets of a compound (reduced size is fine, RFC 5506). Raises ParseError."""
    packets: list[RtcpPacket] = []
    position = 0
    for _ in range(MAX_PACKETS_PER_COMPOUND):
        if position == len(data):
            return packets
        if len(data) - position < 4 or data[position] >> 6 != 2:
            raise ParseError("not an RTCP packet")
        first, kind = data[position], data[position + 1]
        end = position + 4 + 4 * int.from_bytes(data[position + 2 : position + 4])
        if end > len(data):
            raise ParseError("RTCP packet is cut off")
        body_end = end
        if first & 0x20:
            body_end -= data[end - 1]
            if data[end - 1] == 0 or body_end < position + 4:
                raise ParseError("RTCP padding is longer than the packet")
        packets += _parse_one(kind, first & 0x1F, data[position + 4 : body_end])
        position = end
    raise ParseError("too many RTCP packets in one compound")


def transport_feedback(compound: bytes) -> tuple[list[bytes], bool]:
    """The FCIs of the transport-wide feedback in a compound, and whether there is anything else in it, or
    bytes that are no RTCP. `parse` skips such feedback.
    """
    found: list[bytes] = []
    others = False
    position = 0
    while position < len(compound):
        left = len(compound) - position
        length = 0 if left < 4 else 4 + 4 * int.from_bytes(compound[position + 2 : position + 4])
        first = compound[position]
        if left < 4 or first >> 6 != 2 or length > left:
            return found, True
        padded = bool(first & 0x20)
        padding = compound[position + length - 1] if padded else 0
        body = compound[position + 12 : position + length - padding]
        is_feedback = compound[position + 1] == feedback.TRANSPORT and first & 0x1F == 15
        position += length
        if not is_feedback or 12 + padding > length or (padded and not padding):
            others = True
        else:
            found.append(body)
    return found, others


def _parse_one(kind: int, count: int, body: bytes) -> list[RtcpPacket]:
    match kind:
        case 200:
            return [_parse_sender_report(count, body)]
        case 201:
            _need(body, 4)
            return [ReceiverReport(int.from_bytes(body[:4]), _parse_blocks(count, body, 4))]
        case 202:
            return [_parse_sdes(count, body)]
        case 203:
            _need(body, 4 * count)
            return [Goodbye(tuple(int.from_bytes(body[4 * i : 4 * i + 4]) for i in range(count)))]
        case 205 | 206:
            message = feedback.parse(kind, count, body)
            return [] if message is None else [message]
        case 207:
            return _parse_xr(body)
        case _:
            return []


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise ParseError("RTCP packet is too short")


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    _need(body, _SENDER_INFO.size)
    ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _parse_blocks(count, body, _SENDER_INFO.size))


def _parse_blocks(count: int, body: bytes, position: int) -> tuple[ReportBlock, ...]:
    _need(body, position + 24 * count)
    blocks: list[ReportBlock] = []
    for start in range(position, position + 24 * count, 24):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start)
        lost = (loss & 0xFF_FFFF) - (0x100_0000 if loss & 0x80_0000 else 0)
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _parse_sdes(count: int, body: bytes) -> SourceDescription:
    cnames: dict[int, str] = {}
    position = 0
    for _ in range(count):
        _need(body, position + 4)
        ssrc = int.from_bytes(body[position : position + 4])
        position += 4
        while position < len(body) and body[position] != 0:
            _need(body, position + 2)
            end = position + 2 + body[position + 1]
            _need(body, end)
            if body[position] == 1:
                cnames[ssrc] = body[position + 2 : end].decode("utf-8", "replace")
            position = end
        position += 4 - position % 4  # at least one zero byte ends a chunk, RFC 3550 §6.5
    return SourceDescription(cnames)


def _parse_xr(body: bytes) -> list[RtcpPacket]:
    _need(body, 4)
    ssrc = int.from_bytes(body[:4])
    found: list[RtcpPacket] = []
    position = 4
    while position < len(body):
        _need(body, position + 4)
        kind = body[position]
        end = position + 4 + 4 * int.from_bytes(body[position + 2 : position + 4])
        _need(body, end)
        block = body[position + 4 : end]
        if kind == 4 and len(block) == 8:
            found.append(ReferenceTime(ssrc, int.from_bytes(block)))
        elif kind == 5 and len(block) % 12 == 0:
            words = [int.from_bytes(block[i : i + 4]) for i in range(0, len(block), 4)]
            entries = tuple(zip(words[0::3], words[1::3], words[2::3], strict=True))
            found.append(DelaySinceReference(ssrc, entries))
        position = end
    return found


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.packets_lost & 0xFF_FFFF,
            block.highest_sequence & 0xFFFF_FFFF,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )


def write_sender_report(report: SenderReport) -> bytes:
    """RFC 3550 §6.4.1; counters are taken modulo 2^32."""
    info = _SENDER_INFO.pack(
        report.ssrc,
        report.ntp,
        report.rtp_timestamp & 0xFFFF_FFFF,
        report.packet_count & 0xFFFF_FFFF,
        report.octet_count & 0xFFFF_FFFF,
    )
    return _packet(SENDER_REPORT, len(report.reports), info + _write_blocks(report.reports))


def write_receiver_report(report: ReceiverReport) -> bytes:
    """RFC 3550 §6.4.2, at most 31 blocks."""
    body = pack("!I", report.ssrc) + _write_blocks(report.reports)
    return _packet(RECEIVER_REPORT, len(report.reports), body)


def write_sdes(ssrcs: tuple[int, ...], cname: str) -> bytes:
    """One chunk with the same CNAME for each SSRC (RFC 3550 §6.5.1)."""
    name = cname.encode()[:255]
    item = bytes((1, len(name))) + name
    item += bytes(4 - len(item) % 4)
    return _packet(SDES, len(ssrcs), b"".join(pack("!I", ssrc) + item for ssrc in ssrcs))


def write_bye(ssrcs: tuple[int, ...]) -> bytes:
    """RFC 3550 §6.6 without a reason."""
    return _packet(BYE, len(ssrcs), pack(f"!{len(ssrcs)}I", *ssrcs))


def write_reference_time(ssrc: int, ntp: int) -> bytes:
    """XR receiver reference time report (RFC 3611 §4.4)."""
    return _packet(XR, 0, pack("!IBBHQ", ssrc, 4, 0, 2, ntp))


def write_delay_since_reference(ssrc: int, entries: tuple[tuple[int, int, int], ...]) -> bytes:
    """XR DLRR (RFC 3611 §4.5)."""
    body = pack("!IBBH", ssrc, 5, 0, 3 * len(entries)) + b"".join(pack("!III", *entry) for entry in entries)
    return _packet(XR, 0, body)
