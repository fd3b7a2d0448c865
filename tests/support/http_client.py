"""A small HTTP/1.1 client for load in tests: one keep-alive socket per caller, JSON in and out.

httpx costs a millisecond of CPU a request, more than the server that it would measure.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 15.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx: nothing here speaks TLS, and reading all authorities of the web for each client takes 50 ms."""


class Unanswered(Exception):
    """The connection broke before an answer came: what happened is unknown, so retry with the same key."""


@dataclass(slots=True)
class Caller:
    """One buyer's connection. Not for concurrent use."""

    port: int
    token: str
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _head: str = field(init=False)
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Of the last answer; all in lower case."""

    def __post_init__(self) -> None:
        self._head = (
            f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
        )

    async def call(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, Any]:
        """Status and decoded body; raises Unanswered when the connection broke or timed out."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(data)}\r\n"
        if key:
            head += f"Idempotency-Key: {key}\r\n"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._exchange(head.encode() + b"\r\n" + data)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as failure:
            self.close()
            raise Unanswered(str(failure)) from failure

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = await self._reader.readexactly(int(fields.get("content-length", "0")))
        self.headers = fields
        if fields.get("connection") == "close":
            self.close()
        return int(lines[0].split(" ")[1]), json.loads(body) if body else None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
