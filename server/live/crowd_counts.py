"""Numbers that are never log entries: how many watch, and what they tap. Summed per process, sent between
workers.

Pure. There are no join or leave messages: with 10,000 viewers those alone would be the load.
"""

from collections import deque
from typing import Any

import msgspec

from server.live.limits import HEADCOUNT_TTL_MS


class WorkerCounts(msgspec.Struct, frozen=True):
    """What one worker tells the others about one show; `reactions` are those since its last message."""

    worker: str
    viewers: int
    reactions: dict[str, int] = {}


def encode_counts(counts: WorkerCounts) -> bytes:
    """The JSON that follows the `V` on the show's feed."""
    return msgspec.json.encode(counts)


def decode_counts(data: bytes) -> WorkerCounts | None:
    """The counts, or None for bytes that no worker of ours wrote."""
    try:
        return msgspec.json.decode(data, type=WorkerCounts)
    except msgspec.DecodeError:
        return None


class Headcount:
    """The viewers of a show over all workers; a worker that falls silent stops counting."""

    def __init__(self) -> None:
        self._others: dict[str, tuple[int, int]] = {}

    def note(self, worker: str, viewers: int, now_ms: int) -> None:
        """Take another worker's count."""
        self._others[worker] = (viewers, now_ms + HEADCOUNT_TTL_MS)

    def total(self, here: int, now_ms: int) -> int:
        """This worker's `here` and what the others said lately."""
        for worker in [name for name, (_, until_ms) in self._others.items() if until_ms <= now_ms]:
            del self._others[worker]
        return here + sum(viewers for viewers, _ in self._others.values())


class LastMinute:
    """A sum over the last sixty seconds, kept by the second."""

    def __init__(self) -> None:
        self._by_s: deque[tuple[int, int]] = deque()

    def add(self, n: int, now_ms: int) -> None:
        """Count `n` at this time; times never run back."""
        now_s = now_ms // 1_000
        if self._by_s and self._by_s[-1][0] == now_s:
            n += self._by_s.pop()[1]
        self._by_s.append((now_s, n))
        self._forget(now_s)

    def total(self, now_ms: int) -> int:
        """What was counted in the last minute."""
        self._forget(now_ms // 1_000)
        return sum(n for _, n in self._by_s)

    def _forget(self, now_s: int) -> None:
        while self._by_s and self._by_s[0][0] <= now_s - 60:
            self._by_s.popleft()


class Tally:
    """A sum by kind, taken and emptied at once."""

    def __init__(self) -> None:
        self._counts: dict[Any, int] = {}

    def add(self, kind: str, n: int) -> None:
        """Count `n` of `kind`."""
        self._counts[kind] = self._counts.get(kind, 0) + n

    def take(self) -> dict[str, int]:
        """Everything since the last time."""
        counts, self._counts = self._counts, {}
        return counts
