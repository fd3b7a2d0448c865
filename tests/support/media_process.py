"""A media worker in a process of its own, for what is measured from outside."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from support.http_client import NO_TLS


@contextlib.asynccontextmanager
async def worker_process(log: Path) -> AsyncGenerator[tuple[int, int, httpx.AsyncClient]]:
    """A worker in its own process: pid, UDP port and a client of its HTTP service."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        http_port: int = probe.getsockname()[1]
    code = (
        "import asyncio, sys; from media.worker import MediaConfig, run_media;"
        f"asyncio.run(run_media(MediaConfig(udp_host='127.0.0.1', http_port={http_port})))"
    )
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=output, stderr=output
        )
    try:
        async with httpx.AsyncClient(
            verify=NO_TLS, base_url=f"http://127.0.0.1:{http_port}", timeout=10
        ) as http:
            async with asyncio.timeout(15):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        status = (await http.get("/health")).json()
                        break
                    await asyncio.sleep(0.05)
            yield process.pid, status["udp_port"], http
    finally:
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
