"""Arithmetic on counters that wrap: RTP sequence numbers (16 bit) and timestamps (32 bit)."""


def unwrap16(value: int, near: int) -> int:
    """The integer congruent to `value` mod 2^16 that is nearest to `near` (a tie goes below)."""
    return near + ((value - near + 0x8000) & 0xFFFF) - 0x8000


def unwrap32(value: int, near: int) -> int:
    """The integer congruent to `value` mod 2^32 that is nearest to `near` (a tie goes below)."""
    return near + ((value - near + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
