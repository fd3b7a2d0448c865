"""Frames that no page sends, and too many of those that pages do send."""

import asyncio
import contextlib

import pytest
from support.kiln import BUYER, SHOW
from support.live_server import LiveServer
from support.raw_page import RawPage, raw_viewer
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode


async def test_nonsense_is_answered_and_insisting_ends_it(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        for text, code in {
            "{": "bad_json",
            "[]": "bad_message",
            '{"a":1}': "bad_message",
            '{"type":"sing","cid":"s"}': "unknown_type",
            '{"type":"react","kind":"heart","n":21}': "bad_message",
            '{"type":"react","kind":"sneer"}': "bad_message",
            "[" * 4000: "bad_json",
        }.items():
            await viewer.socket.send(text)
            assert (await viewer.until("error"))["data"]["code"] == code
        with contextlib.suppress(ConnectionClosed):
            for _ in range(10):
                await viewer.socket.send("{")
        assert await viewer.closed() == 4009


async def test_too_many_frames_end_it(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        await viewer.until("snapshot")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(60):
                await viewer.socket.send('{"type":"ping"}')
        assert await viewer.closed() == 4009
        answered = sum(update["type"] == "pong" for update in viewer.heard)
        assert 40 <= answered < 60  # the burst, and what comes back while a slow machine sends


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.BINARY, b"\x00\x01").serialize(mask=True), 1003),
        (Frame(Opcode.TEXT, b"x" * 4097).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
        (b"\xff" * 64, 1002),
        (
            Frame(Opcode.TEXT, b"x" * 3000, fin=False).serialize(mask=True)
            + Frame(Opcode.CONT, b"x" * 3000).serialize(mask=True),
            1009,
        ),
    ],
)
async def test_frames_that_no_page_sends(server: LiveServer, frame: bytes, code: int) -> None:
    async with raw_viewer(server, SHOW) as stranger:
        await asyncio.get_running_loop().sock_sendall(stranger, frame)
        assert await RawPage(stranger).close_code() == code
    async with server.viewer(SHOW) as viewer:
        assert (await viewer.next())["type"] == "hello"


async def test_fragments_are_joined(server: LiveServer) -> None:
    text = b'{"type":"ping","t":7}'
    frames = Frame(Opcode.TEXT, text[:5], fin=False).serialize(mask=True)
    frames += Frame(Opcode.PING, b"between").serialize(mask=True)
    frames += Frame(Opcode.CONT, text[5:9], fin=False).serialize(mask=True)
    frames += Frame(Opcode.CONT, text[9:]).serialize(mask=True)
    async with raw_viewer(server, SHOW) as stranger:
        for at in range(0, len(frames), 3):
            await asyncio.get_running_loop().sock_sendall(stranger, frames[at : at + 3])
        page = RawPage(stranger)
        while not page.pongs or "pong" not in page.types:
            await page.next()
        assert page.pongs == [b"between"]
