"""Which outgoing sequence number of a viewer is which packet of which layer.

A viewer's SSRC lives longer than what is sent on it: layers switch, video is blanked, publishers come and
go. Each stretch of unbroken forwarding is a segment; segments follow each other without a gap, and no
outgoing number ever belongs to two packets (under SRTP that would be one nonce for two contents).
"""

from collections import deque
from dataclasses import dataclass

from media.rtp.sequence import unwrap16

MAX_SEGMENTS = 8
"""Older segments cannot be retransmitted from; their packets have left every cache by then."""


@dataclass(slots=True)
class Segment:
    """Track sequences from `first` to before `end` (None: still going) are sent from `first_out` on."""

    rid: str
    first: int
    first_out: int
    payload_type: int
    rtx_payload_type: int
    end: int | None = None

    def out(self, sequence: int) -> int:
        """The outgoing number (not wrapped) of a track sequence."""
        return self.first_out + sequence - self.first


class Rewriter:
    """One viewer's segments on one SSRC."""

    __slots__ = ("_next_out", "_segments")

    def __init__(self, first_out: int) -> None:
        """`first_out` below 2^15: receivers of SRTP guess the roll-over counter (RFC 3711 §3.3.1)."""
        self._next_out = first_out & 0x7FFF
        self._segments: deque[Segment] = deque(maxlen=MAX_SEGMENTS)

    @property
    def current(self) -> Segment | None:
        """The segment that is still going."""
        return self._segments[-1] if self._segments and self._segments[-1].end is None else None

    def begin(self, rid: str, first: int, payload_type: int, rtx_payload_type: int) -> Segment:
        """Go on with `first` of a layer at the next outgoing number. No segment may be going."""
        if self.current is not None:
            raise RuntimeError("the last segment is still going: its numbers would be used twice")
        segment = Segment(rid, first, self._next_out, payload_type, rtx_payload_type)
        self._segments.append(segment)
        return segment

    def finish(self, end: int) -> None:
        """The current segment stops before track sequence `end`, all before it having been sent."""
        segment = self.current
        if segment is None:
            return
        segment.end = max(end, segment.first)
        self._next_out = segment.out(segment.end)

    def locate(self, out_sequence: int, sent_until: int) -> tuple[Segment, int] | None:
        """Segment and track sequence of an outgoing number (16 bit), None for one that was never sent or
        is forgotten. `sent_until` is the track sequence after the last one sent on the current segment.
        """
        current = self.current
        near = self._next_out if current is None else current.out(max(sent_until, current.first))
        number = unwrap16(out_sequence, near)
        for segment in reversed(self._segments):
            if number >= segment.first_out:
                sequence = segment.first + number - segment.first_out
                end = sent_until if segment.end is None else segment.end
                return (segment, sequence) if sequence < end else None
        return None

    def sent(self, sent_until: int) -> int:
        """Outgoing numbers used so far, for sender reports (as an absolute position)."""
        current = self.current
        return self._next_out if current is None else current.out(max(sent_until, current.first))
