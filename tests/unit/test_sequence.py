"""Wrapping counters."""

from media.rtp.sequence import unwrap16, unwrap32


def test_unwrap_goes_over_the_wrap_in_both_directions() -> None:
    assert unwrap16(2, 65_535) == 65_538
    assert unwrap16(65_535, 65_537) == 65_535
    assert unwrap16(65_535, 1) == -1
    assert unwrap32(5, 2**32 - 5) == 2**32 + 5
    assert unwrap32(2**32 - 1, 2**32 + 10) == 2**32 - 1


def test_a_number_is_itself() -> None:
    assert unwrap16(7, 7) == 7
    assert unwrap16(70_000 & 0xFFFF, 70_000) == 70_000
