"""Keyframe requests of a layer: one shared by everybody who waits, never more than two a second."""

MIN_INTERVAL_S = 0.5


class KeyframeRequests:
    """Wanted or not, and when the publisher may be asked (again).

    An encoder that is asked more often than twice a second spends the viewers' bits on keyframes; one
    request serves all that ask until the keyframe has come, and it is repeated until it has.
    """

    __slots__ = ("_last_sent", "asked", "sent", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.asked = 0
        self.sent = 0
        self._last_sent = float("-inf")

    def ask(self) -> None:
        """Somebody needs a keyframe."""
        self.wanted = True
        self.asked += 1

    def arrived(self) -> None:
        """A keyframe has begun to come."""
        self.wanted = False

    def due(self, now: float) -> bool:
        """Whether to send a request now; True counts it as sent."""
        if not self.wanted or now < self._last_sent + MIN_INTERVAL_S:
            return False
        self._last_sent = now
        self.sent += 1
        return True

    def deadline(self) -> float | None:
        """When `due` would be True (may be in the past: at once), None when nobody waits."""
        return self._last_sent + MIN_INTERVAL_S if self.wanted else None
