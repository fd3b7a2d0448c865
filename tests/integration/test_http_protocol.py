"""Purchases on the wire, in every form that HTTP/1.1 allows; and requests that never end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from support.web import SHOW, Web, expect

from server.routes.http_protocol import ARRIVAL_S, KEEP_ALIVE_S, WebProtocol

PATH = f"/api/v1/shows/{SHOW}/orders"
BODY = json.dumps({"sku": "mug", "quantity": 1, "price_minor": 1000}).encode()


@dataclass
class Line:
    """One raw connection."""

    web: Web
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def buy(
        self, key: str, *extra: str, body: bytes = BODY, version: str = "1.1", length: bool = True
    ) -> bytes:
        lines = [f"POST {PATH} HTTP/{version}", "Host: x", f"Idempotency-Key: {key}"]
        lines += [f"Authorization: Bearer {self.web.bearer(key)}", "Content-Type: application/json", *extra]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.rstrip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(status.split(" ")[1]), headers, body

    async def closed(self) -> bool:
        async with asyncio.timeout(5):
            return await self.reader.read() == b""


@pytest.fixture
async def line(web: Web) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.client.base_url.port)
    yield Line(web, reader, writer)
    writer.close()


async def test_purchases_one_after_the_other_on_one_connection(line: Line) -> None:
    for number in range(3):
        line.writer.write(line.buy(f"k{number}"))
        status, headers, body = await line.answer()
        assert (status, headers["content-type"]) == (201, "application/json")
        assert "date" in headers
        assert json.loads(body)["state"] == "held"


async def test_purchases_and_other_requests_sent_at_once_are_answered_in_order(line: Line) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    line.writer.write(line.buy("a") + health + line.buy("b") + line.buy("c", body=b"{") + health)
    answers = [await line.answer() for _ in range(5)]
    assert [status for status, _, _ in answers] == [201, 200, 201, 400, 200]
    assert len({json.loads(answers[n][2])["id"] for n in (0, 2)}) == 2


async def test_a_purchase_that_comes_byte_by_byte(line: Line) -> None:
    request = line.buy("slow")
    for start in range(0, len(request), 7):
        line.writer.write(request[start : start + 7])
        await line.writer.drain()
        await asyncio.sleep(0)
    assert (await line.answer())[0] == 201


async def test_a_chunked_purchase(line: Line) -> None:
    chunks = b"5\r\n" + BODY[:5] + b"\r\n%x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n0\r\n\r\n"
    line.writer.write(line.buy("k", "Transfer-Encoding: chunked", body=chunks, length=False))
    assert (await line.answer())[0] == 201


async def test_a_purchase_that_waits_to_be_asked_for_its_body(line: Line) -> None:
    request = line.buy("k", "Expect: 100-continue")
    line.writer.write(request[: -len(BODY)])
    assert (await line.answer())[0] == 100
    line.writer.write(BODY)
    assert (await line.answer())[0] == 201


@pytest.mark.parametrize(("version", "extra"), [("1.0", ()), ("1.1", ("Connection: close",))])
async def test_a_connection_that_is_not_kept_is_closed(
    line: Line, version: str, extra: tuple[str, ...]
) -> None:
    line.writer.write(line.buy("k", *extra, version=version))
    status, headers, _ = await line.answer()
    assert (status, headers["connection"]) == (201, "close")
    assert await line.closed()


def look_at_all(line: Line, later_s: float) -> None:
    """What the server does every five seconds, so much later."""
    now = asyncio.get_running_loop().time() + later_s
    for connection in list(line.web.server.server_state.connections):
        assert isinstance(connection, WebProtocol)
        connection.end_if_overdue(now)


async def test_a_connection_that_is_silent_after_a_purchase_is_closed(line: Line) -> None:
    line.writer.write(line.buy("k1"))
    assert (await line.answer())[0] == 201
    look_at_all(line, KEEP_ALIVE_S - 5)
    line.writer.write(line.buy("k2"))
    assert (await line.answer())[0] == 201
    look_at_all(line, KEEP_ALIVE_S + 5)
    assert await line.closed()


async def test_a_request_that_begins_while_a_purchase_is_answered_has_its_time(line: Line) -> None:
    head = f"GET /api/v1/shows/{SHOW} HTTP/1.1\r\nHost: x\r\n".encode()
    line.writer.write(line.buy("k") + head)
    assert (await line.answer())[0] == 201
    line.writer.write(b"\r\n")
    assert (await line.answer())[0] == 200
    look_at_all(line, KEEP_ALIVE_S + 5)
    line.writer.write(line.buy("k2"))
    assert (await line.answer())[0] == 201


async def test_a_request_that_never_arrives_is_broken_off(line: Line) -> None:
    line.writer.write(line.buy("k")[:-5])
    await asyncio.sleep(0.1)
    look_at_all(line, ARRIVAL_S - 5)
    line.writer.write(line.buy("k")[-5:])
    assert (await line.answer())[0] == 201
    line.writer.write(line.buy("k")[:20])
    await asyncio.sleep(0.1)
    look_at_all(line, ARRIVAL_S + 5)
    with contextlib.suppress(ConnectionResetError):
        assert await line.closed()


async def test_a_buyer_that_hangs_up_has_still_bought(line: Line) -> None:
    line.writer.write(line.buy("k"))
    await line.writer.drain()
    line.writer.close()
    async with asyncio.timeout(5):
        while not (await expect(200, line.web.call("GET", "")))["products"][0]["held"]:
            await asyncio.sleep(0.02)
    repeated = await line.web.client.post(
        PATH,
        content=BODY,
        headers={
            "Authorization": f"Bearer {line.web.bearer('k')}",
            "Idempotency-Key": "k",
            "Content-Type": "application/json",
        },
    )
    assert repeated.status_code == 200


async def test_refusals_carry_what_their_status_asks_for(line: Line) -> None:
    line.writer.write(line.buy("k").replace(b"Authorization: Bearer ", b"Authorization: Bearer x"))
    status, headers, body = await line.answer()
    assert (status, headers["content-type"]) == (401, "application/problem+json")
    assert headers["www-authenticate"] == 'bearer error="invalid_token"'
    assert json.loads(body)["code"] == "invalid_token"


async def test_a_head_without_end_is_broken_off(line: Line) -> None:
    line.writer.write(b"GET / HTTP/1.1\r\n")
    for _ in range(33):  # the last one passes 32 KiB
        line.writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        await asyncio.sleep(0.001)
    status, headers, body = await line.answer()
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert json.loads(body)["code"] == "head_too_large"
    assert await line.closed()


async def test_a_body_after_a_small_head_is_not_counted_as_head(line: Line) -> None:
    line.writer.write(line.buy("k", body=b" " * 60_000 + BODY))
    assert (await line.answer())[0] == 201


async def test_what_is_no_http_is_refused(line: Line) -> None:
    line.writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    status, _, body = await line.answer()
    assert (status, json.loads(body)["code"]) == (400, "bad_request")
    assert await line.closed()
