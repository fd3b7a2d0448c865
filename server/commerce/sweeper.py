"""The sweeper writes what time alone has brought about: due holds expire, flash windows get their notice.

Any number of sweepers may run, one in each web worker: the script looks at the clock and writes each thing
once. Nothing depends on its punctuality but the display, since every check counts a due hold as free by
itself. It walks the directory of shows and forgets a show that is over and has nothing outstanding. What it
finds unfinished with the gateway goes to `on_unfinished`, and draws that are closed are drawn; now and then
it repairs the index of buyers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from server.commerce.ledger import Ledger, Swept
from server.store.outcome import Refused, StoreError
from server.store.store import Store
from server.telemetry import FloodLog, counter, get_logger

INTERVAL_S: Final = 0.5  # what is due shows within a second, also when a round takes its time
REPAIR_ROUNDS: Final = 30  # a repair of the buyers' index every 15 s
AT_ONCE: Final = 64  # shows swept side by side: the store is for buyers first
_EXPIRED: Final = counter("holds_expired", "Holds that this process wrote off as due")

OnUnfinished = Callable[[str, Swept], None]
Award = Callable[[str, str], Awaitable[object]]
"""Draws a draw (show, id)."""


class Sweeper:
    """See the module. Run `run()` as a task; the owner cancels it."""

    def __init__(self, store: Store, ledger: Ledger, on_unfinished: OnUnfinished, award: Award) -> None:
        self._store, self._ledger, self._on_unfinished, self._award = store, ledger, on_unfinished, award
        self._quiet: set[str] = set()
        self._flood = FloodLog(get_logger(__name__))

    async def run(self) -> None:
        """Sweep for ever; a store that does not answer is tried again the next time."""
        rounds = 0
        while True:
            rounds += 1
            try:
                await self.sweep(repair=rounds % REPAIR_ROUNDS == 1)
            except StoreError as error:
                self._flood.warning("sweep_failed", time.monotonic(), error=type(error).__name__)
            await asyncio.sleep(INTERVAL_S)

    async def sweep(self, *, repair: bool = False) -> int:
        """One round over all shows that may have something due. Returns how many holds expired."""
        directory = cast("Sequence[bytes]", await self._store.reads.call("ZRANGE", "ls:shows", 0, -1))
        shows = [show for raw in directory if (show := raw.decode()) not in self._quiet]
        expired = 0
        for first in range(0, len(shows), AT_ONCE):
            batch = shows[first : first + AT_ONCE]
            expired += sum(await asyncio.gather(*(self._sweep_show(show, repair=repair) for show in batch)))
        _EXPIRED.inc(expired)
        return expired

    async def _sweep_show(self, show: str, *, repair: bool) -> int:
        swept = await self._ledger.expire_due(show)
        if isinstance(swept, Refused):
            return 0
        if swept.attempts or swept.refunds:
            self._on_unfinished(show, swept)
        for draw in swept.draws:
            await self._award(show, draw)
        if repair or swept.quiet:
            await self._ledger.buyers.repair(show)
        if swept.quiet:
            self._quiet.add(show)
        return swept.expired
