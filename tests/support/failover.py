"""A sale over HTTP that goes on while nodes of its store die: what buyers were promised, and what there is.

Buyers repeat every purchase with its key until it is answered. A viewer watches and chats all the while.
FAILOVER_SEEDS=20 has so many sales (`make soak-failover`), with more ways to lose a node.
"""

import asyncio
import contextlib
import io
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from support.fleet import Node, eventually
from support.live_server import LiveViewer
from support.web import SHOW, Web, expect, running
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from server.export import export_show
from server.log import reader
from server.log.entries import Entry
from server.seal_key import seal_key
from server.store.store import Store
from server.verify.chain import Sound, verify

SEEDS: Final = range(int(os.environ.get("FAILOVER_SEEDS", "1")))
HOWS: Final = ("killed", "silent", "cut off") if len(SEEDS) > 1 else ("killed", "cut off")  # ten seconds each
RESUME_S: Final = 5.0
FOLLOWS_S: Final = 60.0  # Sentinels that a busy machine stopped for 2 s do nothing for the next 30 (TILT)
STOCK = 10_000
RETRY_S = 0.05


async def open_show(web: Web) -> None:
    """A live show with many mugs, as soon as the store makes promises."""
    show = {"id": SHOW, "title": "Drop", "currency": "USD"}
    await expect(201, web.call("POST", "/api/v1/shows", show, token=web.creator))
    mug = {"title": "Mug", "price_minor": 1000, "stock": STOCK}

    async def put() -> bool:
        return (await web.call("PUT", "products/mug", mug, token=web.creator)).status_code in (200, 201)

    await eventually(put)
    await expect(200, web.call("POST", "start", token=web.creator))


@dataclass
class Promises:
    """What the buyers were told."""

    orders: dict[str, str] = field(default_factory=dict[str, str])
    acknowledged_at: list[float] = field(default_factory=list[float])
    answers: Counter[str] = field(default_factory=Counter[str])
    contradictions: list[str] = field(default_factory=list[str])

    def first_after(self, since: float) -> float | None:
        """When the first purchase after `since` was acknowledged (monotonic seconds)."""
        return next((at for at in self.acknowledged_at if at > since), None)

    def note(self, key: str, order: str) -> None:
        """An answer 200 or 201."""
        if self.orders.setdefault(key, order) != order:
            self.contradictions.append(f"{key}: two orders")
        self.acknowledged_at.append(time.monotonic())


@contextlib.asynccontextmanager
async def buying(web: Web, buyers: int) -> AsyncGenerator[Promises]:
    """So many buyers, each with one purchase under way at a time, until the block ends."""
    promises, stop = Promises(), asyncio.Event()

    async def buy(buyer: int) -> None:
        token, number = web.bearer(f"buyer{buyer}"), 0
        body = {"sku": "mug", "quantity": 1, "price_minor": 1000}
        while not stop.is_set():
            number += 1
            key = f"{buyer}-{number}"
            while (order := await _attempt(web, promises, body, token, key)) is None and not stop.is_set():
                await asyncio.sleep(RETRY_S)
            if order is not None:
                promises.note(key, order)
                await asyncio.sleep(RETRY_S / 5)

    tasks = [asyncio.create_task(buy(buyer)) for buyer in range(buyers)]
    try:
        yield promises
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _attempt(web: Web, promises: Promises, body: Any, token: str, key: str) -> str | None:
    try:
        answer = await web.call("POST", "orders", body, token=token, key=key)
    except httpx.HTTPError as error:
        promises.answers[type(error).__name__] += 1
        return None
    promises.answers[f"{answer.status_code} {answer.json().get('code', '')}"] += 1
    if answer.status_code >= 500:
        return None
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


@dataclass
class Watching:
    """What a viewer saw; LiveViewer fails when a public entry is missing or comes twice."""

    viewer: LiveViewer
    said: dict[str, float] = field(default_factory=dict[str, float])
    heard: dict[str, float] = field(default_factory=dict[str, float])
    broken: str = ""

    async def hears_itself(self, within_s: float) -> bool:
        """Say something new; is it heard in time?"""
        text = f"line {len(self.said)}"
        self.said[text] = time.monotonic()
        await self.viewer.say(type="chat", cid=text, text=text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while text not in self.heard:
                    await asyncio.sleep(0.02)
        return text in self.heard

    async def read(self) -> None:
        """Read until the socket closes."""
        try:
            while True:
                update: dict[str, Any] = json.loads(await self.viewer.socket.recv())
                self._take(update)
        except ConnectionClosed:
            pass
        except AssertionError as error:
            self.broken = str(error)

    def _take(self, update: dict[str, Any]) -> None:
        if update["type"] == "tick":
            for line in update["data"]["chat"]:
                self.heard[line["text"]] = time.monotonic()
        self.viewer.take(update)


@contextlib.asynccontextmanager
async def watching(web: Web) -> AsyncGenerator[Watching]:
    """A viewer on a WebSocket of the worker."""
    token = web.bearer("viewer")
    ticket = (await expect(201, web.call("POST", "ticket", token=token)))["ticket"]
    url = web.url.replace("http", "ws").rstrip("/") + f"/ws/{SHOW}"
    protocols = [Subprotocol("vendue.v1"), Subprotocol(f"ticket.{ticket}")]
    async with connect(url, subprotocols=protocols, compression=None, ping_interval=None) as socket:
        seen = Watching(LiveViewer(socket))
        reading = asyncio.create_task(seen.read())
        try:
            yield seen
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def whole_log(store: Store, show: str = SHOW) -> list[Entry]:
    """Every entry of the show."""
    entries: list[Entry] = []
    while page := await reader.entries(store, show, entries[-1].seq if entries else 0):
        entries += page
    return entries


async def judge(web: Web, store: Store, promises: Promises) -> int:
    """No acknowledged order lost, none doubled, the stock adds up, and the exported log verifies.

    Gives how many orders there are.
    """
    entries = await whole_log(store)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    held = Counter(str(entry.body["order"]["id"]) for entry in entries if entry.kind == "order.held")
    assert not promises.contradictions
    lost = [key for key, order in promises.orders.items() if order not in held]
    assert not lost, f"{len(lost)} of {len(promises.orders)} acknowledged orders are lost: {lost[:5]}"
    assert not [order for order, times in held.items() if times > 1]
    assert len(set(promises.orders.values())) == len(promises.orders)
    reply = await store.reads.call("HMGET", f"ls:{{{SHOW}}}:p:mug", "left", "held", "sold")
    assert reply == [b"%d" % (STOCK - len(held)), b"%d" % len(held), b"0"]
    out = io.BytesIO()
    assert await export_show(web.settings, SHOW, out) is not None
    verdict = verify(out.getvalue().splitlines(keepends=True), seal_key(web.settings).public_key())
    assert isinstance(verdict, Sound), verdict
    return len(held)


@dataclass(frozen=True)
class Shown:
    """How to see and mend a failover of some kind of store."""

    url: str
    replicas: int
    primary: Callable[[], Awaitable[Node]]
    failed_over: Callable[[Node], Awaitable[Node]]
    """Waits until it is another than this one."""
    as_replica_of: Callable[[Node], tuple[str, ...]] = lambda _: ()
    """How a node is started again, where it does not know of itself."""


async def lose(node: Node, how: str) -> None:
    """`silent`: nobody reaches it, but its sockets stay open. `cut off`: only clients reach it."""
    match how:
        case "killed":
            await node.kill()
        case "silent":
            node.send(signal.SIGSTOP)
        case _:
            await node.cut_off()


async def bring_back(lost: Node, how: str, *args: str) -> None:
    """It returns (started with `args` when it was killed), and is a replica."""
    match how:
        case "killed":
            await lost.start(*args)
        case "silent":
            lost.send(signal.SIGCONT)
        case _:
            await lost.heal()

    async def follows() -> bool:
        return await lost.info("role") == "slave"

    await eventually(follows, FOLLOWS_S)


async def survive(store: Store, shown: Shown, how: str, seed: int) -> None:
    """A sale loses its primary and gets it back as a replica: no promise is broken, and buying goes on."""
    dice = random.Random(f"{how} {seed}")
    home = (await shown.primary()).home
    async with running(store, home, redis={"url": shown.url, "wait_replicas": shown.replicas}) as web:
        await open_show(web)
        lost = await shown.primary()
        async with watching(web) as viewer, buying(web, dice.randint(4, 16)) as promises:

            async def chats() -> bool:
                return await viewer.hears_itself(within_s=0.5)

            await asyncio.sleep(dice.uniform(0.5, 1.5))
            await eventually(chats)
            epoch, began = viewer.viewer.epoch, time.monotonic()
            await lose(lost, how)
            if how == "cut off":  # what is told meanwhile is lost, but nothing that was promised
                await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=web.creator))
            primary = await shown.failed_over(lost)
            failed_over = time.monotonic()
            await eventually(chats)
            chat_back = time.monotonic()
            await expect(200, web.call("GET", ""))
            assert promises.first_after(failed_over) is None  # too few nodes are there
            back = time.monotonic()
            await bring_back(lost, how, *shown.as_replica_of(primary))
            replica_again = time.monotonic()

            async def resumed() -> bool:
                return promises.first_after(back) is not None

            await eventually(resumed)
            first = promises.first_after(back)
            assert first is not None
            await asyncio.sleep(1.0)
            await eventually(chats)
            if how == "cut off":
                assert viewer.viewer.epoch != epoch
                assert (await expect(200, web.call("GET", "")))["pin"] is None
        assert not viewer.broken
        orders = await judge(web, store, promises)
        print(
            f"\nseed {seed}, {how}: {len(promises.orders)} acknowledged of {orders}; another "
            f"primary after {failed_over - began:.1f} s, chat after {chat_back - began:.1f} s; the node "
            f"was a replica {replica_again - back:.1f} s after its return, an order was acknowledged "
            f"after {first - back:.1f} s; {dict(promises.answers)}"
        )
        assert first - replica_again <= RESUME_S
