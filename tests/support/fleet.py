"""Several real Valkey nodes on loopback: a primary with replicas, and what can befall them."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from support.server_process import free_port

from server.store.connection import ask
from server.store.embedded import find_binary
from server.store.outcome import StoreError
from server.store.resp import Arg, Reply
from server.store.topology import Target

STORE_OPTIONS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",
    "repl-timeout": "5",
    "enable-debug-command": "yes",
}


class Node:
    """One server process with a directory and a port of its own, kept over its deaths."""

    def __init__(self, home: Path, options: dict[str, str], *args: str) -> None:
        self.port = free_port()
        self.home = home / str(self.port)
        self.home.mkdir()
        self.target = Target(host="127.0.0.1", port=self.port)
        self._options, self._args = options, args
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def start(self, *args: str) -> None:
        """Start it, or start it again on what it has kept, and wait until it answers."""
        options = {"port": str(self.port), "dir": str(self.home), "logfile": str(self.home / "log")}
        words = [word for name, value in (options | self._options).items() for word in (f"--{name}", value)]
        self._process = await asyncio.create_subprocess_exec(
            find_binary(), *self._args, *words, *args, start_new_session=True
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

    async def kill(self) -> None:
        """SIGKILL; it may be started again."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            await process.wait()


async def eventually(check: Callable[[], Awaitable[object]], timeout_s: float = 20.0) -> None:
    """Ask until it is true; what the store cannot answer yet is not."""
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

        def make(options: dict[str, str] = STORE_OPTIONS, *args: str) -> Node:
            made.append(Node(Path(home), options, *args))
            return made[-1]

        try:
            yield make
        finally:
            for node in made:
                await node.kill()


@contextlib.asynccontextmanager
async def replicated(replicas: int) -> AsyncGenerator[list[Node]]:
    """A primary (the first) and its replicas, all in step."""
    async with nodes() as make:
        primary = make()
        await primary.start()
        fleet = [primary]
        for _ in range(replicas):
            fleet.append(make())
            await fleet[-1].start("--replicaof", f"127.0.0.1 {primary.port}")
        await eventually(lambda: _has(primary, replicas))
        yield fleet


async def _has(primary: Node, replicas: int) -> bool:
    await primary.ask("SET", "in-step", "1")
    return await primary.ask("WAIT", replicas, 100) == replicas
