"""The links that a Cluster's nodes have among themselves, each led through here: a node can be cut off.

Every node tells the others a port of this process as its bus port, and has a loopback address of its own to
connect from: so both ends of a link are known when it comes, and clients, who use another port, notice
nothing.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 65_536


@dataclass
class Door:
    """Where a node's bus is reached: the port that it tells, the one behind it, whence the node connects."""

    told: int
    listens: int
    source: str


@dataclass
class Bus:
    """See the module. `async with Bus() as bus`."""

    _doors: list[Door] = field(default_factory=list[Door])
    _cut: set[str] = field(default_factory=set[str])
    _servers: list[asyncio.Server] = field(default_factory=list[asyncio.Server])
    _links: dict[asyncio.Task[None], frozenset[str]] = field(
        default_factory=dict[asyncio.Task[None], frozenset[str]]
    )

    async def __aenter__(self) -> "Bus":
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        await self._end(list(self._links))

    async def open(self, listens: int) -> Door:
        """A door to the node whose bus listens on this port."""
        door = Door(0, listens, f"127.0.1.{len(self._doors) + 1}")

        async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            ends = frozenset((door.source, writer.get_extra_info("peername")[0]))
            if self._cut & ends:
                writer.transport.abort()
                return
            self._links[task] = ends
            task.add_done_callback(self._links.pop)
            await _lead(reader, writer, door.listens)

        server = await asyncio.start_server(come, LOOPBACK, 0)
        door.told = server.sockets[0].getsockname()[1]
        self._doors.append(door)
        self._servers.append(server)
        return door

    async def cut(self, door: Door) -> None:
        """No node hears of this one, and it of none."""
        self._cut.add(door.source)
        await self._end([task for task, ends in self._links.items() if door.source in ends])

    def heal(self, door: Door) -> None:
        """They may connect again."""
        self._cut.discard(door.source)

    async def _end(self, links: list[asyncio.Task[None]]) -> None:
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)


async def _lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes both ways until one end closes."""
    onward: asyncio.StreamWriter | None = None
    try:
        back, onward = await asyncio.open_connection(LOOPBACK, port)
        ways = {asyncio.ensure_future(_carry(reader, onward)), asyncio.ensure_future(_carry(back, writer))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    except OSError:
        pass  # the node is not there: whoever came is told so
    finally:
        writer.transport.abort()
        if onward is not None:
            onward.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
