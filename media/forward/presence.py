"""Is the publisher there? What the sale needs to know of it, as requests."""

from collections.abc import Callable

from media.forward.requests import PublisherAway, PublisherBack, PublisherDown, PublisherUp, Request

AWAY_S = 2.0
RETURN_S = 30.0


class Presence:
    """up → away (2 s without a packet) → back, or down (30 s without one and without a publisher)."""

    def __init__(self, show: str, emit: Callable[[Request], None]) -> None:
        self._show = show
        self._emit = emit
        self._publication = ""
        self.last_packet_at: float | None = None
        self.up = False
        """A packet of this publication has come."""
        self.away = False

    def begin(self, publication: str) -> None:
        """Another publisher connects; what has been away stays away until its first packet."""
        self._publication = publication
        self.up = False

    def packet(self, now: float) -> None:
        """A packet of the publisher came."""
        self.last_packet_at = now
        if self.away:
            self.away = False
            self._emit(PublisherBack(self._show, self._publication))
        if not self.up:
            self.up = True
            self._emit(PublisherUp(self._show, self._publication))

    def tick(self, now: float, *, connected: bool) -> bool:
        """Judge by the time; False when there is nothing left to watch."""
        if self.last_packet_at is None:
            return connected
        silent_s = now - self.last_packet_at
        if not self.away and silent_s >= AWAY_S:
            self.away = True
            self._emit(PublisherAway(self._show, self._publication))
        if connected or silent_s < RETURN_S:
            return True
        self._emit(PublisherDown(self._show, self._publication))
        self.last_packet_at = None
        self.up = self.away = False
        return False
