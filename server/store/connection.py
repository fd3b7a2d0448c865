"""One socket to the store: bytes in both directions, whole replies out. No promises about healing (see
wire.py).
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from server.store.outcome import StoreReplyError
from server.store.resp import Arg, Parser, ProtocolError, Reply, encode
from server.store.topology import Target


class Connection(asyncio.Protocol):
    """Made by `connect`. `on_replies` gets all replies of one read, in order; `lost` is done when the socket
    is gone.

    `on_replies` may raise ProtocolError for replies that make no sense: the connection ends.
    """

    def __init__(self, on_replies: Callable[["Connection", list[Reply]], None]) -> None:
        self._on_replies, self._parser = on_replies, Parser()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        try:
            self._on_replies(self, self._parser.feed(data))
        except ProtocolError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """asyncio's."""
        if not self.lost.done():
            self.lost.set_result(None)

    def write(self, data: bytes) -> None:
        """Send, or keep in the transport's buffer until the socket takes it; dropped when it is gone."""
        if self._transport is not None and data:
            self._transport.write(data)

    async def gone(self) -> None:
        """Wait until the socket is gone; cancelling this leaves `lost` alone."""
        await asyncio.wait([self.lost])

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


async def connect(target: Target, on_replies: Callable[[Connection, list[Reply]], None]) -> Connection:
    """A fresh socket to `target`, before any AUTH. Raises OSError."""
    loop = asyncio.get_running_loop()
    connection = Connection(on_replies)
    if target.path:
        await loop.create_unix_connection(lambda: connection, target.path)
    else:
        tls = ssl.create_default_context() if target.tls else None
        await loop.create_connection(lambda: connection, target.host, target.port, ssl=tls)
    return connection


async def ask(target: Target, *command: Arg, timeout_s: float) -> Reply:
    """One command on a connection of its own. Raises OSError, TimeoutError, StoreReplyError."""
    replies: list[Reply] = []
    answered = asyncio.Event()

    def on_replies(_connection: Connection, given: list[Reply]) -> None:
        replies.extend(given)
        if len(replies) >= expected:
            answered.set()

    login = (target.username, target.password) if target.username else (target.password,)
    commands = [("AUTH", *login), command] if target.password else [command]
    expected = len(commands)
    async with asyncio.timeout(timeout_s):
        connection = await connect(target, on_replies)
        connection.lost.add_done_callback(lambda _: answered.set())
        try:
            connection.write(b"".join(encode(each) for each in commands))
            await answered.wait()
        finally:
            connection.abort()
            await connection.gone()
    for reply in replies:
        if isinstance(reply, StoreReplyError):
            raise reply
    if len(replies) < expected:
        raise ConnectionResetError("lost before its answer")
    return replies[-1]
