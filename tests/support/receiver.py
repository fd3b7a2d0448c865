"""Somebody else's server on loopback that takes webhooks, as a test tells it to."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from standardwebhooks import Webhook

SILENT = -1


@dataclass
class Taken:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)["data"]


@dataclass
class Receiver:
    """`answer` gives each request's status (None: it hangs up; SILENT: it keeps one waiting); see `taken`."""

    url: str = ""
    answer: Callable[[Taken], int | None] = lambda _: 204
    taken: list[Taken] = field(default_factory=list[Taken])

    def seqs(self, *, since: int = 0) -> list[int]:
        return [each.data["seq"] for each in self.taken[since:]]

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """The messages, each judged by the library of Standard Webhooks."""
        return [Webhook(secret).verify(each.body, each.headers) for each in self.taken]


@contextlib.asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver]:
    """A running receiver, on a free port."""
    here = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
            }
            taken = Taken(headers, await reader.readexactly(int(headers["content-length"])))
            here.taken.append(taken)
            status = here.answer(taken)
            if status == SILENT:
                await asyncio.sleep(5)
            if status is not None:
                more = "Location: http://127.0.0.1:1/\r\n" if 300 <= status < 400 else ""
                writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield here
    finally:
        server.close()
