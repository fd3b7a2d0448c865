"""The numbers in a VP8 payload descriptor that a receiver follows from picture to picture (RFC 7741 §4.2)."""

from typing import NamedTuple

WIDE = 1 << 15
NARROW = 1 << 7


class Picture(NamedTuple):
    """PictureID and TL0PICIDX of a payload, and where they lie."""

    at: int
    modulus: int
    """`WIDE` or `NARROW`: what the picture number counts to."""
    number: int
    base_at: int
    """0: there is no TL0PICIDX."""
    base: int


def picture(payload: bytes) -> Picture | None:
    """The numbers of a payload; None when it has no PictureID or is cut off."""
    if len(payload) < 3 or not payload[0] & 0x80 or not payload[1] & 0x80:
        return None
    wide = payload[2] >> 7
    base_at = 3 + wide if payload[1] & 0x40 else 0
    if len(payload) <= max(2 + wide, base_at):
        return None
    number = int.from_bytes(payload[2:4]) & 0x7FFF if wide else payload[2]
    return Picture(2, WIDE if wide else NARROW, number, base_at, payload[base_at] if base_at else 0)


def renumber(payload: bytes, old: Picture, number: int, base: int) -> bytes:
    """The payload with other numbers (taken modulo their field's size); `old` is what `picture` said."""
    patched = bytearray(payload)
    number %= old.modulus
    if old.modulus == WIDE:
        patched[old.at : old.at + 2] = (0x8000 | number).to_bytes(2)
    else:
        patched[old.at] = number
    if old.base_at:
        patched[old.base_at] = base & 0xFF
    return bytes(patched)
