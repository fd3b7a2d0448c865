"""All shows of this worker: the follower's sink, and what the composition root talks to.

`Hub(…)`, then `Follower(store, hub)`, then `await hub.start(follower)`; `await hub.drain(…)` before a planned
stop and `await hub.close()` at the end.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Gauge

from server.live.chat import Chat
from server.live.commands import Commands, OnReport
from server.live.limits import Rates
from server.live.protocol import Measured
from server.live.showing import CLOSE_AUTH, ReadLog, Showing
from server.live.updates import Drain
from server.log import reader
from server.log.entries import Entry
from server.log.follower import Follower
from server.log.state import ShowSnapshot
from server.store.store import Store
from server.telemetry import gauge, start_task

IDLE_CLOSE_S: Final = 30.0  # long enough for a page that reloads
CLOSE_RESTART: Final = 1012
OPEN_S: Final = 5.0
DRAIN_FLUSH_S: Final = 2.0

VIEWERS: Final[Gauge] = gauge("ws_viewers", "Viewer connections of this worker")


def _no_report(_show: str, _pid: str, _report: Measured) -> None:
    """Without a taker reports are dropped."""


class Hub:
    """See the module. `now_ms` is server time; `worker` tells this process from the others of the fleet.

    `read` reads a show's log as people are told it.
    """

    def __init__(
        self,
        store: Store,
        *,
        now_ms: Callable[[], int],
        worker: str,
        on_report: OnReport = _no_report,
        rates: Rates | None = None,
        read: ReadLog | None = None,
    ) -> None:
        self.draining = False
        self._read = read or functools.partial(reader.entries, store)
        self._store = store
        self._now_ms = now_ms
        self._worker = worker
        self._rates = rates or Rates()
        self._commands = Commands(
            Chat(store, self._rates), self._rates, now_ms=now_ms, now=time.monotonic, on_report=on_report
        )
        self._follower: Follower | None = None
        self._shows: dict[str, Showing] = {}
        self._opening: dict[str, asyncio.Task[Showing | None]] = {}
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, follower: Follower) -> None:
        """Begin; `follower` has this hub as its sink and is started and closed by the caller."""
        self._follower = follower
        self._keeper = start_task(self._keep_house(), "hub housekeeping")

    async def open(self, show: str) -> Showing | None:
        """The show, followed from now on; None: no such show. Raises StoreError or TimeoutError."""
        opening = self._opening.get(show)
        showing = self._shows.get(show)
        if opening is None and showing is not None:
            showing.stay_open()
            return showing
        if opening is None:
            opening = self._opening[show] = asyncio.create_task(self._open(show), name=f"open {show}")
            opening.add_done_callback(lambda _: self._opening.pop(show, None))
        return await asyncio.shield(opening)

    async def drain(self, reconnect_after_ms: int) -> None:
        """Let nobody in any more, and tell all pages to come back after a while. Returns when they were
        told.
        """
        self.draining = True
        for showing in self._shows.values():
            showing.crowd.tell_all("drain", Drain(reconnect_after_ms))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_FLUSH_S):
                while any(showing.crowd.lanes.urgent_backlog for showing in self._shows.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close all connections (1012) and end all tasks."""
        self.draining = True
        for showing in self._shows.values():
            for viewer in list(showing.crowd.viewers):
                viewer.close(CLOSE_RESTART, "restart")
        tasks = [*self._opening.values(), *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._commands.close()
        for showing in list(self._shows.values()):
            await showing.close()
        self._shows.clear()

    def viewers(self, show: str) -> int:
        """How many watch this show, over all workers; 0 when nobody does here."""
        showing = self._shows.get(show)
        return showing.crowd.count() if showing is not None else 0

    def freezes_per_min(self, show: str) -> int:
        """How often the video stood still for this worker's viewers in the last minute, as their pages
        say.
        """
        showing = self._shows.get(show)
        return showing.crowd.freezes.total(self._now_ms()) if showing is not None else 0

    # From the follower

    def on_entries(self, show: str, entries: list[Entry]) -> None:
        """New entries, contiguous with those before."""
        showing = self._shows.get(show)
        if showing is not None:
            showing.on_entries(entries)

    def on_other(self, show: str, tag: str, data: bytes) -> None:
        """Chat or counts from the feed."""
        showing = self._shows.get(show)
        if showing is None:
            return
        if tag == "C":
            showing.on_chat(data)
        elif tag == "V":
            showing.on_counts(data)

    def on_reset(self, show: str, snapshot: ShowSnapshot) -> None:
        """What follows need not follow what was."""
        showing = self._shows.get(show)
        if showing is not None:
            showing.on_reset(snapshot)

    # From elsewhere in the process

    def on_clock(self, show: str, publication: str, rtp_timestamp: int, server_ms: int) -> None:
        """Media has mapped a frame of `publication` to server time."""
        showing = self._shows.get(show)
        if showing is not None:
            showing.crowd.on_clock(publication, rtp_timestamp, server_ms)

    def on_publisher_gone(self, show: str) -> None:
        """The publication is over: newcomers are not told its clock."""
        showing = self._shows.get(show)
        if showing is not None:
            showing.crowd.clock = None

    def on_revoked(self, jti: str) -> None:
        """A token was taken back: end what was opened with it."""
        for showing in self._shows.values():
            for viewer in [viewer for viewer in showing.crowd.viewers if viewer.holder.token_jti == jti]:
                viewer.close(CLOSE_AUTH, "token revoked")

    def on_erased(self, pid: str) -> None:
        """A person was erased: end their connections, and keep no frame that says something of them."""
        for showing in self._shows.values():
            showing.forget(pid)

    async def _open(self, show: str) -> Showing | None:
        assert self._follower is not None, "start() first"  # noqa: S101
        showing = Showing(
            show,
            self._store,
            self._follower,
            self._commands,
            worker=self._worker,
            now_ms=self._now_ms,
            rates=self._rates,
            read=self._read,
        )
        self._shows[show] = showing  # before it is open: what the feed brings meanwhile is kept
        opened = False
        try:
            async with asyncio.timeout(OPEN_S):
                opened = await showing.open()
        finally:
            if not opened:
                del self._shows[show]
                self._follower.unfollow(show)
        return showing if opened else None

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            VIEWERS.set(sum(len(showing.crowd.viewers) for showing in self._shows.values()))
            now = time.monotonic()
            idle = [
                show
                for show, showing in self._shows.items()
                if showing.idle_since is not None
                and now - showing.idle_since > IDLE_CLOSE_S
                and show not in self._opening
            ]
            for show in idle:
                await self._shows.pop(show).close()
