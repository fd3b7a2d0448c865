"""The store as the server sees it: a connection for writes, one for reads, redis-py for everything else."""

import functools

from redis.asyncio import Redis

from server.store.scripts import RoleTable, Scripts, load_all, load_scripts
from server.store.topology import Target, parse_url
from server.store.wire import Wire


class Store:
    """Open one per process with `await Store.open(url, role_table)`.

    `scripts` run on the write connection and `read_scripts` on `reads`, which also serves snapshots and gap
    filling, so that neither delays a purchase. `redis` (pool) is for subscriptions, tickets and
    administration.
    """

    def __init__(
        self, target: Target, writes: Wire, reads: Wire, scripts: Scripts, read_scripts: Scripts
    ) -> None:
        self.target = target
        self.writes, self.reads = writes, reads
        self.scripts, self.read_scripts = scripts, read_scripts
        self.redis: Redis = Redis.from_url(
            target.redis_url,
            username=target.username or None,
            password=target.password or None,
            socket_timeout=5.0,
            socket_connect_timeout=3.0,
            health_check_interval=15,
        )

    @classmethod
    async def open(cls, url: str, role_table: RoleTable, *, wait_s: float = 10.0) -> "Store":
        """Connect to `redis.url`. Raises UnsupportedStoreUrl, ScriptError, or StoreError after `wait_s`."""
        target = parse_url(url)
        sources = load_scripts(role_table)
        on_connect = functools.partial(load_all, scripts=sources)
        writes = await Wire.open(target, on_connect=on_connect, wait_s=wait_s)
        try:
            reads = await Wire.open(target, on_connect=on_connect, wait_s=wait_s)
        except BaseException:
            await writes.close()
            raise
        return cls(target, writes, reads, Scripts(writes, sources), Scripts(reads, sources))

    async def ready(self) -> bool:
        """Does the store take commands? For /readyz."""
        return self.writes.connected and self.reads.connected and await self.writes.call("PING") == b"PONG"

    async def close(self) -> None:
        """Close all connections."""
        await self.writes.close()
        await self.reads.close()
        await self.redis.aclose()
