"""A web site of its own on loopback: one page with a video element and one script."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

PAGE = b"<!doctype html><video autoplay muted playsinline></video><script src=/peer.js></script>"


@contextlib.asynccontextmanager
async def origin_of(script: bytes) -> AsyncGenerator[str]:
    """An HTTP server of a page and its script: the origin."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        kind, body = (b"text/javascript", script) if b" /peer.js " in head else (b"text/html", PAGE)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + kind + b"\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
