"""Tokens that were taken back: every worker knows the whole list, at most half a second late.

The list is small (tokens revoked by hand), so each worker keeps a copy and asks twice a second whether its
version has moved on. That loses nothing over a broken connection, unlike a publication, and makes the check
of a request a look-up in a set. A worker whose store does not answer goes on with what it knows; buying
needs the store anyway.

Erased subjects stand in the list as a keyed hash, with their pid: tokens of such a subject are over that were
issued before, or do not say when.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Final, cast

from server.store.outcome import StoreError
from server.store.store import Store
from server.telemetry import get_logger

TOKENS_KEY: Final = "ls:{revoked}:tokens"  # ZSET jti → ms until which it is kept
SUBJECTS_KEY: Final = "ls:{revoked}:subjects"  # ZSET "<keyed hash of an erased subject> <pid>" → ms as above
VERSION_KEY: Final = "ls:{revoked}:version"  # counts changes of both
POLL_S: Final = 0.4  # with a round trip it stays below the promised second
KEPT_MS: Final = 400 * 86_400_000  # longer than any token that `vendue token` gives out
_SUBJECT_CONTEXT: Final = b"vendue erased subjects v1"

log = get_logger(__name__)


class Revocations:
    """See the module.

    ``on_revoked`` is called once in this process for each token that is new in the list, ``on_erased`` for
    each pid.
    """

    def __init__(
        self,
        store: Store,
        secret: str,
        on_revoked: Callable[[str], None] = lambda _jti: None,
        on_erased: Callable[[str], None] = lambda _pid: None,
    ) -> None:
        self._store = store
        self._key = hmac.digest(secret.encode(), _SUBJECT_CONTEXT, "sha256")
        self._on_revoked, self._on_erased = on_revoked, on_erased
        self._version: bytes | None = b"never read"
        self._revoked: frozenset[str] = frozenset()  # jtis, and pids of erased people
        self._erased_ms: dict[str, int] = {}  # keyed hash of a subject → when

    def is_revoked(self, jti_or_pid: str) -> bool:
        """Tell whether the token with this ``jti`` was taken back, or this pid erased, as far as this worker
        knows.
        """
        return jti_or_pid in self._revoked

    def is_erased(self, subject: str, issued_s: int) -> bool:
        """Tell whether a token for ``subject`` that was issued then (0: who knows) is over by an erasure."""
        if not self._erased_ms:
            return False
        return issued_s * 1000 <= self._erased_ms.get(self._print(subject), -1)

    async def end_subject(self, subject: str, pid: str, now_ms: int) -> None:
        """End all tokens that ``subject`` has so far, and whatever runs under ``pid`` ('' none), everywhere.

        Idempotent. Raises redis.RedisError when the store does not answer.
        """
        async with self._store.redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(SUBJECTS_KEY, "-inf", now_ms)
            pipeline.zadd(SUBJECTS_KEY, {f"{self._print(subject)} {pid}": now_ms + KEPT_MS})
            pipeline.incr(VERSION_KEY)
            await pipeline.execute()
        await self.refresh()

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
        rows = await self._store.reads.call("ZRANGE", SUBJECTS_KEY, 0, -1, "WITHSCORES")
        erased: dict[str, int] = {}
        pids: set[str] = set()
        flat = cast("list[bytes]", rows)
        for member, score in zip(flat[::2], flat[1::2], strict=True):
            subject, _, pid = member.decode().partition(" ")
            erased[subject] = max(int(score) - KEPT_MS, erased.get(subject, 0))
            pids |= {pid} - {""}
        revoked = frozenset(member.decode() for member in members) | pids
        new, self._revoked, self._version = revoked - self._revoked, revoked, version
        self._erased_ms = erased
        for ended in new:
            (self._on_erased if ended in pids else self._on_revoked)(ended)

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

    def _print(self, subject: str) -> str:
        return hmac.digest(self._key, subject.encode(), "sha256")[:16].hex()
