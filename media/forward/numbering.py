"""From a publisher's sequence numbers to a layer's own, which only grow, whoever publishes."""

from media.rtp.sequence import unwrap16

FIRST_SEQUENCE = 0x1_0000
"""Track sequences begin here, so that no arithmetic on them goes below zero."""
SOURCE_JUMP = 3_000
"""A jump that no loss or reordering explains: the source began again (RFC 3550 A.1 MAX_DROPOUT)."""


class Numbering:
    """The current source's stretch of track sequences. `next` is the one after the highest given."""

    __slots__ = ("_base", "_near", "_shift", "next")

    def __init__(self, first: int = FIRST_SEQUENCE) -> None:
        """`first` lies above every number that viewers may still ask for under the same layer's name."""
        self.next = first
        self._base = first
        self._near = 0
        self._shift: int | None = None

    def restart(self) -> None:
        """Another source, or a stretch was left out: the next packet goes on after the highest number."""
        self._shift = None

    def jumped(self, source_sequence: int) -> bool:
        """Whether this packet cannot belong to the current stretch."""
        if self._shift is None:
            return False
        return abs(unwrap16(source_sequence, self._near) - self._near) >= SOURCE_JUMP

    def number(self, source_sequence: int) -> int | None:
        """The track sequence of a packet; None for one from before the stretch (its number may be in use
        for other content).
        """
        if self._shift is None:
            self._near = source_sequence
            self._base = self.next
            self._shift = self._base - source_sequence
        number = unwrap16(source_sequence, self._near)
        self._near = max(self._near, number)
        sequence = number + self._shift
        return sequence if sequence >= self._base else None

    def peek(self, source_sequence: int) -> int | None:
        """What `number` would say, without a change; None also where no stretch is going."""
        if self._shift is None:
            return None
        sequence = unwrap16(source_sequence, self._near) + self._shift
        return sequence if sequence >= self._base else None

    def source(self, sequence: int) -> int:
        """The source's sequence number (16 bit) of a track sequence of the current stretch."""
        return (sequence - (self._shift or 0)) & 0xFFFF
