"""Which orders a buyer has, over all shows: a projection of the shows' logs, outside their slots.

`ls:buyer:<pid>` is written beside an order, without waiting, so it may miss some after a crash; `repair`
reads a show's log from where it last stopped (`ls:projected`) and writes what is missing. Writing twice
changes nothing.
"""

import asyncio
from typing import Any, Final, cast

from server.log import reader
from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import counter

ORDERS_MAX: Final = 100  # what one look at "my orders" shows
PAGE: Final = 500  # log entries read at a time by a repair
_CURSORS: Final = "ls:projected"
_MISSED: Final = counter("buyer_index_missed", "Orders whose index entry could not be written at once")


class BuyerIndex:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, pid: str, show: str, order: str, placed_at_ms: int) -> None:
        """Remember a new order; leaves with the commands of this loop turn and waits for nothing."""
        self._write(pid, show, order, placed_at_ms).add_done_callback(_look)

    async def orders_of(self, pid: str) -> list[tuple[str, str]]:
        """(show, order) of the buyer's newest orders, newest first."""
        members = await self._store.writes.call("ZREVRANGE", f"ls:buyer:{pid}", 0, ORDERS_MAX - 1)
        pairs = (member.decode().partition(" ") for member in cast("list[bytes]", members))
        return [(show, order) for show, _, order in pairs]

    async def repair(self, show: str, *, pages: int = 20) -> int:
        """Index the orders in the log since the last repair, at most `pages` pages.

        Returns how many it saw.
        """
        after = int(cast("bytes | None", await self._store.reads.call("HGET", _CURSORS, show)) or 0)
        seen = 0
        for _ in range(pages):
            entries = await reader.entries(self._store, show, after, PAGE)
            held = [entry for entry in entries if entry.kind == "order.held"]
            for entry in held:
                order: dict[str, Any] = entry.body["order"]
                pid = entry.audience.removeprefix("subject:")
                await self._write(pid, show, order["id"], order["placed_at_ms"])
            seen += len(held)
            if entries:
                after = entries[-1].seq
                await self._store.writes.call("HSET", _CURSORS, show, after)
            if len(entries) < PAGE:
                break
        return seen

    def _write(self, pid: str, show: str, order: str, placed_at_ms: int) -> "asyncio.Future[Any]":
        return self._store.writes.call("ZADD", f"ls:buyer:{pid}", placed_at_ms, f"{show} {order}")


def _look(written: "asyncio.Future[Any]") -> None:
    if not written.cancelled() and isinstance(written.exception(), StoreError):
        _MISSED.inc()
