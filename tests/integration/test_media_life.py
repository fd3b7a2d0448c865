"""A media worker's start and stop."""

import asyncio
import stat
from pathlib import Path

import httpx
import pytest
from support.media import Worker, media_worker, watch

from media.worker import MediaConfig, MediaWorker


async def test_on_a_unix_socket_that_only_its_user_may_open(tmp_path: Path) -> None:
    path = tmp_path / "media-0.sock"
    path.write_text("left behind by a worker that was killed")
    worker = MediaWorker(MediaConfig(socket_path=str(path), udp_host="127.0.0.1"))
    await worker.start()
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://media") as http:
            status = (await http.get("/health")).json()
        assert status == {
            "status": "ok",
            "worker": 0,
            "udp_port": worker.udp_port,
            "publishers": 0,
            "viewers": 0,
        }
    finally:
        await worker.stop()
    assert not path.exists()


async def test_a_taken_udp_port_is_an_error_at_once() -> None:
    async with media_worker() as running:
        with pytest.raises(OSError, match="in use"):
            MediaWorker(MediaConfig(udp_host="127.0.0.1", udp_port=running.media.udp_port))


async def test_stopping_says_goodbye_to_viewers_and_ends_the_event_stream() -> None:
    lines: list[str] = []

    async def follow(worker: Worker) -> None:
        async with worker.http.stream("GET", "/events") as stream:
            lines.extend([line async for line in stream.aiter_lines()])

    async with media_worker() as worker:
        viewer = await watch(worker)
        await viewer.connected()
        follower = asyncio.create_task(follow(worker))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(3):
            await worker.media.stop()
            await follower
            await viewer.until(lambda: viewer.pc.connectionState == "closed")
    await viewer.close()
    assert lines
