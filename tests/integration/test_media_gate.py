"""Nothing of a stranger's reaches DTLS or SRTP, and it costs the worker nothing that stays."""

import asyncio
import random
import socket
import struct
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from support.media import LossyPath, Worker, media_worker, publish, watch
from support.media_knock import binding, credentials
from support.media_process import resident_kib, worker_process

from media.transport import ice
from media.transport.dtls import DtlsContext, DtlsEndpoint, Role

JUNK_PACKETS = 200_000
MAX_GROWTH_KIB = 5 * 1024


@pytest.fixture
async def worker() -> AsyncGenerator[Worker]:
    async with media_worker() as running:
        yield running


@pytest.fixture
def stranger(worker: Worker) -> Generator[socket.socket]:
    """A socket that no peer owns, pointed at the worker's UDP port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", worker.media.udp_port))
    sock.settimeout(0.3)
    yield sock
    sock.close()


async def answer_to(sock: socket.socket, datagram: bytes) -> bytes | None:
    """What comes back for a datagram within 0.3 s."""
    sock.send(datagram)
    try:
        return await asyncio.to_thread(sock.recv, 2048)
    except TimeoutError:
        return None


async def test_a_strangers_client_hello_gets_no_answer(worker: Worker, stranger: socket.socket) -> None:
    peer = await publish(worker)
    try:
        await peer.connected()
        hello = DtlsEndpoint(DtlsContext(), Role.ACTIVE, []).start()[0]
        assert await answer_to(stranger, hello) is None
        assert peer.pc.connectionState == "connected"
        assert (await worker.counters())["strangers_total"] == 1
    finally:
        await peer.close()


async def test_a_guessed_ufrag_or_password_gets_no_answer(worker: Worker, stranger: socket.socket) -> None:
    peer = await watch(worker)
    try:
        await peer.connected()
        ufrag, pwd = credentials(peer.response)
        assert await answer_to(stranger, binding("AAAAAAAA", pwd)) is None
        assert await answer_to(stranger, binding(ufrag, "x" * 24, (ice.USE_CANDIDATE, b""))) is None
        counters = await worker.counters()
        assert counters["stun_refused_total"] == 2
        assert counters.get("moved_total", 0) == 0
    finally:
        await peer.close()


async def test_the_right_password_is_answered_and_opens_the_gate(
    worker: Worker, stranger: socket.socket
) -> None:
    """The same bytes that a stranger may not send are taken once the source has passed."""
    peer = await watch(worker)
    try:
        await peer.connected()
        ufrag, pwd = credentials(peer.response)
        answer = await answer_to(stranger, binding(ufrag, pwd))
        assert answer is not None
        assert ice.parse(answer).kind == ice.BINDING_SUCCESS
        stranger.send(b"\x80\x60" + bytes(100))  # RTP that fails its authentication
        async with asyncio.timeout(2):
            while not (await worker.counters()).get("srtp_refused_total"):
                await asyncio.sleep(0.02)
        assert (await worker.counters()).get("strangers_total", 0) == 0
        assert peer.pc.connectionState == "connected"
    finally:
        await peer.close()


async def test_a_nominated_check_from_a_new_address_moves_a_viewers_media(
    worker: Worker, stranger: socket.socket
) -> None:
    publisher, viewer = await publish(worker), await watch(worker)
    try:
        await viewer.sees(video=5)
        ufrag, pwd = credentials(viewer.response)
        await answer_to(stranger, binding(ufrag, pwd))
        with pytest.raises(TimeoutError):
            stranger.recv(2048)  # proved, but not nominated: nothing is sent there
        await answer_to(stranger, binding(ufrag, pwd, (ice.USE_CANDIDATE, b"")))
        media = await asyncio.to_thread(stranger.recv, 2048)
        assert 127 < media[0] < 192
    finally:
        await asyncio.gather(publisher.close(), viewer.close())


def junk(random_: random.Random) -> bytes:
    """One datagram of rubbish: of every first byte, some of them almost right."""
    match random_.randrange(6):
        case 0:
            return random_.randbytes(random_.randint(1, 1400))
        case 1:  # STUN with a guessed user name
            return binding(f"{random_.getrandbits(48):012x}"[:8], "x" * 24)
        case 2:  # STUN that lies about its lengths
            return struct.pack("!HHI", 1, 1000, ice.MAGIC_COOKIE) + random_.randbytes(40)
        case 3:  # DTLS
            return bytes([random_.randint(20, 63)]) + b"\xfe\xfd" + random_.randbytes(200)
        case 4:  # RTP and RTCP
            return bytes([0x80, random_.randint(0, 255)]) + random_.randbytes(random_.randint(0, 1300))
        case _:
            return b""


def flood(udp_port: int, packets: int) -> None:
    """Junk from 50 sources, slowly enough that the worker's socket buffer takes nearly all of it."""
    random_ = random.Random(7)
    pool = [junk(random_) for _ in range(2000)]
    sources = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(50)]
    for number in range(packets):
        sources[number % 50].sendto(pool[number % len(pool)], ("127.0.0.1", udp_port))
        if number % 100 == 99:
            time.sleep(0.002)
    for source in sources:
        source.close()


async def test_a_flood_of_junk_costs_no_memory_no_log_and_no_viewer(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    async with worker_process(log) as (pid, udp_port, http):
        worker = Worker(None, http)  # pyright: ignore[reportArgumentType]
        publisher, viewer = await publish(worker), await watch(worker)
        try:
            await viewer.sees(video=10)
            await asyncio.to_thread(flood, udp_port, 5_000)  # whatever is allocated once, is allocated
            before = resident_kib(pid)
            await asyncio.to_thread(flood, udp_port, JUNK_PACKETS)
            await viewer.sees(video=10)
            grown = resident_kib(pid) - before
            counters = await worker.counters()
            seen = sum(counters[f"{name}_total"] for name in ("junk", "strangers", "stun_refused"))
            assert seen > JUNK_PACKETS * 0.8, counters
            assert grown <= MAX_GROWTH_KIB
            assert viewer.pc.connectionState == "connected"
        finally:
            await asyncio.gather(publisher.close(), viewer.close())
    text = log.read_text()
    assert "rror" not in text
    assert text.count("\n") < 50
    assert len(text) < 10_000


async def test_a_proved_peer_that_floods_handshakes_delays_nobody(
    worker: Worker, stranger: socket.socket
) -> None:
    publisher, viewer, bad = await publish(worker), await watch(worker), await watch(worker, pid="p_bad")
    try:
        await asyncio.gather(viewer.sees(video=5), bad.connected())
        ufrag, pwd = credentials(bad.response)
        assert await answer_to(stranger, binding(ufrag, pwd)) is not None
        hellos = [DtlsEndpoint(DtlsContext(), Role.ACTIVE, []).start()[0] for _ in range(20)]
        for number in range(4000):
            stranger.send(hellos[number % 20])
            if number % 500 == 499:
                await asyncio.sleep(0)
        await viewer.sees(video=10)
        assert viewer.pc.connectionState == "connected"
    finally:
        await asyncio.gather(publisher.close(), viewer.close(), bad.close())


async def test_a_bug_that_one_peers_packets_meet_stops_no_other(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, viewer = await publish(worker), await watch(worker)
    try:
        await viewer.sees(video=5)

        def bug(*_: object) -> None:
            raise RuntimeError("met by every viewer's report")

        monkeypatch.setattr("media.router.Router.receive_rtcp", bug)
        async with asyncio.timeout(10):
            while not (await worker.counters()).get("internal_errors_total"):
                await asyncio.sleep(0.05)
        await viewer.sees(video=30)
    finally:
        monkeypatch.undo()
        await asyncio.gather(publisher.close(), viewer.close())


async def test_a_silent_viewer_is_given_up(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    path = LossyPath(worker, lose_every=1_000_000)
    await path.open()
    viewer = await watch(worker, change_answer=path.put_into)
    try:
        await viewer.connected()
        path.close()
        monkeypatch.setattr("media.transport.peer.CONSENT_TIMEOUT_S", 1.0)
        async with asyncio.timeout(5):
            while (await worker.http.get("/health")).json()["viewers"]:
                await asyncio.sleep(0.05)
        assert (await worker.counters())["expired_total"] == 1
    finally:
        await viewer.close()
