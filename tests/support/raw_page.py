"""A viewer without a WebSocket library: it may stop reading, or send what no library would send."""

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncGenerator, Generator
from typing import Any, cast

from support.live_server import LiveServer
from websockets.frames import Frame, Opcode


@contextlib.asynccontextmanager
async def raw_viewer(server: LiveServer, show: str, receive_bytes: int = 0) -> AsyncGenerator[sockets.socket]:
    """An upgraded connection as a bare socket, with nobody reading it."""
    with contextlib.closing(sockets.socket()) as bare:
        bare.setblocking(False)
        await _upgrade(server, show, bare, receive_bytes)
        yield bare


async def _upgrade(server: LiveServer, show: str, bare: sockets.socket, receive_bytes: int) -> None:
    loop = asyncio.get_running_loop()
    if receive_bytes:
        bare.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    await loop.sock_connect(bare, ("127.0.0.1", server.port))
    ticket = server.ticket(show)
    request = (
        f"GET /ws/{show} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: vendue.v1, ticket.{ticket}\r\n\r\n"
    )
    await loop.sock_sendall(bare, request.encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await asyncio.wait_for(loop.sock_recv(bare, 1), 5)
    assert b" 101 " in head


class RawPage:
    """Reads frames from a bare socket and checks the chain, like LiveViewer."""

    def __init__(self, bare: sockets.socket) -> None:
        self.bare = bare
        self.types: list[str] = []
        self.pongs: list[bytes] = []
        self.last = -1

    async def next(self) -> None:
        """One frame; the connection must be open."""
        frame = await self._frame()
        if frame.opcode is Opcode.PONG:
            self.pongs.append(bytes(frame.data))
            return
        assert frame.opcode is Opcode.TEXT, frame
        update = json.loads(bytes(frame.data))
        self.types.append(update["type"])
        if update["type"] == "snapshot":
            self.last = update["seq"]
        elif "seq" in update:
            assert update["prev"] <= self.last < update["seq"]
            self.last = update["seq"]

    async def close_code(self) -> int:
        """Read on to the close frame."""
        while True:
            frame = await self._frame()
            if frame.opcode is Opcode.CLOSE:
                return int.from_bytes(bytes(frame.data)[:2], "big")

    async def _frame(self) -> Frame:
        # websockets' parser as a coroutine of ours: it yields how much it wants and is sent that.
        parser = cast("Generator[int, bytes, Frame]", Frame.parse(cast("Any", _want), mask=False))
        try:
            wanted = next(parser)
            while True:
                wanted = parser.send(await self._exactly(wanted))
        except StopIteration as done:
            return done.value

    async def _exactly(self, n: int) -> bytes:
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(10):
            while len(data) < n:
                got = await loop.sock_recv(self.bare, n - len(data))
                assert got, "the connection ended"
                data += got
        return data


def _want(n: int) -> Generator[int, bytes, bytes]:
    return (yield n)
