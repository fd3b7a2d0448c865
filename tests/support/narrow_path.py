"""A viewer behind a seeded bottleneck, in virtual time: a queue that drains at a rate, and its feedback."""

import random
from dataclasses import dataclass

from media.forward.twcc import ArrivalRecorder
from media.kernel.history import History
from media.rtp import feedback, header

FEEDBACK_S = 0.05
OVERHEAD_BYTES = 16 + 8 + 28
"""SRTP tag, header extension, IP and UDP."""


@dataclass
class Link:
    """What the path does; may be changed while it works."""

    rate_bps: float = 50e6
    queue_octets: int = 64_000
    delay_s: float = 0.02
    jitter_s: float = 0.0
    loss: float = 0.0


class NarrowPath:
    """From the relay to one viewer and back. `tell()` gives the feedback of the last 50 ms as RTCP."""

    def __init__(self, seed: int, link: Link, clock_offset_s: float = 5_000.0) -> None:
        self.link = link
        self.history = History()
        self.arrived: list[tuple[float, bytes]] = []
        self.dropped = 0
        self._rng = random.Random(seed)
        self._recorder = ArrivalRecorder()
        self._offset_s = clock_offset_s
        self._free_at = 0.0
        self._on_the_way: list[tuple[float, int, bytes]] = []
        self._told_at = self._last_at = 0.0

    def send(self, packet: bytes, now: float) -> None:
        """One packet leaves the relay."""
        number = self.history.note(len(packet), round(now * 1e6))
        size = len(packet) + OVERHEAD_BYTES
        start = max(now, self._free_at)
        full = (start - now) * self.link.rate_bps / 8 > self.link.queue_octets
        if full or self._rng.random() < self.link.loss:
            self.dropped += 1
            return
        self._free_at = start + size * 8 / self.link.rate_bps
        at = self._free_at + self.link.delay_s + self._rng.random() * self.link.jitter_s
        at = self._last_at = max(at, self._last_at)  # late, but not out of order
        self._on_the_way.append((at, number, packet))

    def tell(self, now: float) -> list[bytes]:
        """Feedback, as often as a browser gives it."""
        came = sorted(item for item in self._on_the_way if item[0] <= now)
        self._on_the_way = [item for item in self._on_the_way if item[0] > now]
        for at, number, packet in came:
            self.arrived.append((at, packet))
            self._recorder.received(number, at + self._offset_s)
        if now - self._told_at < FEEDBACK_S:
            return []
        self._told_at = now
        return [feedback.write_transport(9, 1, report) for report in self._recorder.reports()]

    def frames(self, ssrc: int, packets: int) -> list[float]:
        """When each frame of so many packets on this SSRC was whole."""
        whole: dict[int, tuple[int, float]] = {}
        for at, packet in self.arrived:
            head = header.parse(packet)
            if head.ssrc == ssrc:
                count, latest = whole.get(head.timestamp, (0, 0.0))
                whole[head.timestamp] = (count + 1, max(latest, at))
        return sorted(latest for count, latest in whole.values() if count >= packets)
