"""Looks for something again and again: once in a while, and soon after somebody has a suspicion."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from server.store.outcome import StoreUnavailable
from server.telemetry import FloodLog, end_tasks, get_logger, start_task

POLL_S: Final = 1.0
GAP_S: Final = 0.2
"""Between two looks, however much is suspected."""

log = get_logger(__name__)


class Lookout:
    """Calls `look`, which may raise StoreUnavailable, until `close`."""

    def __init__(self, look: Callable[[], Awaitable[object]], what: str) -> None:
        self._look, self._what = look, what
        self._suspected = asyncio.Event()
        self._flood = FloodLog(log)
        self._task = start_task(self._run(), what)

    def suspect(self) -> None:
        """Look soon."""
        self._suspected.set()

    async def close(self) -> None:
        """Stop."""
        await end_tasks(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(GAP_S)
            try:
                async with asyncio.timeout(POLL_S - GAP_S):
                    await self._suspected.wait()
            except TimeoutError:
                pass
            self._suspected.clear()
            try:
                await self._look()
            except StoreUnavailable:
                self._flood.warning("store_not_found", time.monotonic(), asked=self._what)
