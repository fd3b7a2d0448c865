"""Debian's coturn on loopback, UDP and TCP, with time-limited credentials."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

from support.outside import missing, program
from support.server_process import free_port

SECRET = "north"


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncGenerator[int]:
    """A running TURN server's port; skips the test where there is none."""
    found = shutil.which("turnserver")
    if found is None:
        missing("coturn", "Debian: coturn")
    port = free_port(socket.SOCK_DGRAM)
    options = {
        "listening-ip": "127.0.0.1",
        "relay-ip": "127.0.0.1",
        "listening-port": str(port),
        "static-auth-secret": SECRET,
        "realm": "turn.test",
        "userdb": str(folder / "turn.db"),
        "pidfile": str(folder / "turn.pid"),
        "cli-port": "0",
        "relay-threads": "1",
    }
    flags = ("use-auth-secret", "allow-loopback-peers", "no-cli", "no-tls", "no-dtls", "log-file=stdout")
    arguments = [f"--{key}={value}" for key, value in options.items()] + [f"--{flag}" for flag in flags]
    async with program(found or "", "-n", *arguments, cwd=folder) as server:
        await server.says("Total General servers")
        await _accepts(port)
        yield port


async def _accepts(port: int) -> None:
    """Until the TCP side answers a binding request: it opens after the UDP one; browsers try once."""
    request = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(request)
                    await reader.readexactly(20)
                    return
                finally:
                    writer.close()
            await asyncio.sleep(0.05)
