"""What one viewer's path can carry, as far as its reports tell. A peer may lie: everything is clamped.

With one layer nothing depends on it yet but the health report; `media.forward.layers` chooses by it.
"""

MIN_BPS = 50_000
MAX_BPS = 50_000_000
REMB_LIFETIME_S = 10.0
HIGH_LOSS = 0.1


class ViewerPath:
    """Loss, round trip and claimed bandwidth of one subscriber."""

    __slots__ = ("_remb_at", "_remb_bps", "clamped", "loss", "rtt_s")

    def __init__(self) -> None:
        self.loss: float | None = None
        self.rtt_s: float | None = None
        self.clamped = 0
        """How many claims lay outside of what is possible."""
        self._remb_bps = MAX_BPS
        self._remb_at = float("-inf")

    def remb(self, bitrate_bps: int, now: float) -> None:
        """The viewer's claim; counted as clamped when it is absurd."""
        self._remb_bps = max(MIN_BPS, min(bitrate_bps, MAX_BPS))
        self.clamped += self._remb_bps != bitrate_bps
        self._remb_at = now

    def report(self, fraction_lost: int, rtt_s: float | None) -> None:
        """A report block (`fraction_lost` in 1/256); a round trip outside 0–10 s is not believed."""
        self.loss = fraction_lost / 256
        if rtt_s is not None and 0 <= rtt_s <= 10:
            self.rtt_s = rtt_s if self.rtt_s is None else self.rtt_s + (rtt_s - self.rtt_s) / 8

    def allowed_bps(self, sent_bps: float, now: float) -> int:
        """Upper bound for a layer: the claim while fresh, and less than is sent now under high loss."""
        allowed = self._remb_bps if now - self._remb_at < REMB_LIFETIME_S else MAX_BPS
        if self.loss is not None and self.loss > HIGH_LOSS:
            allowed = min(allowed, int(sent_bps * (1 - self.loss / 2)))
        return max(MIN_BPS, allowed)
