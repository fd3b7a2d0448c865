"""A planned stop: viewers are told, requests under way are finished, nobody is let in any more."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from support.web import SHOW, Web, expect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def _until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


async def test_viewers_are_told_and_a_payment_under_way_is_finished(web: Web) -> None:
    ann = web.bearer("ann")
    order = {"sku": "mug", "quantity": 1, "price_minor": 1000}
    held = await expect(201, web.call("POST", "orders", order, token=ann, key="k"))
    issued = await expect(201, web.call("POST", "ticket", token=ann))
    protocols = ["vendue.v1", f"ticket.{issued['ticket']}"]
    async with connect(web.url.replace("http", "ws") + f"/ws/{SHOW}", subprotocols=protocols) as socket:  # type: ignore[arg-type]
        assert json.loads(await socket.recv())["type"] == "hello"
        pay = f"orders/{held['id']}/pay"
        paying = asyncio.create_task(web.call("POST", pay, {"payment_token": "tok_slow"}, token=ann))  # 3 s
        await asyncio.sleep(1.5)
        web.begin_stop()
        async with asyncio.timeout(5):
            kinds = [json.loads(frame)["type"] async for frame in _until_closed(socket)]
        assert "drain" in kinds
        assert socket.close_code == 1012
        assert (await expect(200, paying))["state"] == "paid"
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", web.client.base_url.port)
