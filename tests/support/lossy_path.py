"""A seeded network path: loss, jitter, reordering and duplicates, in virtual time."""

import heapq
import random


class LossyPath:
    """Packets go in with a time and come out later, or never."""

    def __init__(
        self,
        rng: random.Random,
        *,
        loss: float = 0.0,
        delay_s: float = 0.02,
        jitter_s: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        self._rng = rng
        self._loss = loss
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._duplicate = duplicate
        self._queue: list[tuple[float, int, bytes]] = []
        self._count = 0

    def put(self, packet: bytes, now: float) -> None:
        """Send a packet."""
        copies = 2 if self._rng.random() < self._duplicate else 1
        for _ in range(copies):
            if self._rng.random() >= self._loss:
                at = now + self._delay_s + self._rng.random() * self._jitter_s
                self._count += 1
                heapq.heappush(self._queue, (at, self._count, packet))

    def next_at(self) -> float | None:
        """When the next packet arrives."""
        return self._queue[0][0] if self._queue else None

    def take(self, now: float) -> list[bytes]:
        """What has arrived by now."""
        arrived: list[bytes] = []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(heapq.heappop(self._queue)[2])
        return arrived
