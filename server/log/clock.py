"""Server time: Redis TIME plus an offset, guarded against jumps of the store's clock.

Deadlines are judged in scripts by the store's clock, so a jump of that clock (an administrator, a failover to
a machine whose clock differs) would move them all. Each process compares TIME with its own monotonic clock
twice a second. Between two beats no live show's `ts` may pass the limit that the last beat set, so that a
jump forward is seen before it does harm; when one is seen, the offset takes it back, in `ls:clock` for new
shows and readers and in every show by script. A jump moves a deadline by at most LIMIT_MS. Slow drift and
steps below a second are followed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from server.store.outcome import StoreError
from server.store.resp import Reply
from server.store.store import Store
from server.telemetry import counter, end_tasks, get_logger, start_task

CLOCK_KEY: Final = "ls:clock"
DIRECTORY_KEY: Final = "ls:shows"
BEAT_S: Final = 0.5
LIMIT_MS: Final = 1500
"""Three beats: one may be lost and one late before a show's clock has to wait."""
STEP_MS: Final = 1000
SAME_OFFSET_MS: Final = 500
"""Offsets that several watchers computed for one jump differ by their round trips only."""
OPEN_EVERY_BEATS: Final = 10
SAMPLES: Final = 20

STEPS = counter("clock_steps", "Jumps of the store's clock that were taken back")
log = get_logger(__name__)


class ClockFilter:
    """The store's clock as seen from here: the offset of the sample with the shortest round trip. Pure.

    `now` and `offset_ms` relate monotonic seconds to ms of the store's TIME.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self.offset_ms = 0.0

    def add(self, sent: float, received: float, time_ms: float) -> float:
        """Take a sample: TIME answered `time_ms` between `sent` and `received` (monotonic s).

        Gives by how many ms the store's clock has jumped since the last sample, 0 when it has not.
        """
        rtt_ms = (received - sent) * 1000
        offset_ms = time_ms - (sent + received) * 500
        step_ms = offset_ms - self.offset_ms if self._samples else 0.0
        unsure_ms = (rtt_ms + min(self._samples, default=(0.0,))[0]) / 2
        jumped = abs(step_ms) > STEP_MS + unsure_ms
        if jumped:
            self._samples.clear()
        self._samples.append((rtt_ms, offset_ms))
        self.offset_ms = min(self._samples)[1]
        return step_ms if jumped else 0.0


class ServerClock:
    """One per process: `await start()`, then `now_ms()` is server time, and live shows are guarded."""

    def __init__(self, store: Store, *, now: Callable[[], float] = time.monotonic) -> None:
        self._store, self._now = store, now
        self._filter = ClockFilter()
        self._offset_ms = 0  # what is added to TIME
        self._open: list[str] = []
        self._beats = 0
        self._task: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        """Server time in ms."""
        return int(self.exact_ms())

    def exact_ms(self) -> float:
        """Server time in ms, with its fraction: for the media workers."""
        return self._now() * 1000 + self._filter.offset_ms + self._offset_ms

    def server_minus_monotonic_ms(self) -> float:
        """What to add to this machine's monotonic clock (ms) to get server time."""
        return self._filter.offset_ms + self._offset_ms

    async def start(self) -> None:
        """Take the first samples, let every live show's clock go on, and keep watching. Raises StoreError."""
        for _ in range(3):
            await self._sample()
        await self._find_open()
        await self._beat_all(self._open)
        self._task = start_task(self._run(), "clock")

    async def close(self) -> None:
        """Stop watching."""
        await end_tasks(self._task)

    async def beat(self) -> None:
        """One round: sample, take a jump back, confirm the live shows' clocks. Raises StoreError."""
        jumped = await self._sample()
        self._beats += 1
        if jumped:
            await self._beat_all(await self._all_shows())
        else:
            if self._beats % OPEN_EVERY_BEATS == 0:
                await self._find_open()
            await self._beat_all(self._open)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.beat()
            except StoreError:
                log.warning("clock_not_sampled")

    async def _sample(self) -> bool:
        sent = self._now()
        reads = self._store.reads
        asked = await asyncio.gather(reads.call("TIME"), reads.call("GET", CLOCK_KEY))
        received = self._now()
        seconds, microseconds = (int(part) for part in cast("list[bytes]", asked[0]))
        offset_ms = int(cast("bytes | None", asked[1]) or 0)
        step_ms = self._filter.add(sent, received, seconds * 1000 + microseconds / 1000)
        known_ms, self._offset_ms = self._offset_ms, offset_ms
        if not step_ms:
            return False
        STEPS.inc()
        log.warning("store_clock_jumped", by_ms=round(step_ms))
        if abs(offset_ms - known_ms) <= SAME_OFFSET_MS:  # else another watcher has already taken it back
            self._offset_ms = known_ms - round(step_ms)
            await self._store.writes.call("SET", CLOCK_KEY, self._offset_ms)
        return True

    async def _beat_all(self, shows: list[str]) -> None:
        limit_ms = self.now_ms() + LIMIT_MS
        calls = [self._store.scripts.run("clock", show, "", "", self._offset_ms, limit_ms) for show in shows]
        await asyncio.gather(*calls)

    async def _all_shows(self) -> list[str]:
        shows = await self._store.reads.call("ZRANGE", DIRECTORY_KEY, 0, -1)
        return [show.decode() for show in cast("list[bytes]", shows)]

    async def _find_open(self) -> None:
        shows = await self._all_shows()
        calls = [self._store.reads.call("HGET", f"ls:{{{show}}}:show", "state") for show in shows]
        states: list[Reply] = await asyncio.gather(*calls)
        self._open = [
            show for show, state in zip(shows, states, strict=True) if state in (b"live", b"paused")
        ]
