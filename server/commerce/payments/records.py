"""What a gateway must remember of each attempt, whatever happens to our processes.

In the store under `ls:gateway:<key>`, beside the shows and never read by the sale.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol, cast

from redis.exceptions import RedisError

from server.commerce.payments.gateway import GatewayUnknown
from server.store.store import Store

RECORD_TTL_S: Final = 550 * 86_400  # money may go back for a year and a half; card networks refuse sooner
_PREFIX: Final = "ls:gateway:"


class Records(Protocol):
    """A gateway's memory: one record for each attempt's key. Every method may raise GatewayUnknown."""

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, record: bytes) -> None: ...
    async def put_first(self, key: str, record: bytes) -> bool:
        """False, and nothing written, when the key has a record."""
        ...


class StoreRecords:
    """Records in the store's own keys `ls:gateway:<key>`, for `RECORD_TTL_S`."""

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


@contextmanager
def _answering(key: str) -> Generator[None]:
    """A gateway whose memory is away gives no answer."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise GatewayUnknown(key) from error
