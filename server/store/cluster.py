"""A Cluster: which node serves which slot, and commands on their way to the right one.

All nodes are asked for their view, and for every slot the owner with the newest configuration counts; a node
that was cut off has an older one. Asked once a second, and soon after something looks like a move. Every node
has a connection of its own; what a node that has moved away a slot refuses (MOVED, ASK) goes where it says,
with nothing having been written.

https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
"""

import asyncio
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode

from server.store.connection import ask
from server.store.lookout import Lookout
from server.store.outcome import StoreReplyError, StoreUnavailable
from server.store.resp import Arg, Reply, encode
from server.store.topology import Clustered, Place, Target, pool_options
from server.telemetry import counter, end_tasks, get_logger, start_task

SLOTS: Final = 16384
ASK_S: Final = 0.5
HOPS_MAX: Final = 5
KEYLESS: Final = frozenset({"TIME", "PING", "FUNCTION", "DBSIZE"})
"""Commands that any node can answer; one node answers them all, so that TIME is one clock."""
HOME_KEY: Final = "ls:clock"
FENCE_TRIES: Final = 4096

REDIRECTED = counter("store_redirected", "Commands that a Cluster's node sent elsewhere", ["how"])
log = get_logger(__name__)


class Sender(Protocol):
    """What carries commands: a Wire, or a Durable over one."""

    def send(self, command: bytes) -> Awaitable[Reply]: ...
    def call(self, *args: Arg) -> Awaitable[Reply]: ...


def slot_of(key: bytes) -> int:
    """The slot of a key: CRC16 (XMODEM) of its tag in braces, or of all of it."""
    start = key.find(b"{")
    if start >= 0 and (end := key.find(b"}", start + 1)) > start + 1:
        key = key[start + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


class View(msgspec.Struct, frozen=True):
    """What one node says of one primary: its slots, under this configuration."""

    epoch: int
    target: Target
    ranges: tuple[tuple[int, int], ...]


class Cluster(Place):
    """The map of slots. Open with `await Cluster.open(…)`, in the loop that uses it."""

    def __init__(self, seeds: Clustered) -> None:
        super().__init__(seeds.nodes[0])
        self._seeds = seeds
        self._owners: list[Target | None] = [None] * SLOTS
        self._listeners: list[Callable[[Target], None]] = []
        self._lookout: Lookout | None = None

    @classmethod
    async def open(cls, seeds: Clustered, wait_s: float) -> "Cluster":
        """Returns once every slot has an owner. Raises StoreUnavailable after `wait_s`."""
        cluster = cls(seeds)
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    try:
                        await cluster.look()
                        break
                    except StoreUnavailable:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            raise StoreUnavailable(f"no whole cluster at {cluster!r}", maybe_applied=False) from None
        cluster._lookout = Lookout(cluster.look, "cluster")
        return cluster

    def __repr__(self) -> str:
        """For logs."""
        return f"cluster of {', '.join(map(repr, self._seeds.nodes))}"

    @property
    def primaries(self) -> list[Target]:
        """Every node that has slots."""
        return list(dict.fromkeys(owner for owner in self._owners if owner is not None))

    def owner(self, slot: int) -> Target:
        """Who serves the slot. Raises StoreUnavailable."""
        owner = self._owners[slot]
        if owner is None:
            raise StoreUnavailable(f"nobody serves slot {slot}", maybe_applied=False)
        return owner

    def moved(self, slot: int, target: Target) -> None:
        """A node says that the slot is there."""
        self._owners[slot] = target
        self.suspect()

    def key_at(self, target: Target, name: str) -> str:
        """`name` with a tag that makes it a key of this node, while it has a fair share of the slots."""
        tagged = (f"{name}:{{{number}}}" for number in range(FENCE_TRIES))
        return next((key for key in tagged if self._owners[slot_of(key.encode())] == target), name)

    def on_move(self, moved: Callable[[Target], None]) -> None:
        """Have `moved` called when slots have other owners."""
        self._listeners.append(moved)

    def suspect(self) -> None:
        """It looks as if slots had other owners: look soon."""
        if self._lookout is not None:
            self._lookout.suspect()

    async def look(self) -> None:
        """Take the newest map. Raises StoreUnavailable when it has holes."""
        nodes = dict.fromkeys([*self.primaries, *self._seeds.nodes])
        tasks = [asyncio.create_task(self._views(node)) for node in nodes]
        try:
            done, _ = await asyncio.wait(tasks, timeout=2 * ASK_S)
        finally:
            await end_tasks(*tasks)
        owners: list[Target | None] = [None] * SLOTS
        for view in sorted((v for task in done for v in task.result()), key=lambda view: view.epoch):
            for first, last in view.ranges:
                owners[first : last + 1] = [view.target] * (last + 1 - first)
        if None in owners:
            raise StoreUnavailable("slots without an owner", maybe_applied=False)
        if owners != self._owners:
            self._owners = owners
            log.warning("store_moved", primaries=len(self.primaries))
            for moved in self._listeners:
                moved(self.owner(0))

    def pool(self) -> Redis:
        """redis-py's own connections to all nodes."""
        options: dict[str, Any] = pool_options(self._seeds.node) | {"ssl": self._seeds.node.tls}
        nodes = [ClusterNode(node.host, node.port) for node in self._seeds.nodes]
        return cast("Redis", RedisCluster(startup_nodes=nodes, **options))

    async def close(self) -> None:
        """Stop looking."""
        if self._lookout is not None:
            await self._lookout.close()

    async def _views(self, node: Target) -> list[View]:
        try:
            said = await ask(node, "CLUSTER", "NODES", timeout_s=ASK_S)
        except (OSError, TimeoutError, StoreReplyError):
            return []
        lines = cast("bytes", said).decode().splitlines()
        return [view for line in lines if (view := read_view(line, node, self._seeds.node)) is not None]


def read_view(line: str, asked: Target, node: Target) -> View | None:
    """One line of CLUSTER NODES; None for one that is no primary with slots."""
    _, address, flags, _, _, _, epoch, _, *slots = line.split()
    ranges = tuple(
        (int(first), int(last or first))
        for first, _, last in (word.partition("-") for word in slots if not word.startswith("["))
    )
    host, _, port = address.partition(",")[0].partition("@")[0].rpartition(":")
    if not ranges or "master" not in flags.split(",") or "noaddr" in flags:
        return None
    return View(int(epoch), msgspec.structs.replace(node, host=host or asked.host, port=int(port)), ranges)


class NodeOf(Place):
    """One node of a cluster: it does not move, but what looks like it is the cluster's business."""

    def __init__(self, cluster: Cluster, target: Target) -> None:
        super().__init__(target)
        self._cluster = cluster

    def suspect(self) -> None:
        """Have the cluster look."""
        self._cluster.suspect()


S = TypeVar("S", bound=Sender)


class Links(Generic[S]):
    """A connection to every primary. `make` begins one, `end` closes it when its node has no slots left."""

    def __init__(
        self, cluster: Cluster, make: Callable[[Target], S], end: Callable[[S], Awaitable[None]]
    ) -> None:
        self._cluster, self._make, self._end = cluster, make, end
        self._links: dict[Target, S] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._moved(cluster.owner(0))
        cluster.on_move(self._moved)

    def all(self) -> Sequence[S]:
        """One to every primary."""
        return list(self._links.values())

    def of(self, tag: str) -> "Routed[S]":
        """The way to the node of a show, or of whatever a key's tag names."""
        return Routed(self, slot_of(tag.encode()))

    def call(self, *args: Arg) -> "asyncio.Future[Reply]":
        """As `Wire.call`, to the node that has the command's key."""
        name = str(args[0]).upper()
        key = HOME_KEY if name in KEYLESS else args[3 if name in ("FCALL", "EVAL") else 1]
        slot = slot_of(key if isinstance(key, bytes) else str(key).encode())
        return asyncio.ensure_future(self.run(slot, encode(args)))

    async def run(self, slot: int, command: bytes) -> Reply:
        """Send a command that concerns a slot, wherever that is by now. Raises StoreError."""
        target, asking = self._cluster.owner(slot), False
        for _ in range(HOPS_MAX):
            link = self._at(target)
            if asking:
                _forget(link.call("ASKING"))
            try:
                return await link.send(command)
            except StoreReplyError as error:
                if error.code not in ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"):
                    raise
                self._cluster.suspect()
                if error.code in ("TRYAGAIN", "CLUSTERDOWN"):
                    raise StoreUnavailable(str(error), maybe_applied=False) from error
                REDIRECTED.labels(how=error.code).inc()
                host, _, port = str(error).rpartition(" ")[2].rpartition(":")
                target = msgspec.structs.replace(target, host=host or target.host, port=int(port))
                asking = error.code == "ASK"
                if not asking:
                    self._cluster.moved(slot, target)
        raise StoreUnavailable("sent from node to node", maybe_applied=False)

    async def close(self) -> None:
        """End all."""
        links = list(self._links.values())
        self._links.clear()
        await asyncio.gather(*(self._end(link) for link in links), *self._ending)

    def _at(self, target: Target) -> S:
        link = self._links.get(target)
        if link is None:
            link = self._links[target] = self._make(target)
        return link

    def _moved(self, _target: Target) -> None:
        primaries = self._cluster.primaries
        for target in primaries:
            self._at(target)
        for target in [target for target in self._links if target not in primaries]:
            ending = start_task(self._finish(self._links.pop(target)), "end link")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _finish(self, link: S) -> None:
        await self._end(link)


class Routed(Generic[S]):
    """The way to one slot."""

    __slots__ = ("_links", "_slot")

    def __init__(self, links: Links[S], slot: int) -> None:
        self._links, self._slot = links, slot

    def send(self, command: bytes) -> Awaitable[Reply]:
        """As `Wire.send`."""
        return self._links.run(self._slot, command)

    def call(self, *args: Arg) -> Awaitable[Reply]:
        """As `Wire.call`, to this slot's node whatever the arguments."""
        return self._links.run(self._slot, encode(args))


def _forget(answer: Awaitable[Reply]) -> None:
    """The next command's answer tells whether this one worked."""
    cast("asyncio.Future[Reply]", answer).add_done_callback(lambda done: done.cancelled() or done.exception())
