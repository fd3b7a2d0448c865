"""Several real Valkey nodes on loopback: a primary with replicas, Sentinels, and what can befall them."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from support.cluster_bus import Bus, Door
from support.server_process import free_port

from server.store.connection import ask
from server.store.embedded import find_binary
from server.store.outcome import StoreError
from server.store.resp import Arg, Reply
from server.store.topology import Target

WATCHED = "main"
PEER, PASSWORD = "peer", "clients"
"""As whom replicas and Sentinels come: refusing it cuts a node off from them, and from no client."""
STORE_OPTIONS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",
    "repl-timeout": "5",
    "requirepass": PASSWORD,
    "masteruser": PEER,
    "masterauth": PEER,
    "user": f"{PEER} on >{PEER} ~* &* +@all",
}


class Node:
    """One server process with a directory and a port of its own, kept over its deaths."""

    def __init__(self, home: Path, options: dict[str, str]) -> None:
        self.port = free_port()
        self.home = home / str(self.port)
        self.home.mkdir()
        self.target = Target(host="127.0.0.1", port=self.port, password=options.get("requirepass", ""))
        self.first_args: tuple[str, ...] = ()
        self.bus: tuple[Bus, Door] | None = None  # of a Cluster's node
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.target.password}@127.0.0.1:{self.port}"

    def option(self, name: str) -> str:
        """What it was set to."""
        return self._options[name]

    async def start(self, *args: str) -> None:
        """Start it, or start it again on what it has kept, and wait until it answers."""
        options = {"port": str(self.port), "dir": str(self.home), "logfile": str(self.home / "log")}
        words = [
            word
            for name, value in (options | self._options).items()
            for word in (f"--{name}", *(value.split() or [""]))
        ]
        self._process = await asyncio.create_subprocess_exec(
            find_binary(), *self.first_args, *words, *args, start_new_session=True
        )
        await eventually(lambda: self.ask("PING"))

    async def ask(self, *command: Arg) -> Reply:
        """One command on a connection of its own."""
        return await ask(self.target, *command, timeout_s=1.0)

    async def info(self, name: str) -> str:
        """One field of INFO."""
        said = await self.ask("INFO", "everything")
        assert isinstance(said, bytes)
        fields = dict(line.split(":", 1) for line in said.decode().splitlines() if ":" in line)
        return fields[name]

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP cuts it off (its sockets stay open and silent), SIGCONT brings it back."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def cut_off(self) -> None:
        """Replicas, Sentinels and a Cluster's other nodes cannot reach it any more; clients can."""
        if self.bus is not None:
            await self.bus[0].cut(self.bus[1])
        await self.ask("ACL", "SETUSER", PEER, "off")
        await self.ask("CLIENT", "KILL", "USER", PEER)

    async def heal(self) -> None:
        """They can again."""
        if self.bus is not None:
            self.bus[0].heal(self.bus[1])
        await self.ask("ACL", "SETUSER", PEER, "on")

    async def kill(self) -> None:
        """SIGKILL; it may be started again."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            await process.wait()


async def eventually(check: Callable[[], Awaitable[object]], timeout_s: float = 60.0) -> None:
    """Ask until it is true; what the store cannot answer yet is not. Six nodes find each other late on a busy
    machine.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            with contextlib.suppress(StoreError, OSError, TimeoutError):
                if await check():
                    return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def nodes() -> AsyncGenerator[Callable[..., Node]]:
    """Makes nodes that are gone at the end."""
    made: list[Node] = []
    with tempfile.TemporaryDirectory(prefix="vendue-fleet-") as home:

        def make(options: dict[str, str] = STORE_OPTIONS) -> Node:
            made.append(Node(Path(home), options))
            return made[-1]

        try:
            yield make
        finally:
            for node in made:
                await node.kill()


class Watch:
    """Three nodes, one of them the primary, and three Sentinels that watch them."""

    def __init__(self, fleet: list[Node], sentinels: list[Node]) -> None:
        self.fleet, self.sentinels = fleet, sentinels
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
        self.url = f"redis+sentinel://:{PASSWORD}@{hosts}/{WATCHED}"

    async def primary(self) -> Node:
        """Whom the first Sentinel that answers takes for the primary."""
        for sentinel in self.sentinels:
            with contextlib.suppress(StoreError, OSError, TimeoutError):
                reply = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", WATCHED)
                assert isinstance(reply, list)
                [port] = [int(reply[1]) if isinstance(reply[1], bytes) else 0]
                return next(node for node in self.fleet if node.port == port)
        raise AssertionError("no Sentinel answers")

    async def failed_over(self, lost: Node) -> Node:
        """Wait until another node is the primary, and acts as one."""

        async def another() -> bool:
            found = await self.primary()
            return found is not lost and await found.info("role") == "master"

        await eventually(another)
        return await self.primary()


@contextlib.asynccontextmanager
async def watched(quorum: int = 2) -> AsyncGenerator[Watch]:
    """A primary, two replicas and three Sentinels that take it for dead after 1.5 s of silence."""
    async with nodes() as make:
        fleet = await _replicate(make, 2)
        sentinels: list[Node] = []
        for _ in range(3):
            node = make({})
            conf = node.home / "sentinel.conf"
            conf.write_text(
                f"sentinel monitor {WATCHED} 127.0.0.1 {fleet[0].port} {quorum}\n"
                f"sentinel down-after-milliseconds {WATCHED} 1500\n"
                f"sentinel failover-timeout {WATCHED} 3000\n"
                f"sentinel parallel-syncs {WATCHED} 2\n"
                f"sentinel auth-user {WATCHED} {PEER}\n"
                f"sentinel auth-pass {WATCHED} {PEER}\n"
            )
            node.first_args = (str(conf), "--sentinel")
            await node.start()
            # A primary that was cut off is made a replica after four of these (2 s by default) in which it
            # was seen; asking the Sentinels to look more often only makes the tests quicker.
            periods = ("info-period", 500, "publish-period", 500, "ping-period", 250)
            await node.ask("SENTINEL", "DEBUG", *periods)
            sentinels.append(node)

        async def agree() -> bool:
            for node in sentinels:
                reply = await node.ask("SENTINEL", "MASTER", WATCHED)
                assert isinstance(reply, list)
                fields = dict(zip(reply[::2], reply[1::2], strict=True))
                if (fields[b"num-slaves"], fields[b"num-other-sentinels"]) != (b"2", b"2"):
                    return False
            return True

        await eventually(agree)
        yield Watch(fleet, sentinels)


@contextlib.asynccontextmanager
async def clustered() -> AsyncGenerator[list[Node]]:
    """Six nodes: three primaries, each with a third of the slots, then the replica of each."""
    options = STORE_OPTIONS | {
        "cluster-enabled": "yes",
        "cluster-node-timeout": "1500",
        "cluster-require-full-coverage": "no",
        "cluster-announce-ip": "127.0.0.1",
    }
    async with nodes() as make, Bus() as bus:
        fleet: list[Node] = []
        for _ in range(6):
            door = await bus.open(free_port())
            ports = {"cluster-port": str(door.listens), "cluster-announce-bus-port": str(door.told)}
            fleet.append(make(options | ports | {"bind-source-addr": door.source}))
            fleet[-1].bus = bus, door
        await asyncio.gather(*(node.start() for node in fleet))
        ids = [await node.ask("CLUSTER", "MYID") for node in fleet]
        third = 16384 // 3
        for number, node in enumerate(fleet):
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number:
                told = int(node.option("cluster-announce-bus-port"))
                await fleet[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, told)
            if number < 3:
                last = 16383 if number == 2 else (number + 1) * third - 1
                await node.ask("CLUSTER", "ADDSLOTSRANGE", number * third, last)
        for number, node in enumerate(fleet[3:]):
            primary = ids[number]
            assert isinstance(primary, bytes)
            await eventually(lambda node=node, primary=primary: node.ask("CLUSTER", "REPLICATE", primary))

        async def whole() -> bool:
            for node in fleet:
                said = await node.ask("CLUSTER", "INFO")
                assert isinstance(said, bytes)
                if b"cluster_state:ok" not in said or b"cluster_known_nodes:6" not in said:
                    return False
            return all([await _linked(node) for node in fleet[3:]])

        await eventually(whole)
        yield fleet


async def _linked(replica: Node) -> bool:
    return await replica.info("master_link_status") == "up"


def cluster_url(fleet: list[Node]) -> str:
    """As `redis.url` has it."""
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in fleet)
    return f"redis+cluster://:{PASSWORD}@{hosts}"


@contextlib.asynccontextmanager
async def replicated(replicas: int) -> AsyncGenerator[list[Node]]:
    """A primary (the first) and its replicas, all in step."""
    async with nodes() as make:
        yield await _replicate(make, replicas)


async def _replicate(make: Callable[..., Node], replicas: int) -> list[Node]:
    primary = make()
    await primary.start()
    fleet = [primary]
    for _ in range(replicas):
        fleet.append(make())
        await fleet[-1].start("--replicaof", f"127.0.0.1 {primary.port}")
    await eventually(lambda: _has(primary, replicas))
    return fleet


async def _has(primary: Node, replicas: int) -> bool:
    await primary.ask("SET", "in-step", "1")
    return await primary.ask("WAIT", replicas, 100) == replicas
