"""The archiver: sees now and then whether a log has something to archive, and lets a child process do it.

A process of its own, because judging a hundred thousand entries takes seconds of a core that a web worker's
loop does not have. Any number of archivers may run: a lock in the show's directory lets one of them work.
"""

import asyncio
import sys
import time
from typing import Final, cast

from server.archiving import due
from server.children import Command
from server.log.clock import DIRECTORY_KEY
from server.settings import Settings
from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import FloodLog, get_logger

CHECK_S: Final = 60.0
CHILD_S: Final = 3600.0  # a million entries take minutes; a child that hangs is ended


class Archiver:
    """See the module. Run `run()` as a task; without an archive it does nothing."""

    def __init__(self, store: Store, settings: Settings, *, check_s: float = CHECK_S) -> None:
        self._store, self._settings, self._check_s = store, settings, check_s
        self._flood = FloodLog(get_logger(__name__))

    async def run(self) -> None:
        """Archive for ever; what fails is tried again the next time."""
        while True:
            await asyncio.sleep(self._check_s)
            if self._settings.archive_dir is None:
                continue
            try:
                if await self._is_due():
                    await self._let_a_child_do_it()
            except (StoreError, OSError, TimeoutError) as error:
                self._flood.warning("archive_failed", time.monotonic(), error=type(error).__name__)

    async def _is_due(self) -> bool:
        shows = cast("list[bytes]", await self._store.reads.call("ZRANGE", DIRECTORY_KEY, 0, -1))
        for raw in shows:
            if await due(self._store, raw.decode(), self._settings.archive):
                return True
        return False

    async def _let_a_child_do_it(self) -> None:
        command = Command(("server", "archive", "--from-parent"), self._settings)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command.words, stdin=asyncio.subprocess.PIPE, process_group=0
        )
        try:
            async with asyncio.timeout(CHILD_S):
                await process.communicate(command.stdin(0))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
