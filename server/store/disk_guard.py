"""Has the embedded store refuse writes before its disk is full.

A store that syncs before every answer ends when it cannot write, and ends again after every restart: then
nothing can be read either. So while less than a reserve is free it is told to want a replica (of which it has
none): every write is answered NOREPLICAS, before it has changed anything, and everything that only reads goes
on. With twice the reserve free it takes writes again.
"""

import asyncio
import os
from pathlib import Path
from typing import Final

from server.store.connection import ask
from server.store.outcome import StoreReplyError
from server.store.topology import Target
from server.telemetry import get_logger

RESERVE_BYTES: Final = 32 * 1024 * 1024
"""More than a second of the store at its quickest (10,000 orders of 2 KB), and room for its own log."""
LOOK_S: Final = 0.5
ASK_S: Final = 1.0

log = get_logger(__name__)


class DiskGuard:
    """See the module. Run `run()` as a task beside the store at `target`."""

    def __init__(self, data_dir: Path, target: Target, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._data_dir, self._target, self._reserve_bytes = data_dir, target, reserve_bytes
        self._refusing = False

    def has_room(self) -> bool:
        """May the store write?"""
        free_bytes = self._free_bytes()
        return free_bytes >= self._reserve_bytes * (2 if self._refusing else 1)

    async def room(self) -> None:
        """Wait until there is room."""
        while not self.has_room():  # noqa: ASYNC110 - nobody tells when a disk has room
            await asyncio.sleep(LOOK_S)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Have the store refuse, or take, writes; one that was started again is told again."""
        refuse = not self.has_room()
        if refuse == self._refusing and not refuse:
            return
        if refuse != self._refusing:
            free_mb = self._free_bytes() // 1_000_000
            (log.error if refuse else log.info)("disk_full" if refuse else "disk_has_room", free_mb=free_mb)
        self._refusing = refuse
        replicas = "1" if refuse else "0"
        try:
            await ask(self._target, "CONFIG", "SET", "min-replicas-to-write", replicas, timeout_s=ASK_S)
        except (OSError, TimeoutError, StoreReplyError) as error:
            log.warning("disk_guard_unheard", error=type(error).__name__)

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._data_dir)
        return disk.f_bavail * disk.f_frsize
