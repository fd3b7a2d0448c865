"""Which layer of a track a viewer should get. Pure; switching happens on keyframes only.

Down at once when the path is in trouble; up one layer after a clean while. What a path could carry beyond
what it is sent is only known by trying. A path that is measured is tried with a probe first: copies of what
it has had, as much as the next layer would add, which nobody misses when they are lost. Elsewhere the step up
is itself the attempt. One that fails doubles the wait before the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from media.forward.bandwidth import ViewerPath

CLEAN_S = 5.0
CLEAN_MAX_S = 60.0
FAILED_WITHIN_S = 10.0
"""Trouble this soon after a step up was caused by it."""
SETTLE_S = 1.0
"""What a viewer reports this soon after a step down is still about the layer that it left."""
RAMP_S = 5.0
"""A browser's claim is at most 1.5 times what it got before a step up, and takes seconds to follow."""
PROVEN_S = 30.0
"""Without trouble for so long, the next failure starts with the short wait again."""
START_BPS = 3_000_000
"""What a viewer is trusted with that was never in trouble: it need not wait."""
ROOM = 1.2
PROBE_ROOM = 1.1
FIT_SLACK = 0.9
"""A layer is kept while it has so much of what the picture shows: a window drawn larger by hand passes many
sizes, and each change of layer costs a keyframe for all.
"""
PROBE_S = 1.0
"""A queue of 100 ms shows within this time on a path that lacks a tenth."""


@dataclass(frozen=True, slots=True)
class Probe:
    """`extra_bps` beside what is sent, until `ends` (monotonic seconds)."""

    extra_bps: float
    ends: float


def choose(bitrates_bps: Mapping[str, float], allowed_bps: float, current: str | None) -> str | None:
    """The largest layer (rid) that fits, else the smallest; None when there is none.

    A step up needs 20 % of room, so that a layer at the edge does not swing.
    """
    if not bitrates_bps:
        return None
    ordered = sorted(bitrates_bps, key=lambda rid: bitrates_bps[rid])
    held_bps = bitrates_bps.get(current, 0.0) if current is not None else float("inf")
    best = ordered[0]
    for rid in ordered:
        room = ROOM if bitrates_bps[rid] > held_bps else 1.0
        if bitrates_bps[rid] * room <= allowed_bps:
            best = rid
    return best


def fitting(sizes: Mapping[str, tuple[int, int]], view: tuple[float, float], held: str | None) -> str:
    """The smallest layer that fills a box of `view` (width, height in pixels) with its picture whole, else
    the largest. `sizes` are in the order of their areas, at least one; `held` is the answer before.
    """
    for rid, (width, height) in sizes.items():
        if max(width / view[0], height / view[1]) >= (FIT_SLACK if rid == held else 1):
            return rid
    return list(sizes)[-1]


class LayerChoice:
    """One viewer's choice over time. `now` is monotonic seconds."""

    __slots__ = ("_clean_since", "_lowered_at", "_raised_at", "_trusted", "_wait_s", "probe")

    def __init__(self, now: float) -> None:
        self.probe: Probe | None = None
        """What is being tried; the owner sends it."""
        self._clean_since = now
        self._raised_at = self._lowered_at = float("-inf")
        self._wait_s = CLEAN_S
        self._trusted = True

    def decide(self, bitrates_bps: Mapping[str, float], current: str, path: ViewerPath, now: float) -> str:
        """The layer to be on. `bitrates_bps` are the layers that may be sent, `current` the one
        chosen last; there is at least one.
        """
        held_bps = bitrates_bps.get(current)
        if held_bps is None:  # the publisher has stopped it, or it is larger than the viewer shows
            self.probe = None
            self._lowered_at = now
            return choose(bitrates_bps, path.allowed_bps(START_BPS, now), None) or current
        since = max(self._lowered_at + SETTLE_S, self._raised_at)
        if self.probe is not None and path.resents_probe(now):
            return self._give_up_probe(current, now)
        if path.troubled(held_bps, since, max(since, self._raised_at + RAMP_S), now):
            return self._lower(bitrates_bps, current, path, now)
        if not path.clean(now):
            self._clean_since = now
        elif self._trusted:
            return self._trust(bitrates_bps, current, path.ceiling_bps(held_bps, now))
        if PROVEN_S < now - self._raised_at < float("inf"):
            self._wait_s = CLEAN_S
        return self._raise(bitrates_bps, current, path, now)

    @staticmethod
    def _trust(bitrates_bps: Mapping[str, float], current: str, ceiling_bps: float) -> str:
        chosen = choose(bitrates_bps, min(START_BPS, ceiling_bps), current) or current
        return chosen if bitrates_bps[chosen] > bitrates_bps[current] else current

    def _lower(self, bitrates_bps: Mapping[str, float], current: str, path: ViewerPath, now: float) -> str:
        self._clean_since = now
        self._trusted = False
        self.probe = None
        if now - self._raised_at < FAILED_WITHIN_S:
            self._wait_s = min(self._wait_s * 2, CLEAN_MAX_S)
            self._raised_at = float("-inf")
        held_bps = bitrates_bps[current]
        lower = {rid: rate for rid, rate in bitrates_bps.items() if rate < held_bps}
        chosen = choose(lower, path.allowed_bps(held_bps, now), None)
        if chosen is None:
            return current
        self._lowered_at = now
        return chosen

    def _raise(self, bitrates_bps: Mapping[str, float], current: str, path: ViewerPath, now: float) -> str:
        if now - self._clean_since < self._wait_s:
            return current
        held_bps = bitrates_bps[current]
        higher = [rid for rid, rate in bitrates_bps.items() if rate > held_bps]
        chosen = min(higher, key=lambda rid: bitrates_bps[rid], default=None)
        if chosen is None:
            self.probe = None  # what was tried is not to be had any more
        if chosen is None or bitrates_bps[chosen] * ROOM > path.ceiling_bps(held_bps, now):
            return current
        if self.probe is None and path.measured(now) is not None:
            extra_bps = bitrates_bps[chosen] * PROBE_ROOM - held_bps
            self.probe = Probe(extra_bps, now + PROBE_S)
        if self.probe is not None and now < self.probe.ends:
            return current
        self._clean_since = self._raised_at = now
        self.probe = None
        return chosen

    def _give_up_probe(self, current: str, now: float) -> str:
        """There is no room: what the probe has piled up drains before anything else is judged."""
        self.probe = None
        self._clean_since = self._lowered_at = now
        self._wait_s = min(self._wait_s * 2, CLEAN_MAX_S)
        return current
