"""The last public entries of a show as ready frames: what a returning viewer is owed.

Pure. One per show and worker, shared by all its viewers; nothing is kept for a single viewer. An entry is
found by the seq that a viewer saw last; whether nothing lies between is told by the chain (`prev`), not by
arithmetic, because entries for staff and buyers take numbers too.
"""

from collections import deque
from typing import NamedTuple

from server.live.limits import HISTORY_ENTRIES


class Kept(NamedTuple):
    """One public entry, framed. `full` stands in for `frame` for staff, `personal` for `target`."""

    seq: int
    prev: int
    frame: bytes
    full: bytes | None = None
    personal: bytes | None = None
    target: str = ""

    def frame_for(self, pid: str, *, staff: bool) -> bytes:
        """The frame that a viewer with this `pid` ('' none) gets."""
        if staff and self.full is not None:
            return self.full
        if self.personal is not None and pid and pid == self.target:
            return self.personal
        return self.frame


class History:
    """A bounded, gap-free run of public entries up to `public_head`; `head` is the last entry of any
    audience.
    """

    def __init__(self, size: int = HISTORY_ENTRIES) -> None:
        self._kept: deque[Kept] = deque(maxlen=size)
        self.head: int = 0
        self.public_head: int = 0

    def start(self, head: int, public_head: int) -> None:
        """Forget everything; what comes next continues after `head`, whose newest public entry is
        `public_head`.
        """
        self._kept.clear()
        self.head = head
        self.public_head = public_head

    def advance(self, seq: int) -> None:
        """Note an entry that is not public."""
        self.head = max(self.head, seq)

    def add(self, kept: Kept) -> bool:
        """Append a public entry. False, and nothing changes, when it does not follow the newest: a gap or a
        repeat.
        """
        if kept.prev != self.public_head or kept.seq <= self.public_head:
            return False
        self._kept.append(kept)
        self.public_head = kept.seq
        self.head = max(self.head, kept.seq)
        return True

    def since(self, seq: int) -> list[Kept] | None:
        """The public entries after `seq` in order, or None when they do not reach back that far.

        `seq` may be any entry's, also one that is not public: a snapshot carries the log's head.
        """
        if seq >= self.public_head:
            return []
        missed: list[Kept] = []
        for kept in reversed(self._kept):
            if kept.seq <= seq:
                break
            missed.append(kept)
        if not missed or missed[-1].prev > seq:
            return None
        missed.reverse()
        return missed
