"""The store as the server sees it: a connection for writes, one for reads, one for writes that wait for
replicas when there are any to wait for, and redis-py for everything else.
"""

import contextlib
import functools

from redis.asyncio import Redis

from server.store.durable import Durable
from server.store.scripts import RoleTable, Scripts, load_all, load_scripts
from server.store.sentinel import Sentinels
from server.store.topology import Place, Target, Watched, parse_url
from server.store.wire import Wire


class Store:
    """Open one per process with `await Store.open(url, role_table)`.

    `scripts` run on the write connection (the durable ones over `durable`, see durable.py) and `read_scripts`
    on `reads`, which also serves snapshots and gap filling, so that neither delays a purchase. `redis` (pool)
    is for subscriptions, tickets and administration.
    """

    def __init__(
        self, place: Place, writes: Wire, reads: Wire, scripts: Scripts, read_scripts: Scripts
    ) -> None:
        self.place = place
        self.writes, self.reads = writes, reads
        self.scripts, self.read_scripts = scripts, read_scripts
        self._closing = contextlib.AsyncExitStack()
        self.redis: Redis = place.pool()

    @classmethod
    async def open(
        cls, url: str, role_table: RoleTable, *, wait_replicas: int = 0, wait_s: float = 10.0
    ) -> "Store":
        """Connect to `redis.url`. Raises UnsupportedStoreUrl, ScriptError, or StoreError after `wait_s`."""
        place = _place(url)
        sources = load_scripts(role_table)
        on_connect = functools.partial(load_all, scripts=sources)
        async with contextlib.AsyncExitStack() as opened:
            opened.push_async_callback(place.close)

            async def wire() -> Wire:
                made = await Wire.open(place, on_connect=on_connect, wait_s=wait_s)
                opened.push_async_callback(made.close)
                return made

            writes, reads = await wire(), await wire()
            durable = None
            if wait_replicas:
                durable = Durable(await wire(), wait_replicas)
                opened.push_async_callback(durable.close)
            store = cls(place, writes, reads, Scripts(writes, sources, durable), Scripts(reads, sources))
            store._closing = opened.pop_all()
            return store

    @property
    def target(self) -> Target:
        """Where the primary is, or was when it was last looked for."""
        return self.place.target

    async def ready(self) -> bool:
        """Does the store take commands? For /readyz: also while too few replicas keep up."""
        return self.writes.connected and self.reads.connected and await self.writes.call("PING") == b"PONG"

    async def close(self) -> None:
        """Close all connections."""
        await self._closing.aclose()
        await self.redis.aclose()


def _place(url: str) -> Place:
    where = parse_url(url)
    return Sentinels(where) if isinstance(where, Watched) else Place(where)
