"""In which shows a buyer has orders: a projection of the shows' logs, outside their slots.

A show keeps each buyer's orders itself (`by:<pid>`, written with the order). Which shows to ask is in
`ls:buyer:<pid>`, written beside a buyer's first order there without waiting, so it may be missing after a
crash; `repair` reads a show's log from where it last stopped (`ls:projected`) and writes what is missing.
Writing twice changes nothing.
"""

import asyncio
from typing import Any, Final, cast

from server.commerce.model_records import PLACED
from server.log import reader
from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import counter

ORDERS_MAX: Final = 100  # what one look at "my orders" shows
SHOWS_MAX: Final = 50  # the newest shows that it looks into
NOTED_MAX: Final = 100_000  # pairs remembered as written; then all are forgotten and written again
PAGE: Final = 500  # log entries read at a time by a repair
_CURSORS: Final = "ls:projected"
_MISSED: Final = counter("buyer_index_missed", "Index entries of buyers that could not be written at once")


class BuyerIndex:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: set[tuple[str, str]] = set()

    def note(self, pid: str, show: str, placed_at_ms: int) -> None:
        """This buyer has an order in this show.

        Leaves with the commands of this loop turn; waits for nothing.
        """
        if (pid, show) in self._noted:
            return
        if len(self._noted) >= NOTED_MAX:
            self._noted.clear()
        self._noted.add((pid, show))

        def look(written: "asyncio.Future[Any]") -> None:
            if not written.cancelled() and isinstance(written.exception(), StoreError):
                self._noted.discard((pid, show))
                _MISSED.inc()

        self._write(pid, show, placed_at_ms).add_done_callback(look)

    async def orders_of(self, pid: str) -> list[tuple[str, str]]:
        """(show, order) of the buyer's newest orders, newest first."""
        call = self._store.writes.call  # behind what this process has just noted
        shows = cast("list[bytes]", await call("ZREVRANGE", f"ls:buyer:{pid}", 0, SHOWS_MAX - 1))
        found: list[tuple[float, str, str]] = []
        for show in (raw.decode() for raw in shows):
            rows = await call("ZREVRANGE", f"ls:{{{show}}}:by:{pid}", 0, ORDERS_MAX - 1, "WITHSCORES")
            flat = cast("list[bytes]", rows)
            found += [(float(flat[i + 1]), show, flat[i].decode()) for i in range(0, len(flat), 2)]
        found.sort(key=lambda row: row[0], reverse=True)
        return [(show, order) for _, show, order in found[:ORDERS_MAX]]

    async def repair(self, show: str, *, pages: int = 20) -> int:
        """Index the buyers in the log since the last repair, at most `pages` pages.

        Returns how many it saw.
        """
        after = int(cast("bytes | None", await self._store.reads.call("HGET", _CURSORS, show)) or 0)
        seen = 0
        for _ in range(pages):
            entries = await reader.entries(self._store, show, after, PAGE)
            held = {entry.audience: entry.ts for entry in entries if entry.kind in PLACED}
            for audience, ts in held.items():
                await self._write(audience.removeprefix("subject:"), show, ts)
            seen += len(held)
            if entries:
                after = entries[-1].seq
                await self._store.writes.call("HSET", _CURSORS, show, after)
            if len(entries) < PAGE:
                break
        return seen

    def _write(self, pid: str, show: str, placed_at_ms: int) -> "asyncio.Future[Any]":
        return self._store.writes.call("ZADD", f"ls:buyer:{pid}", "GT", placed_at_ms, show)
