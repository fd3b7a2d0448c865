"""Tokens that were taken back: every worker knows the whole list, at most half a second late.

The list is small (tokens revoked by hand), so each worker keeps a copy and asks twice a second whether its
version has moved on. That loses nothing over a broken connection, unlike a publication, and makes the check
of a request a look-up in a set. A worker whose store does not answer goes on with what it knows; buying
needs the store anyway.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import get_logger

TOKENS_KEY: Final = "ls:{revoked}:tokens"  # ZSET jti → ms until which it is kept
VERSION_KEY: Final = "ls:{revoked}:version"  # counts changes of the list
POLL_S: Final = 0.4  # with a round trip it stays below the promised second
KEPT_MS: Final = 400 * 86_400_000  # longer than any token that `vendue token` gives out

log = get_logger(__name__)


class Revocations:
    """See the module.

    ``on_revoked`` is called once in this process for each token that is new in the list.
    """

    def __init__(self, store: Store, on_revoked: Callable[[str], None] = lambda _jti: None) -> None:
        self._store = store
        self._on_revoked = on_revoked
        self._version: bytes | None = b"never read"
        self._revoked: frozenset[str] = frozenset()

    def is_revoked(self, jti: str) -> bool:
        """Tell whether the token with this ``jti`` was taken back, as far as this worker knows."""
        return jti in self._revoked

    async def revoke(self, jti: str, now_ms: int) -> None:
        """Take a token back everywhere.

        Idempotent. Raises redis.RedisError when the store does not answer.
        """
        async with self._store.redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(TOKENS_KEY, "-inf", now_ms)
            pipeline.zadd(TOKENS_KEY, {jti: now_ms + KEPT_MS})
            pipeline.incr(VERSION_KEY)
            await pipeline.execute()
        await self.refresh()

    async def refresh(self) -> None:
        """Read the list when its version has moved. Raises StoreError."""
        version = cast("bytes | None", await self._store.reads.call("GET", VERSION_KEY))
        if version == self._version:
            return
        members = cast("list[bytes]", await self._store.reads.call("ZRANGE", TOKENS_KEY, 0, -1))
        revoked = frozenset(member.decode() for member in members)
        new, self._revoked, self._version = revoked - self._revoked, revoked, version
        for jti in new:
            self._on_revoked(jti)

    async def run(self) -> None:
        """Keep the list fresh until cancelled."""
        answering = True
        while True:
            try:
                await self.refresh()
                answering = True
            except StoreError:
                if answering:
                    log.warning("revocations_not_read")
                answering = False
            await asyncio.sleep(POLL_S)
