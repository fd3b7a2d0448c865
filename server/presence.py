"""When the synthetic creator publishes and when it stays away; pure.

It must never fight: the studio publishes as the same subject and replaces it, and it comes back only when
the show has been without a publisher for a while, which leaves a person time to reload the page. When
nobody took its place (the server or its media worker died), it comes back at once.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

VACANT_AFTER_OTHERS_S: Final = 8.0  # a page notices a dead connection within 4 s, then connects anew
LOST_AFTER_S: Final = 2.0  # health may lag behind a publication that has just begun


class Decision(Enum):
    """What to do now."""

    WAIT = "wait"
    PUBLISH = "publish"
    LEAVE = "leave"  # our connection is of no use any more: close it


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server says: is it there, and whose publication does the show have (None: nobody's)?"""

    reachable: bool
    publication: str | None = None


@dataclass(slots=True)
class Presence:
    """Fed with one `Seen` a second; `now` is monotonic seconds."""

    _others_until: float = float("-inf")  # somebody else was publishing until then
    _healthy_at: float = 0.0

    def published(self, now: float) -> None:
        """Our publication has begun."""
        self._healthy_at = now

    def closed_by_server(self, now: float) -> None:
        """The server ended our publication: somebody may be taking over."""
        self._others_until = now

    def decide(self, seen: Seen, ours: str | None, now: float) -> Decision:
        """`ours` is the id of our running publication, None when there is none."""
        if seen.publication is not None and seen.publication != ours:
            self._others_until = now
        if ours is not None:
            return self._while_publishing(seen, ours, now)
        if not seen.reachable:
            if self._others_until > float("-inf"):
                self._others_until = now  # the person who was on comes back as well, and goes first
            return Decision.WAIT
        if seen.publication is not None or now - self._others_until < VACANT_AFTER_OTHERS_S:
            return Decision.WAIT
        self._others_until = float("-inf")
        return Decision.PUBLISH

    def _while_publishing(self, seen: Seen, ours: str, now: float) -> Decision:
        if seen.publication == ours:
            self._healthy_at = now
        return Decision.LEAVE if now - self._healthy_at >= LOST_AFTER_S else Decision.WAIT
