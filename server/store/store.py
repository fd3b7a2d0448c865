"""The store as the server sees it: a connection for writes, one for reads, one for writes that wait for
replicas when there are any to wait for, and redis-py for everything else. In a Cluster, one of each a node.
"""

import contextlib
import functools
from collections.abc import Callable

from redis.asyncio import Redis

from server.store.cluster import Cluster, Links, NodeOf
from server.store.cluster_subscriber import ClusterSubscriber
from server.store.durable import FENCE_KEY, Durable
from server.store.scripts import RoleTable, Scripts, load_all, load_scripts
from server.store.sentinel import Sentinels
from server.store.subscriber import Messages, Subscriber
from server.store.topology import Clustered, Place, Target, Watched, parse_url
from server.store.wire import Ready, Wire

Link = Wire | Links[Wire]


class Store:
    """Open one per process with `await Store.open(url, role_table)`.

    `scripts` run on the write connection (the durable ones over `durable`, see durable.py) and `read_scripts`
    on `reads`, which also serves snapshots and gap filling, so that neither delays a purchase. `redis` (pool)
    is for subscriptions, tickets and administration.
    """

    def __init__(
        self, place: Place, writes: Link, reads: Link, scripts: Scripts, read_scripts: Scripts
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
        sources = load_scripts(role_table)
        async with contextlib.AsyncExitStack() as opened:
            place = await _place(url, wait_s)
            opened.push_async_callback(place.close)
            on_connect = functools.partial(load_all, scripts=sources)
            if isinstance(place, Cluster):
                writes, reads, durable = await _connect_cluster(place, on_connect, wait_replicas, opened)
            else:
                writes, reads, durable = await _connect(place, on_connect, wait_replicas, wait_s, opened)

            def waiting() -> int:
                links = [*writes.all(), *(durable.all() if durable else ())]
                return max(link.pending for link in links)

            scripts = Scripts(writes, sources, durable, waiting)
            store = cls(place, writes, reads, scripts, Scripts(reads, sources, waiting=waiting))
            store._closing = opened.pop_all()
            return store

    @property
    def target(self) -> Target:
        """Where the primary is, or was when it was last looked for."""
        return self.place.target

    def subscriber(
        self, on_messages: Callable[[Messages], None], on_up: Callable[[], None]
    ) -> Subscriber | ClusterSubscriber:
        """Sharded subscriptions; the caller starts and closes them."""
        if isinstance(self.place, Cluster):
            return ClusterSubscriber(self.place, on_messages, on_up)
        return Subscriber(self.place, on_messages, on_up)

    async def ready(self) -> bool:
        """Does the store take commands? For /readyz: also while too few replicas keep up."""
        links = [*self.writes.all(), *self.reads.all()]
        if not all(link.connected for link in links):
            return False
        return all([await link.call("PING") == b"PONG" for link in self.writes.all()])

    async def close(self) -> None:
        """Close all connections."""
        await self._closing.aclose()
        await self.redis.aclose()


async def _place(url: str, wait_s: float) -> Place:
    match parse_url(url):
        case Watched() as watched:
            return Sentinels(watched)
        case Clustered() as clustered:
            return await Cluster.open(clustered, wait_s)
        case target:
            return Place(target)


async def _connect(
    place: Place, on_connect: Ready, wait_replicas: int, wait_s: float, opened: contextlib.AsyncExitStack
) -> tuple[Wire, Wire, Durable | None]:
    async def wire() -> Wire:
        made = await Wire.open(place, on_connect=on_connect, wait_s=wait_s)
        opened.push_async_callback(made.close)
        return made

    writes, reads, durable = await wire(), await wire(), None
    if wait_replicas:
        durable = Durable(await wire(), wait_replicas)
        opened.push_async_callback(durable.close)
    return writes, reads, durable


async def _connect_cluster(
    cluster: Cluster, on_connect: Ready, wait_replicas: int, opened: contextlib.AsyncExitStack
) -> tuple[Links[Wire], Links[Wire], Links[Durable] | None]:
    def wire(target: Target) -> Wire:
        made = Wire(NodeOf(cluster, target), on_connect=on_connect)
        made.begin()
        return made

    def promising(target: Target) -> Durable:
        return Durable(wire(target), wait_replicas, lambda: cluster.key_at(target, FENCE_KEY))

    writes, reads = Links(cluster, wire, Wire.close), Links(cluster, wire, Wire.close)
    opened.push_async_callback(writes.close)
    opened.push_async_callback(reads.close)
    durable = Links(cluster, promising, Durable.close) if wait_replicas else None
    if durable is not None:
        opened.push_async_callback(durable.close)
    for link in (*writes.all(), *reads.all()):
        await link.call("PING")
    return writes, reads, durable
