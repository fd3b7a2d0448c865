"""RTCP feedback: NACK and PLI (RFC 4585), FIR (RFC 5104), REMB (draft-alvestrand-rmcat-remb-03) and
transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack, unpack_from

from media.errors import ParseError

TRANSPORT = 205
PAYLOAD = 206


@dataclass(frozen=True, slots=True)
class Nack:
    """Sequence numbers (16 bit) that the peer asks for again, as written, oldest field first."""

    sender_ssrc: int
    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureLoss:
    """PLI, RFC 4585 §6.3.1."""

    sender_ssrc: int
    ssrc: int


@dataclass(frozen=True, slots=True)
class FullIntra:
    """FIR, RFC 5104 §4.3.1: (ssrc, command number) each."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """Receiver estimated maximum bitrate; whatever the peer claims, so clamp it."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Arrival of transport-wide sequence numbers from `base`: ticks of 250 µs since `reference` (in 64 ms
    units), or None for a packet that has not come. `count` numbers the messages.
    """

    base: int
    reference: int
    count: int
    arrivals: tuple[int | None, ...]


Feedback = Nack | PictureLoss | FullIntra | Remb


def parse(kind: int, fmt: int, body: bytes) -> Feedback | None:
    """A feedback message's body (after the first four bytes); None for an unknown format, and for
    transport-wide feedback, which the fan-out has read: it knows what was sent.
    """
    if len(body) < 8:
        raise ParseError("RTCP feedback is too short")
    sender, ssrc = unpack_from("!II", body)
    match kind, fmt:
        case (205, 1):
            return _parse_nack(sender, ssrc, body)
        case (206, 1):
            return PictureLoss(sender, ssrc)
        case (206, 4):
            entries = tuple(
                (int.from_bytes(body[i : i + 4]), body[i + 4]) for i in range(8, len(body) - 7, 8)
            )
            return FullIntra(sender, entries)
        case (206, 15):
            return _parse_remb(sender, body)
        case _:
            return None


def _parse_nack(sender: int, ssrc: int, body: bytes) -> Nack:
    sequences: list[int] = []
    for start in range(8, len(body) - 3, 4):
        first, mask = unpack_from("!HH", body, start)
        sequences.append(first)
        while mask:
            bit = mask & -mask
            sequences.append((first + bit.bit_length()) & 0xFFFF)
            mask ^= bit
    return Nack(sender, ssrc, tuple(sequences))


def _parse_remb(sender: int, body: bytes) -> Remb | None:
    if body[8:12] != b"REMB":
        return None
    if len(body) < 16 or len(body) < 16 + 4 * body[12]:
        raise ParseError("REMB is too short")
    exponent = body[13] >> 2
    mantissa = int.from_bytes(body[13:16]) & 0x3_FFFF
    ssrcs = tuple(int.from_bytes(body[i : i + 4]) for i in range(16, 16 + 4 * body[12], 4))
    return Remb(sender, mantissa << exponent, ssrcs)


def read_transport(fci: bytes) -> TransportFeedback:
    """Decode the FCI of transport-wide feedback. Raises ParseError."""
    if len(fci) < 8:
        raise ParseError("transport feedback is too short")
    base, total, reference_and_count = unpack_from("!HHI", fci)
    symbols, position = _symbols(fci, total)
    reference = reference_and_count >> 8
    arrivals: list[int | None] = []
    ticks = 0
    for symbol in symbols:
        if symbol == 0:
            arrivals.append(None)
            continue
        size = 1 if symbol == 1 else 2
        if symbol == 3 or position + size > len(fci):
            raise ParseError("transport feedback deltas are cut off")
        ticks += int.from_bytes(fci[position : position + size], signed=size == 2)
        position += size
        arrivals.append(ticks)
    return TransportFeedback(base, reference, reference_and_count & 0xFF, tuple(arrivals))


def _symbols(fci: bytes, total: int) -> tuple[list[int], int]:
    """Packet status symbols (draft §3.1.3, §3.1.4) and where the deltas begin."""
    symbols: list[int] = []
    position = 8
    while len(symbols) < total:
        if position + 2 > len(fci):
            raise ParseError("transport feedback chunks are cut off")
        (chunk,) = unpack_from("!H", fci, position)
        position += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13] * min(chunk & 0x1FFF, total - len(symbols))
            if not chunk & 0x1FFF:
                raise ParseError("transport feedback has an empty run")
        elif chunk & 0x4000:
            symbols += [(chunk >> shift) & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [(chunk >> shift) & 1 for shift in range(13, -1, -1)]
    return symbols[:total], position


def _packet(kind: int, fmt: int, sender: int, ssrc: int, body: bytes) -> bytes:
    return pack("!BBHII", 0x80 | fmt, kind, 2 + len(body) // 4, sender, ssrc) + body


def write_nack(sender: int, ssrc: int, sequences: Sequence[int]) -> bytes:
    """RFC 4585 §6.2.1. `sequences` ascend (they may wrap); each field covers 17 numbers.

    No mask reaches over the wrap: aiortc reads 65535 + 1 as 65536.
    """
    fields: list[bytes] = []
    index = 0
    while index < len(sequences):
        first = sequences[index]
        mask = 0
        index += 1
        while index < len(sequences) and 1 <= sequences[index] - first <= 16:
            mask |= 1 << (sequences[index] - first - 1)
            index += 1
        fields.append(pack("!HH", first & 0xFFFF, mask))
    return _packet(TRANSPORT, 1, sender, ssrc, b"".join(fields))


def write_pli(sender: int, ssrc: int) -> bytes:
    """Picture loss indication, RFC 4585 §6.3.1."""
    return _packet(PAYLOAD, 1, sender, ssrc, b"")


def write_fir(sender: int, ssrc: int, command: int) -> bytes:
    """Full intra request, RFC 5104 §4.3.1; `command` counts requests (mod 256), not repeats of one."""
    return _packet(PAYLOAD, 4, sender, 0, pack("!IBxxx", ssrc, command & 0xFF))


def write_remb(sender: int, bitrate_bps: int, ssrcs: Sequence[int]) -> bytes:
    """The bitrate is rounded down to an 18-bit mantissa."""
    exponent = max(0, bitrate_bps.bit_length() - 18)
    body = b"REMB" + pack("!I", len(ssrcs) << 24 | exponent << 18 | bitrate_bps >> exponent)
    return _packet(PAYLOAD, 15, sender, 0, body + pack(f"!{len(ssrcs)}I", *ssrcs))


def write_transport(sender: int, ssrc: int, feedback: TransportFeedback) -> bytes:
    """Transport-wide feedback; every step between arrivals must fit 16 bits signed (8.19 s)."""
    symbols: list[int] = []
    deltas: list[bytes] = []
    last = 0
    for arrival in feedback.arrivals:
        if arrival is None:
            symbols.append(0)
            continue
        delta = arrival - last
        last = arrival
        small = 0 <= delta <= 0xFF
        symbols.append(1 if small else 2)
        deltas.append(delta.to_bytes(1) if small else delta.to_bytes(2, signed=True))
    head = pack(
        "!HHI",
        feedback.base,
        len(symbols),
        (feedback.reference & 0xFF_FFFF) << 8 | feedback.count & 0xFF,
    )
    body = head + _chunks(symbols) + b"".join(deltas)
    padding = -len(body) % 4
    if not padding:
        return _packet(TRANSPORT, 15, sender, ssrc, body)
    packet = _packet(TRANSPORT, 15, sender, ssrc, body + bytes(padding - 1) + bytes((padding,)))
    return bytes((packet[0] | 0x20,)) + packet[1:]


def _chunks(symbols: list[int]) -> bytes:
    """Run lengths where seven or more are equal, else vectors of seven two-bit symbols."""
    chunks: list[bytes] = []
    index = 0
    while index < len(symbols):
        symbol = symbols[index]
        run = 1
        while index + run < len(symbols) and run < 0x1FFF and symbols[index + run] == symbol:
            run += 1
        if run >= 7 or index + run == len(symbols):
            chunks.append(pack("!H", symbol << 13 | run))
            index += run
            continue
        vector = symbols[index : index + 7]
        index += 7
        value = 0xC000
        for place, item in enumerate(vector):
            value |= item << (12 - 2 * place)
        chunks.append(pack("!H", value))
    return b"".join(chunks)
