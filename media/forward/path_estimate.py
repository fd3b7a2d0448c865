"""What a viewer's path does to the packets that are sent over it: from transport-wide feedback. Pure.

What a packet took longer than the quickest of the last seconds is the queue before it (`Acked`). While a
queue stands, the path carries all that it can: what arrives then is its capacity. No model of a sender is
needed for that, and a path that merely jitters or loses at random has no standing queue.
"""

from collections import deque

from media.kernel import Acked

WINDOW_S = 0.5
"""Arrivals are summed over this time: about fifteen frames."""
QUEUE_S = 0.08
"""A standing queue: the least that a message's packets met. Wi-Fi retries and 4G slots stay below."""
STANDING_S = 0.15
"""A queue that stood for so long is no burst."""
DRAINS = 0.97
"""A queue that is smaller than this part of what it was half a second before is on its way to be empty."""
BEGUN_S = 0.05
"""Something of a queue: it ends a probe at once, and makes loss suspicious. Jitter alone stays below."""
EMPTY_S = 0.03
"""A queue below counts as none."""
LOSS_ALONE = 0.15
"""So much loss is trouble without a queue, too: a policer drops instead of queueing."""
LOSS_QUEUED = 0.08
"""So much loss is trouble where there is something of a queue."""
LOSS_CLEAN = 0.05
MIN_PACKETS = 20
"""Fewer packets in a window say nothing of loss."""
FRESH_S = 2.0
"""Feedback older than this says nothing of now."""


class PathEstimate:
    """One viewer's path. `now` is monotonic seconds and never runs back."""

    __slots__ = (
        "_lost",
        "_messages",
        "_octets",
        "_queued_since",
        "_queues",
        "_received",
        "capacity_bps",
        "queue_s",
        "troubled_at",
        "updated_at",
    )

    def __init__(self) -> None:
        self.queue_s = 0.0
        self.capacity_bps: float | None = None
        """What the path carried while a queue stood, the last time that one did."""
        self.troubled_at = self.updated_at = float("-inf")
        self._queued_since: float | None = None
        self._messages: deque[tuple[float, int, int, int, int]] = deque()
        self._queues: deque[tuple[float, float]] = deque()
        self._octets = self._received = self._lost = 0

    def acknowledged(self, acked: Acked, now: float) -> None:
        """A feedback message came. What it claims costs nobody but who sent it."""
        if not acked.received and not acked.lost:
            return
        self.updated_at = now
        self._note(acked, now)
        if acked.received:
            self._note_queue(acked.queue_us / 1e6, now)
        if self._is_troubled(now):
            self.troubled_at = now
            self.capacity_bps = self.delivered_bps

    def _note(self, acked: Acked, now: float) -> None:
        self._messages.append((now, acked.arrived_us, acked.octets, acked.received, acked.lost))
        self._octets += acked.octets
        self._received += acked.received
        self._lost += acked.lost
        while self._messages[0][0] < now - WINDOW_S:
            _, _, octets, received, lost = self._messages.popleft()
            self._octets -= octets
            self._received -= received
            self._lost -= lost

    def _note_queue(self, queue_s: float, now: float) -> None:
        self.queue_s = queue_s
        self._queues.append((now, self.queue_s))
        while self._queues[0][0] < now - WINDOW_S:
            self._queues.popleft()
        if self.queue_s < QUEUE_S:
            self._queued_since = None
        elif self._queued_since is None:
            self._queued_since = now

    def _is_troubled(self, now: float) -> bool:
        if self._queued_since is not None and now - self._queued_since >= STANDING_S:
            return self.queue_s >= self._queues[0][1] * DRAINS  # after a step down it empties: no trouble
        return self.loss > (LOSS_QUEUED if self.queue_s > BEGUN_S else LOSS_ALONE)

    @property
    def loss(self) -> float:
        """Share of the packets of the last window that did not arrive; 0 while there are too few."""
        reported = self._received + self._lost
        return max(0, self._lost) / reported if reported >= MIN_PACKETS else 0.0

    @property
    def delivered_bps(self) -> float:
        """What arrived in the last window, by the viewer's clock where it tells more than one moment."""
        arrivals = [arrived for _, arrived, _, received, _ in self._messages if received]
        if len(arrivals) < 2:
            return self._octets * 8 / WINDOW_S
        span_s = max((arrivals[-1] - arrivals[0]) / 1e6, WINDOW_S / 4)
        first = next(octets for _, _, octets, received, _ in self._messages if received)
        return (self._octets - first) * 8 / span_s

    def is_fresh(self, now: float) -> bool:
        """Whether the viewer still reports."""
        return now - self.updated_at < FRESH_S

    def is_clean(self) -> bool:
        """Whether nothing speaks against trying more."""
        return self.queue_s < EMPTY_S and self.loss < LOSS_CLEAN
