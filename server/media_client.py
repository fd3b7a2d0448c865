"""HTTP to a media worker over its unix socket.

One connection a request: connecting a local socket costs a tenth of what answering an SDP does, and a
connection that is always fresh is never found stale, so no POST is ever sent twice. Our own, because the
clients at hand either cost a millisecond a request or cannot speak over a unix socket.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httptools

TIMEOUT_S: Final = 5.0  # an SDP answer takes milliseconds; a worker that needs longer is as good as gone
EVENT_TIMEOUT_S: Final = 10.0  # events come every second
ANSWER_LIMIT: Final = 4 * 1024 * 1024
LINE_LIMIT: Final = 1024 * 1024


class MediaUnavailable(Exception):
    """The media worker did not answer, or not with HTTP."""


@dataclass(slots=True)
class MediaAnswer:
    """A media worker's answer; header names are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


class MediaWorker:
    """The HTTP interface of media worker ``index``. Every method raises MediaUnavailable."""

    def __init__(self, index: int, socket: Path) -> None:
        self.index = index
        self._socket = str(socket)

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = TIMEOUT_S,
    ) -> MediaAnswer:
        """Send one request and return its whole answer, of any status."""
        try:
            async with asyncio.timeout(timeout_s), self._connected() as (reader, writer):
                writer.write(_head(method, path, headers or {}, len(body)) + body)
                collected = _Collector()
                while not collected.complete and (data := await reader.read(65536)):
                    collected.feed(data)
                return collected.answer()
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            raise MediaUnavailable(f"media worker {self.index}: {type(error).__name__}") from error

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the lines of ``GET /events`` (NDJSON) until the stream ends or is silent for 10 s."""
        try:
            async with self._connected() as (reader, writer):
                writer.write(_head("GET", "/events", {}, 0))
                collected, rest = _Collector(), b""
                while not collected.complete:
                    async with asyncio.timeout(EVENT_TIMEOUT_S):
                        data = await reader.read(65536)
                    if not data:
                        return
                    collected.feed(data)
                    *lines, rest = (rest + collected.take()).split(b"\n")
                    for line in lines:
                        yield line
                    if len(rest) > LINE_LIMIT:
                        raise MediaUnavailable(f"media worker {self.index}: a line without end")
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            raise MediaUnavailable(f"media worker {self.index}: {type(error).__name__}") from error

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


class _Collector:
    """Callbacks of the parser: gathers one response."""

    def __init__(self) -> None:
        self.complete = False
        self._parser = httptools.HttpResponseParser(self)
        self._answer = MediaAnswer()
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def take(self) -> bytes:
        """Return the body so far and forget it."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        return body

    def answer(self) -> MediaAnswer:
        if self._answer.status == 0:
            raise httptools.HttpParserError("the connection ended before an answer")
        self._answer.body = self.take()
        return self._answer

    # httptools calls these
    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > ANSWER_LIMIT:
            raise ValueError("the answer is too long")
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self.complete = True


def _head(method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
    """Return a request head; a line break in a value is a bug of the caller and refused."""
    lines = [f"{method} {path} HTTP/1.1", "Host: media", "Connection: close", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header must not contain a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
