"""Erasing a person: the mapping from subject to pid and the key of their texts go, and their tokens end.

What the log says of the pid stays, hashed and sealed as it was; nobody can tell any more whose it was, nor
read what was written about it. The steps may be repeated and a crash between them is mended by asking again:
the mapping, by which everything else is found, goes last. What is deleted here is still in the store's
append-only file until that is rewritten, so a rewrite is asked for until one has begun after the deletion.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, cast

from redis.exceptions import RedisError

from server.live.revocations import Revocations
from server.log.clock import DIRECTORY_KEY
from server.store.outcome import StoreError, StoreReplyError
from server.store.pids import Pids
from server.store.private_text import KEYS_KEY
from server.store.store import Store
from server.telemetry import FloodLog, get_logger

REWRITE_KEY: Final = "ls:{revoked}:rewrite"
"""Set from an erasure until the append-only file's rewrite has begun."""
REWRITE_CHECK_S: Final = 1.0
AT_ONCE: Final = 16  # shows looked through side by side


class Erasure:
    """See the module. One per process; run `run()` as a task."""

    def __init__(self, store: Store, pids: Pids, revocations: Revocations, now_ms: Callable[[], int]) -> None:
        self._store, self._pids, self._revocations, self._now_ms = store, pids, revocations, now_ms
        self._flood = FloodLog(get_logger(__name__))

    async def erase(self, subject: str) -> None:
        """Erase who `subject` stands for. Idempotent. Raises StoreError, redis.RedisError."""
        pid = await self._pids.find(subject)
        await self._revocations.end_subject(subject, pid or "", self._now_ms())
        if pid is not None:
            await self._unsay(pid)
            await self._store.writes.call("HDEL", KEYS_KEY, pid)
        await self._store.writes.call("SET", REWRITE_KEY, "1")
        await self._pids.erase(subject)

    async def erase_pid(self, pid: str) -> None:
        """The same by a pid out of the log, whosoever it is: looks through all mappings, so for admins."""
        await self.erase(await self._pids.subject_of(pid))

    async def run(self) -> None:
        """Have the append-only file rewritten after erasures, for ever."""
        while True:
            try:
                if await self._store.reads.call("GET", REWRITE_KEY) is not None:
                    await self._rewrite()
            except (StoreError, RedisError) as error:
                self._flood.warning("rewrite_failed", time.monotonic(), error=type(error).__name__)
            await asyncio.sleep(REWRITE_CHECK_S)

    async def _rewrite(self) -> None:
        """A rewrite that had begun before the deletion does not count: then it is asked for again."""
        try:
            await asyncio.gather(*(node.call("BGREWRITEAOF") for node in self._store.writes.all()))
        except StoreReplyError as error:
            if "already in progress" not in str(error):  # not permitted to us: its operator has to
                self._flood.warning("rewrite_refused", time.monotonic(), error=str(error))
            return
        await self._store.writes.call("DEL", REWRITE_KEY)

    async def _unsay(self, pid: str) -> None:
        """Delete the person's lines from the chat of all shows."""
        shows = cast("list[bytes]", await self._store.reads.call("ZRANGE", DIRECTORY_KEY, 0, -1))
        for first in range(0, len(shows), AT_ONCE):
            batch = (raw.decode() for raw in shows[first : first + AT_ONCE])
            await asyncio.gather(*(self._store.scripts.run("unsay", show, "", "", pid) for show in batch))
