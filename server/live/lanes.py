"""Writing one frame to many viewers without letting anything wait: three lanes, in chunks.

The same bytes go to every transport. After each chunk the event loop gets its turn, and the more urgent lane
is looked at first; so a flash price overtakes a tick that is half written, and a purchase waits for one chunk
at most. Within a lane frames leave in the order they came, to the seats that existed when they came.
"""

from collections import deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, Protocol

CHUNK_WRITES: Final = 256  # about 2 ms of writing: long enough to be efficient, short enough to wait for


class Sink(Protocol):
    """Takes bytes without waiting: a transport's `write`."""

    def __call__(self, data: bytes, /) -> object:
        """Take `data`."""
        ...


class Lane(IntEnum):
    """Smaller leaves first."""

    URGENT = 0  # public log entries: prices, pins, state, moderation; sold out
    LATEST = 1  # only the newest of a kind counts: stock, clock
    TICK = 2  # viewers, reactions, chat


def nowhere(_frame: bytes, /) -> None:
    """What a seat that was given up writes to."""


class Seat:
    """A place among the writers. Given up once, for good: a viewer that comes back takes another.

    So a frame that was queued before a viewer fell behind can never reach it after the snapshot that replaced
    it.
    """

    __slots__ = ("write",)

    def __init__(self, write: Sink) -> None:
        self.write = write

    def give_up(self) -> None:
        """Write nothing any more, whatever is still queued for this seat."""
        self.write = nowhere


class _Job:
    __slots__ = ("at", "frame", "seats")

    def __init__(self, frame: bytes, seats: list[Seat]) -> None:
        self.frame = frame
        self.seats = seats
        self.at = 0


class Lanes:
    """The queues of one show. `schedule` runs a callable once, soon (`loop.call_soon`).

    Bounds are the caller's: it pushes to LATEST and TICK only while they are not `busy`, and watches
    `urgent_backlog`.
    """

    def __init__(self, schedule: Callable[[Callable[[], None]], object]) -> None:
        self._schedule = schedule
        self._queues: tuple[deque[_Job], ...] = tuple(deque() for _ in Lane)
        self._scheduled = False
        self.deliveries = 0

    @property
    def urgent_backlog(self) -> int:
        """Frames that have not reached every seat yet."""
        return len(self._queues[Lane.URGENT])

    def busy(self, lane: Lane) -> bool:
        """True while a frame of `lane` has not reached every seat."""
        return bool(self._queues[lane])

    def push(self, lane: Lane, frame: bytes, seats: Iterable[Seat]) -> None:
        """Queue `frame` for `seats` as they are now; the first chunk is written at once when nothing
        waits.
        """
        self._queues[lane].append(_Job(frame, list(seats)))
        if not self._scheduled:
            self._turn()

    def clear(self) -> None:
        """Forget all that is queued."""
        for queue in self._queues:
            queue.clear()

    def _turn(self) -> None:
        self._scheduled = True  # writing may call back into push: it must queue, not write out of order
        left = CHUNK_WRITES
        while left > 0:
            queue = next((queue for queue in self._queues if queue), None)
            if queue is None:
                self._scheduled = False
                return
            left -= self._write_some(queue, left)
        self._schedule(self._turn)

    def _write_some(self, queue: deque[_Job], limit: int) -> int:
        job = queue[0]
        frame, part = job.frame, job.seats[job.at : job.at + limit]
        for seat in part:
            try:
                seat.write(frame)
            except RuntimeError:  # uvloop: the peer is gone and `connection_lost` is still to come
                seat.give_up()
        job.at += len(part)
        self.deliveries += len(part)
        if job.at >= len(job.seats):
            queue.popleft()
        return len(part)
