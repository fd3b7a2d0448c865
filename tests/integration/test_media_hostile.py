"""One peer does too much of what is allowed: it is bounded and counted, and nobody else notices."""

import asyncio
from pathlib import Path

import pytest
from support.media import LossyPath, Worker, media_worker, publish, watch
from support.media_knock import Knocker
from support.media_process import resident_kib, worker_process

HANDSHAKES = 1_000
AT_ONCE = 4
VIEWS_PER_PID = 10
MAX_GROWTH_KIB = 4 * 1024
COPIES = 20


@pytest.mark.slow
async def test_a_thousand_handshakes_of_one_subject(tmp_path: Path) -> None:
    async with worker_process(tmp_path / "worker.log") as (process, udp_port, http):
        worker = Worker(None, http)  # pyright: ignore[reportArgumentType]
        publisher, viewer = await publish(worker), await watch(worker)
        knocker = Knocker(http, udp_port, "p_bad")

        async def knock(times: int) -> None:
            for _ in range(times):
                await knocker.handshake()

        try:
            await viewer.sees(video=5)
            await knock(50)  # whatever is allocated once, is allocated
            before_kib = resident_kib(process)
            freely = viewer.frames["video"]
            async with asyncio.TaskGroup() as knocks:
                for _ in range(AT_ONCE):
                    knocks.create_task(knock(HANDSHAKES // AT_ONCE))
            seen = viewer.frames["video"] - freely
            counters = await worker.counters()
            status = (await http.get("/health")).json()
            grown_kib = resident_kib(process) - before_kib
            print(f"{seen} frames meanwhile, {grown_kib} KiB grown, {counters}")
            assert counters["connected_total"] == 50 + HANDSHAKES + 2
            assert status["viewers"] == 1 + VIEWS_PER_PID
            assert grown_kib <= MAX_GROWTH_KIB
            await viewer.sees(video=10)
            assert viewer.pc.connectionState == "connected"
        finally:
            await asyncio.gather(publisher.close(), viewer.close())


async def test_a_replayed_packet_is_refused_and_reaches_nobody() -> None:
    async with media_worker() as worker:
        path = LossyPath(worker)
        await path.open()
        publisher, viewer = await publish(worker, change_answer=path.put_into), await watch(worker)
        try:
            await viewer.sees(video=5)
            path.copies = COPIES
            before = await worker.counters()
            await viewer.sees(video=20)
            path.copies = 1
            await viewer.sees(video=5)
            after = await worker.counters()
            print(before, after)
            assert (await worker.counters())["srtp_refused_total"] > 20 * (COPIES - 1)
            assert publisher.pc.connectionState == viewer.pc.connectionState == "connected"
        finally:
            path.close()
            await asyncio.gather(publisher.close(), viewer.close())
