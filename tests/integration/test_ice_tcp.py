"""The ICE-TCP port and those who come to it without being anybody's viewer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest
from support.media import Worker, media_worker, watch

from media.transport import ice, tcp


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with media_worker(tcp_port=0) as running:
        yield running


async def offered(worker: Worker) -> tuple[int, ice.Credentials]:
    """The port and the credentials that an answer names."""
    peer = await watch(worker, change_answer=lambda sdp: re.sub("a=candidate:.*\r\n", "", sdp))
    await peer.close()
    answer = peer.response.text
    found = [
        re.search(what, answer)
        for what in (r"127\.0\.0\.1 (\d+) typ host tcptype", "ufrag:(.*)\r", "pwd:(.*)\r")
    ]
    port, ufrag, pwd = (match[1] for match in found if match)
    return int(port), ice.Credentials(ufrag, pwd)


async def ends(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection has ended."""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            return await reader.read()
    return b""


async def test_a_check_is_answered_in_the_stream(worker: Worker) -> None:
    port, credentials = await offered(worker)
    name = f"{credentials.ufrag}:them".encode()
    check = ice.build(ice.BINDING_REQUEST, bytes(12), [(ice.USERNAME, name)], credentials.pwd.encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framed = len(check).to_bytes(2) + check
    writer.write(framed[:7])  # frames may come in pieces, and several at once
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(framed[7:] + framed)
    async with asyncio.timeout(5):
        for _ in range(2):
            size = int.from_bytes(await reader.readexactly(2))
            assert ice.parse(await reader.readexactly(size)).kind == ice.BINDING_SUCCESS
    writer.close()


async def test_strangers_get_silence_and_an_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    port, _ = await offered(worker)
    monkeypatch.setattr(tcp, "SILENCE_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    check = ice.build(ice.BINDING_REQUEST, bytes(12), [(ice.USERNAME, b"who:them")], b"guess")
    writer.write(len(check).to_bytes(2) + check)
    assert await ends(reader) == b""
    writer.close()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00", b"\xff\xff"])
async def test_what_is_no_frame_ends_the_connection(worker: Worker, junk: bytes) -> None:
    port, _ = await offered(worker)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(junk)
    assert await ends(reader) == b""
    writer.close()
    assert (await worker.counters())["tcp_junk_total"] == 1


async def test_connections_are_limited(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    port, _ = await offered(worker)
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 1)
    _, first = await asyncio.open_connection("127.0.0.1", port)
    reader, second = await asyncio.open_connection("127.0.0.1", port)
    assert await ends(reader) == b""
    first.close()
    second.close()
    counters = await worker.counters()
    assert (counters["tcp_connections_total"], counters["tcp_refused_total"]) == (1, 1)
