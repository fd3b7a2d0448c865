"""What one viewer's path can carry, as far as its reports tell. A peer may lie: everything is clamped, and a
lie costs nobody but the liar. `media.forward.layers` chooses by it.

Viewers that negotiated transport-wide feedback are measured (`path_estimate`); of the others only loss, round
trip and what they claim (REMB) is known.
"""

from media.forward.path_estimate import BEGUN_S, PathEstimate
from media.kernel import Acked

MIN_BPS = 50_000
MAX_BPS = 50_000_000
REMB_LIFETIME_S = 10.0
HIGH_LOSS = 0.08
"""Above: trouble. A path that loses 10 % is to be relieved although single reports of it vary."""
LOW_LOSS = 0.02
"""Up to this much loss is called clean, as congestion control of browsers does."""
CLAIM_SLACK = 0.9
"""A claim this far below what is sent is believed where loss or round trip speak for it, too."""
CLAIM_SLACK_ALONE = 0.5
"""Without times of departure in the packets a browser takes the jitter of the publisher's own way and
encoder for congestion; a claim that nothing else supports must be this low.
"""
QUEUE_S = 0.05
"""A round trip this far above the shortest one means a queue."""
CAPACITY_SHARE = 0.9
"""Of a measured capacity a layer may take so much; the rest empties the queue."""
CAPACITY_LIFETIME_S = 10.0
OLD_LOSSES_S = 0.5
"""So long after a viewer's way has changed, its reports still speak of what was lost on the old one."""
APPLICATION_LIMITED = 2.0
"""Browsers claim about 1.5 times of what they receive: a claim below is no ceiling of the path."""


class ViewerPath:
    """Loss, round trip and claimed bandwidth of one subscriber."""

    __slots__ = (
        "_moved_at",
        "_remb_at",
        "_remb_bps",
        "_remb_rises",
        "_reported_at",
        "_rtt_floor_s",
        "_rtt_last_s",
        "clamped",
        "estimate",
        "loss",
        "rtt_s",
    )

    def __init__(self) -> None:
        self.loss: float | None = None
        self.rtt_s: float | None = None
        self.estimate: PathEstimate | None = None
        self.clamped = 0
        """How many claims lay outside of what is possible."""
        self._moved_at = float("-inf")
        self._remb_bps = MAX_BPS
        self._remb_rises = False
        self._remb_at = float("-inf")
        self._reported_at = float("-inf")
        self._rtt_floor_s = float("inf")
        self._rtt_last_s = 0.0

    def acknowledged(self, acked: Acked, now: float) -> PathEstimate:
        """Transport-wide feedback: the path is measured from now on."""
        if self.estimate is None:
            self.estimate = PathEstimate()
        if now - self._moved_at < OLD_LOSSES_S:
            acked = acked._replace(lost=0)
        self.estimate.acknowledged(acked, now)
        return self.estimate

    def moved(self, now: float) -> None:
        """Another way from now on, of which nothing is known: an outage is no congestion."""
        self.estimate = self.loss = None
        self._moved_at = now

    def measured(self, now: float) -> PathEstimate | None:
        """The measurement, while the viewer gives transport-wide feedback."""
        return self.estimate if self.estimate is not None and self.estimate.is_fresh(now) else None

    def resents_probe(self, now: float) -> bool:
        """Whether what a probe adds has begun to pile up, or is no longer reported on."""
        measured = self.measured(now)
        return measured is None or measured.queue_s > BEGUN_S

    def remb(self, bitrate_bps: int, now: float) -> None:
        """The viewer's claim; counted as clamped when it is absurd."""
        before, self._remb_bps = self._remb_bps, max(MIN_BPS, min(bitrate_bps, MAX_BPS))
        self._remb_rises = self._remb_bps > before
        self.clamped += self._remb_bps != bitrate_bps
        self._remb_at = now

    def report(self, fraction_lost: int, rtt_s: float | None, now: float) -> None:
        """A report block (`fraction_lost` in 1/256); a round trip outside 0–10 s is not believed."""
        self.loss = fraction_lost / 256
        self._reported_at = now
        if rtt_s is not None and 0 <= rtt_s <= 10:
            self._rtt_last_s = rtt_s
            self._rtt_floor_s = min(self._rtt_floor_s, rtt_s)
            self.rtt_s = rtt_s if self.rtt_s is None else self.rtt_s + (rtt_s - self.rtt_s) / 8

    def _claims(self, now: float) -> bool:
        return now - self._remb_at < REMB_LIFETIME_S

    def troubled(self, sent_bps: float, since: float, alone_since: float, now: float) -> bool:
        """Whether what was reported after `since` says that `sent_bps` is too much; a claim that nothing else
        supports counts from `alone_since` on.
        """
        if (measured := self.measured(now)) is not None:
            return measured.troubled_at > since
        if self._reported_at > since and self.loss is not None and self.loss > HIGH_LOSS:
            return True
        strained = self._strained()
        if self._remb_rises and not strained:
            return False  # still on its way up to what it is sent
        slack, since = (CLAIM_SLACK, since) if strained else (CLAIM_SLACK_ALONE, alone_since)
        return self._remb_at > since and self._claims(now) and self._remb_bps < sent_bps * slack

    def _strained(self) -> bool:
        lossy = self.loss is not None and self.loss > LOW_LOSS
        return lossy or self._rtt_last_s > self._rtt_floor_s + QUEUE_S

    def clean(self, now: float) -> bool:
        """Whether nothing speaks against trying more; a viewer that does not report is taken at its word."""
        if (measured := self.measured(now)) is not None:
            return measured.is_clean()
        return self.loss is None or self.loss <= LOW_LOSS or now - self._reported_at > REMB_LIFETIME_S

    def ceiling_bps(self, sent_bps: float, now: float) -> float:
        """More than this the viewer says that it cannot take; infinite where its claim only mirrors what
        it is sent.
        """
        if self.measured(now) is not None:
            return float("inf")  # found out by probing
        known = self._claims(now) and self._remb_bps > sent_bps * APPLICATION_LIMITED
        return self._remb_bps if known else float("inf")

    def allowed_bps(self, sent_bps: float, now: float) -> int:
        """Upper bound for a layer: what was measured, else the claim while fresh, and less than is sent now
        under high loss.
        """
        measured = self.measured(now)
        if measured is not None and measured.capacity_bps is not None:
            if now - measured.troubled_at < CAPACITY_LIFETIME_S:
                return max(MIN_BPS, int(measured.capacity_bps * CAPACITY_SHARE))
            return MAX_BPS
        allowed = self._remb_bps if self._claims(now) else MAX_BPS
        if self.loss is not None and self.loss > HIGH_LOSS:
            allowed = min(allowed, int(sent_bps * (1 - self.loss / 2)))
        return max(MIN_BPS, allowed)
