"""The `test` gateway: a stand-in for the outside world that moves no money.

A real gateway remembers attempts on its own side, whatever happens to our processes. So this one keeps its
records in the store under `ls:gateway:<key>`, beside the shows and never read by them: a reconciler in
another process finds after a crash what the first one had begun. Tokens: `tok_ok` is approved,
`tok_declined` declined, `tok_slow` approved after 3 s, `tok_error` gives no answer and turns out to be
declined. Anything else is declined as unknown.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Protocol, cast

import msgspec
from redis.exceptions import RedisError

from server.commerce.payments.gateway import Approved, Charge, Declined, GatewayUnknown, Outcome, Pending
from server.store.store import Store

SLOW_MS: Final = 3000
RECORD_TTL_S: Final = 90 * 86_400
_PREFIX: Final = "ls:gateway:"

_ABANDONED: Final = "never arrived"
_REASONS: Final = {"tok_declined": "card declined", "tok_error": "the bank gave no answer"}


@contextmanager
def _answering(key: str) -> Generator[None]:
    """A gateway whose memory is away gives no answer."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise GatewayUnknown(key) from error


class Records(Protocol):
    """The outside world's memory: what the gateway keeps of each attempt's key."""

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, record: bytes) -> None: ...
    async def put_first(self, key: str, record: bytes) -> bool:
        """False, and nothing written, when the key has a record."""
        ...


class StoreRecords:
    """Records in the store's own keys `ls:gateway:<key>`, for 90 days."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis

    async def get(self, key: str) -> bytes | None:
        with _answering(key):
            return cast("bytes | None", await self._redis.get(_PREFIX + key))

    async def put(self, key: str, record: bytes) -> None:
        with _answering(key):
            await self._redis.set(_PREFIX + key, record, ex=RECORD_TTL_S)

    async def put_first(self, key: str, record: bytes) -> bool:
        with _answering(key):
            return bool(await self._redis.set(_PREFIX + key, record, ex=RECORD_TTL_S, nx=True))


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """The gateway's own record of one key.

    `declined` holds the reason; empty means approved from `ready_at_ms` on.
    """

    amount_minor: int
    currency: str
    ready_at_ms: int
    declined: str = ""
    refunded_minor: int = 0


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class SandboxGateway:
    """Implements `Gateway`.

    `records` is the outside world's memory, `now_ms` its clock (wall, milliseconds).
    """

    def __init__(self, records: Records, now_ms: Callable[[], int] = _wall_ms) -> None:
        self._records = records
        self._now_ms = now_ms

    async def charge(self, charge: Charge) -> Outcome:
        """See `Gateway.charge`; waits for a slow attempt."""
        attempt = await self._claim(charge.key, self._decide(charge))
        if attempt.declined == _ABANDONED:
            return Declined(_ABANDONED)
        if (attempt.amount_minor, attempt.currency) != (charge.amount_minor, charge.currency):
            raise ValueError(f"{charge.key} was charged with another amount")
        if charge.token == "tok_error":  # noqa: S105 - a documented test token
            raise GatewayUnknown(charge.key)
        await asyncio.sleep(max(0, attempt.ready_at_ms - self._now_ms()) / 1000)
        return Declined(attempt.declined) if attempt.declined else Approved(f"test_{charge.key}")

    async def conclude(self, key: str) -> Outcome:
        """See `Gateway.conclude`."""
        return self._outcome(key, await self._claim(key, Attempt(0, "", 0, _ABANDONED)))

    async def refund(self, key: str, amount_minor: int) -> None:
        """See `Gateway.refund`; ValueError when nothing or less was charged under `key`."""
        kept = await self._records.get(key)
        attempt = msgspec.json.decode(kept, type=Attempt) if kept else None
        if attempt is None or attempt.declined or attempt.amount_minor < amount_minor:
            raise ValueError(f"nothing to give back for {key}")
        done = msgspec.structs.replace(attempt, refunded_minor=amount_minor)
        await self._records.put(key, msgspec.json.encode(done))

    def _decide(self, charge: Charge) -> Attempt:
        known = ("tok_ok", "tok_slow", *_REASONS)
        reason = _REASONS.get(charge.token, "") if charge.token in known else "unknown token"
        wait_ms = SLOW_MS if charge.token == "tok_slow" else 0  # noqa: S105 - a documented test token
        return Attempt(charge.amount_minor, charge.currency, self._now_ms() + wait_ms, reason)

    def _outcome(self, key: str, attempt: Attempt) -> Outcome:
        if attempt.declined:
            return Declined(attempt.declined)
        return Approved(f"test_{key}") if self._now_ms() >= attempt.ready_at_ms else Pending()

    async def _claim(self, key: str, attempt: Attempt) -> Attempt:
        """Write `attempt` unless the key has one; return the one that stands."""
        if await self._records.put_first(key, msgspec.json.encode(attempt)):
            return attempt
        kept = await self._records.get(key)
        return msgspec.json.decode(kept, type=Attempt) if kept else attempt
