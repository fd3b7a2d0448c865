"""One show as this worker shows it: its crowd, how viewers come in, and the timers that drive both.

Opened when the first viewer comes, closed by the hub a while after the last has gone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from server.live.admission import Admission
from server.live.commands import Commands
from server.live.crowd import CLOSE_BANNED, Crowd
from server.live.crowd_counts import WorkerCounts, encode_counts
from server.live.lanes import Lanes
from server.live.limits import (
    CATCH_UP_ENTRIES_MAX,
    CHAT_RECENT_LINES,
    HEADCOUNT_INTERVAL_MS,
    STUCK_S,
    Rates,
    tick_interval_ms,
)
from server.live.protocol import Decoded, Rejected
from server.live.recent_chat import recent_chat
from server.live.viewers import Viewer
from server.log import reader
from server.log.entries import Entry
from server.log.follower import Follower
from server.log.state import ShowSnapshot
from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import counter, get_logger, start_task

HOUSEKEEPING_S: Final = 1.0
COUNT_REPEAT_MS: Final = 1_000  # a count that did not change is repeated, or it would expire elsewhere
CLOSE_AUTH: Final = 4001
CLOSE_SLOW: Final = 4008

ReadLog = Callable[[str, int, int], Awaitable[list[Entry]]]
"""(show, after this seq, at most so many) → entries, oldest first."""

STUCK = counter("ws_stuck", "Viewers dropped because they read nothing for a while")
BEHIND = counter("ws_fell_behind", "Times that a viewer read too slowly and was taken off the writers")
BAD_FRAMES = counter("ws_bad_frames", "Text frames that were no command", ["code"])
UNKNOWN_FIELDS = counter("ws_unknown_fields", "Fields of commands that this server does not know")
log = get_logger(__name__)


class Showing:
    """See the module. Made by the hub; `await open()` once, `await close()` once."""

    def __init__(
        self,
        show: str,
        store: Store,
        follower: Follower,
        commands: Commands,
        *,
        worker: str,
        now_ms: Callable[[], int],
        rates: Rates,
        read: ReadLog,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.crowd = Crowd(show, Lanes(self._loop.call_soon), now_ms)
        self.idle_since: float | None = time.monotonic()
        self._show = show
        self._store = store
        self._read = read
        self._follower = follower
        self._commands = commands
        self._worker = worker
        self._now_ms = now_ms
        self._admission = Admission(
            self.crowd,
            read_snapshot=lambda: reader.snapshot(store, show),
            read_entries=lambda after_seq: read(show, after_seq, reader.ENTRIES_MAX),
            now_ms=now_ms,
            rates=rates,
        )
        self._opened = False
        self._early: list[Entry] = []
        self._stuck: dict[Viewer, float] = {}
        self._stock_timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._starting_over: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Follow the show and read what newcomers need. False: no such show. Raises StoreError."""
        snapshot = await self._follower.follow(self._show)
        if snapshot is None:
            return False
        after_seq = max(0, snapshot.seq - CATCH_UP_ENTRIES_MAX // 2)
        older = await self._read(self._show, after_seq, CATCH_UP_ENTRIES_MAX // 2)
        older = [entry for entry in older if entry.seq <= snapshot.seq]
        if older:
            self.crowd.start(snapshot.epoch, older[0].seq - 1, older[0].prev_public)
            self.crowd.preload(older)
        if self.crowd.history.head != snapshot.seq:  # trimmed, or nothing there yet
            self.crowd.start(snapshot.epoch, snapshot.seq, snapshot.public_seq)
        self.crowd.chat.preload(await recent_chat(self._store, self._show, CHAT_RECENT_LINES))
        self._admission.start_over(snapshot)
        self._opened = True
        early, self._early = self._early, []
        self.on_entries(early)
        self._tasks = [
            start_task(self._admission.run(), "admission"),
            start_task(self._tick_forever(), "tick"),
            start_task(self._count_forever(), "headcount"),
            start_task(self._keep_house(), "viewer housekeeping"),
        ]
        return True

    async def close(self) -> None:
        """Stop following; viewers that are left stay connected and hear nothing."""
        self._follower.unfollow(self._show)
        tasks = [*self._tasks, *([self._starting_over] if self._starting_over else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._stock_timer is not None:
            self._stock_timer.cancel()

    def stay_open(self) -> None:
        """Somebody is on the way in: begin to count idle time anew."""
        if self.idle_since is not None:
            self.idle_since = time.monotonic()

    # From sockets

    def enter(self, viewer: Viewer) -> None:
        """A connection has been upgraded."""
        self.idle_since = None
        self.crowd.add(viewer)
        if self.crowd.has_banned(viewer.holder.pid):  # since the door looked
            viewer.close(CLOSE_BANNED, "banned")
        self._admission.arrive(viewer)

    def leave(self, viewer: Viewer) -> None:
        """A connection is ending or has ended. May be called again."""
        self._stuck.pop(viewer, None)
        self.crowd.remove(viewer)
        if not self.crowd.viewers and self.idle_since is None:
            self.idle_since = time.monotonic()

    def fell_behind(self, viewer: Viewer) -> None:
        """The transport's buffer is full: nothing more is written, nothing is kept."""
        BEHIND.inc()
        self.crowd.unseat(viewer)
        self._stuck[viewer] = time.monotonic()

    def drained(self, viewer: Viewer) -> None:
        """The transport has caught up."""
        if self._stuck.pop(viewer, None) is not None:
            self._admission.arrive(viewer)

    def heard(self, viewer: Viewer, said: Decoded | Rejected) -> None:
        """A text frame came in."""
        if isinstance(said, Rejected):
            BAD_FRAMES.labels(code=said.code).inc()
            self._commands.refuse(self.crowd, viewer, said.code, said.message, cid=said.cid)
            return
        if said.unknown_fields:
            UNKNOWN_FIELDS.inc(said.unknown_fields)
        self._commands.handle(self.crowd, viewer, said.command)

    def refuse_rate(self, viewer: Viewer, wait_s: float) -> None:
        """A frame was dropped because there are too many of them."""
        self._commands.refuse(
            self.crowd, viewer, "rate_limited", "Too many frames", retry_after_ms=int(wait_s * 1_000) + 1
        )

    # From the log and the feed

    def on_entries(self, entries: list[Entry]) -> None:
        """The follower's next entries."""
        if not self._opened:
            self._early += entries
        elif not self.crowd.on_entries(entries):
            self._lost_the_thread()
        else:
            self._admission.moved_on()
            self._tell_stock()

    def on_chat(self, data: bytes) -> None:
        """A chat line that some worker published."""
        self.crowd.on_chat(data)

    def on_counts(self, data: bytes) -> None:
        """Viewer counts and reactions that some worker published."""
        self.crowd.on_counts(data, self._worker)

    def on_reset(self, snapshot: ShowSnapshot) -> None:
        """The log has a new epoch: a snapshot for everybody, then live again, from the snapshot's seq."""
        self._early.clear()
        if self._opened:
            self._start_at(snapshot)

    def forget(self, pid: str) -> None:
        """Close a person's connections. Kept frames may tell of them: returning viewers get none of those."""
        for viewer in self.crowd.of_pid(pid):
            viewer.close(CLOSE_AUTH, "erased")
        history = self.crowd.history
        history.start(history.head, history.public_head)

    def _lost_the_thread(self) -> None:
        """The entries do not fit, or the urgent lane is hopelessly behind: everybody needs a snapshot."""
        log.warning("crowd_starts_over", show=self._show)
        self._opened = False
        self._starting_over = start_task(self._start_over(), "start over")

    async def _start_over(self) -> None:
        snapshot = None
        while snapshot is None:
            try:
                snapshot = await reader.snapshot(self._store, self._show)
            except StoreError:
                await asyncio.sleep(HOUSEKEEPING_S / 2)
        self._start_at(snapshot)

    def _start_at(self, snapshot: ShowSnapshot) -> None:
        self.crowd.start(snapshot.epoch, snapshot.seq, snapshot.public_seq)
        self._admission.start_over(snapshot)
        self._opened = True
        early, self._early = self._early, []
        self.on_entries(early)

    # Timers

    def _tell_stock(self) -> None:
        if self._stock_timer is not None:
            self._stock_timer.cancel()
            self._stock_timer = None
        next_ms = self.crowd.tell_stock()
        if next_ms is not None:
            delay_s = max(next_ms - self._now_ms(), 1) / 1_000
            self._stock_timer = self._loop.call_later(delay_s, self._tell_stock)

    async def _tick_forever(self) -> None:
        while True:
            interval_ms = tick_interval_ms(len(self.crowd.viewers))
            await asyncio.sleep(interval_ms / 1_000)
            self.crowd.tick(interval_ms)

    async def _count_forever(self) -> None:
        """Tell all workers, this one too, what was tapped here and how many watch here."""
        told, told_ms = -1, 0
        while True:
            await asyncio.sleep(HEADCOUNT_INTERVAL_MS / 1_000)
            viewers, reactions, now_ms = len(self.crowd.viewers), self.crowd.taps.take(), self._now_ms()
            if not reactions and viewers == told and now_ms - told_ms < COUNT_REPEAT_MS:
                continue
            counts = encode_counts(WorkerCounts(self._worker, viewers, reactions))
            try:
                await self._store.reads.call("SPUBLISH", f"ls:{{{self._show}}}:feed", b"V" + counts)
                told, told_ms = viewers, now_ms
            except StoreError:  # a count; the next one comes soon
                log.debug("counts_not_published", show=self._show)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now, now_s = time.monotonic(), self._now_ms() // 1_000
            for viewer in [viewer for viewer, since in self._stuck.items() if now - since > STUCK_S]:
                STUCK.inc()
                viewer.close(CLOSE_SLOW, "slow")
            for viewer in [viewer for viewer in self.crowd.viewers if 0 < viewer.holder.token_exp_s <= now_s]:
                viewer.close(CLOSE_AUTH, "token expired")
