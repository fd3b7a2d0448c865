"""Who may open a viewer WebSocket, judged before the upgrade."""

import asyncio
import json
from typing import Any

import pytest
from support.kiln import BUYER, CREATOR, SHOW, moderate
from support.live_server import LiveServer, live_server
from websockets.exceptions import InvalidStatus

from server.live.shows import Shows
from server.live.socket_cap import SocketCap
from server.store.store import Store


async def status_of(connecting: Any) -> int:
    """The HTTP status that refuses a connection."""
    with pytest.raises(InvalidStatus) as refusal:
        async with connecting:
            pass
    return refusal.value.response.status_code


async def test_hello_then_snapshot_then_entries(server: LiveServer, shows: Shows) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        hello, snapshot = await viewer.next(), await viewer.next()
        assert viewer.socket.subprotocol == "vendue.v1"
        assert "permessage-deflate" not in str(viewer.socket.response)
        assert hello["type"] == "hello"
        assert hello["data"]["subject"] == "bea"
        assert hello["data"]["pid"] == BUYER["pid"]
        assert hello["data"]["resumed"] is False
        assert snapshot["type"] == "snapshot"
        assert snapshot["data"]["title"] == "Kiln"
        assert snapshot["data"]["chat"] == []
        await shows.change(SHOW, CREATOR, "start")
        state = await viewer.until("show.state")
        assert state["prev"] == snapshot["seq"]
        assert state["data"]["state"] == "live"


async def test_a_ticket_works_once(server: LiveServer) -> None:
    ticket = server.ticket(SHOW, **BUYER)
    async with server.socket(SHOW, ticket) as socket:
        await socket.recv()
    assert await status_of(server.socket(SHOW, ticket)) == 403


async def test_bad_tickets_are_refused_before_the_upgrade(server: LiveServer) -> None:
    ticket = server.ticket(SHOW, **BUYER)
    expired = server.tickets.issue(show=SHOW, now_ms=1_000).ticket
    other_show = server.ticket("other")
    forged = ticket[:20] + ("A" if ticket[20] != "A" else "B") + ticket[21:]
    for bad in ("", "x", "%", "A" * 2000, expired, other_show, forged, ticket + "AAAA"):
        assert await status_of(server.socket(SHOW, bad)) == 403
    async with server.socket(SHOW, ticket) as socket:  # none of that used the real one up
        assert json.loads(await socket.recv())["type"] == "hello"


async def test_a_foreign_origin_is_refused_and_ours_are_not(server: LiveServer) -> None:
    here = f"http://127.0.0.1:{server.port}"
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        assert await status_of(server.socket(SHOW, server.ticket(SHOW), origin=origin)) == 403
    for origin in (here, "https://shop.example", None):
        async with server.viewer(SHOW, origin=origin) as viewer:
            assert (await viewer.next())["type"] == "hello"
    elsewhere = server.ticket(SHOW, origin="https://shop.example")
    assert await status_of(server.socket(SHOW, elsewhere, origin=here)) == 403


async def test_an_unknown_show_and_a_foreign_path_are_not_found(server: LiveServer) -> None:
    assert await status_of(server.socket("nowhere", server.ticket("nowhere"))) == 404
    assert await status_of(server.socket("a/b", server.ticket("a/b"))) == 404


async def test_the_banned_are_refused(server: LiveServer, store: Store) -> None:
    ticket = server.ticket(SHOW, **BUYER)
    await moderate(store, "ban", subject=BUYER["pid"])
    assert await status_of(server.socket(SHOW, ticket)) == 403


async def test_a_plain_request_gets_an_http_answer(server: LiveServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    ticket = server.ticket(SHOW)
    writer.write(
        f"GET /ws/{SHOW} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Protocol: vendue.v1, ticket.{ticket}\r\n\r\n".encode()
    )
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_a_full_server_says_so_before_the_upgrade(store: Store, shows: Shows) -> None:
    cap = SocketCap(total_max=3, per_address_max=2)
    async with live_server(store, cap=cap) as server:
        async with server.viewer(SHOW) as one, server.viewer(SHOW) as two:
            await one.until("snapshot")
            await two.until("snapshot")
            ticket = server.ticket(SHOW)
            assert await status_of(server.socket(SHOW, ticket)) == 503
        async with server.socket(SHOW, ticket) as three:  # the refusal has not used the ticket up
            await three.recv()
            assert cap.total == 1
    assert cap.total == 0
