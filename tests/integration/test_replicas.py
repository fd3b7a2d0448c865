"""`redis.wait_replicas`: an answer is a promise of every replica, or it is none. Real nodes on loopback."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Awaitable

import httpx
import pytest
from support.fleet import Node, eventually, replicated
from support.sale import ANNA, BORIS, Sale
from support.web import SHOW, expect, refused, running

from server.commerce.orders import Placed
from server.live.roles import role_table
from server.log import reader
from server.store.outcome import Refused, StoreDegraded
from server.store.store import Store


@contextlib.asynccontextmanager
async def opened(node: Node, wait_replicas: int) -> AsyncGenerator[Store]:
    store = await Store.open(node.url, role_table(), wait_replicas=wait_replicas)
    try:
        yield store
    finally:
        await store.close()


async def open_sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await eventually(lambda: able(sale))
    return sale


async def able(sale: Sale) -> bool:
    try:
        await sale.product()
    except StoreDegraded:
        return False
    return True


async def buys(sale: Sale, key: str) -> bool:
    """One attempt; True when it was acknowledged."""
    try:
        return isinstance(await sale.hold(ANNA, key=key), Placed)
    except StoreDegraded:
        return False


async def test_an_order_without_its_replicas_is_no_promise_and_its_repeat_is_one_only_with_them() -> None:
    async with replicated(2) as [primary, first, _], opened(primary, 2) as store:
        sale = await open_sale(store)
        first.send(signal.SIGSTOP)
        with pytest.raises(StoreDegraded) as short:
            await sale.hold(ANNA, key="k")
        assert short.value.maybe_applied
        assert await sale.stock() == (9, 1, 0)  # the primary has it: the outcome is unknown, not nothing
        for _ in range(3):  # a repeat reads what is there, but is no promise either
            assert not await buys(sale, "k")
        first.send(signal.SIGCONT)
        await eventually(lambda: buys(sale, "k"))
        assert await sale.stock() == (9, 1, 0)
        held = [entry for entry in await reader.entries(store, sale.show, 0) if entry.kind == "order.held"]
        assert len(held) == 1


async def test_a_repeat_by_another_worker_waits_for_the_replicas_too() -> None:
    """WAIT looks at what its own connection wrote; a repeat writes nothing."""
    async with (
        replicated(1) as [primary, replica],
        opened(primary, 1) as store,
        opened(primary, 1) as other,
    ):
        sale, elsewhere = await open_sale(store), Sale(other)
        await eventually(lambda: buys(elsewhere, "before"))
        replica.send(signal.SIGSTOP)
        outcomes = await asyncio.gather(
            sale.hold(ANNA, key="k"), elsewhere.hold(ANNA, key="k"), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreDegraded, StoreDegraded]
        replica.send(signal.SIGCONT)
        await eventually(lambda: buys(elsewhere, "k"))
        assert await sale.stock() == (8, 2, 0)


async def test_many_orders_share_a_wait_and_each_gets_its_own_answer() -> None:
    async with replicated(1) as [primary, _], opened(primary, 1) as store:
        sale = await open_sale(store)
        before = await waits(primary)
        outcomes = await asyncio.gather(*(sale.hold(ANNA, key=f"k{n}") for n in range(30)))
        assert [isinstance(outcome, Placed) for outcome in outcomes].count(True) == 10
        assert [outcome for outcome in outcomes if isinstance(outcome, Refused)] == [
            Refused("sold_out", {"left": 0})
        ] * 20
        assert await waits(primary) - before <= 3  # that of the batch, and an idle one


async def waits(node: Node) -> int:
    said = await node.ask("INFO", "commandstats")
    assert isinstance(said, bytes)
    [line] = [line for line in said.decode().splitlines() if line.startswith("cmdstat_wait:")]
    return int(line.split("calls=")[1].split(",")[0])


async def test_degraded_is_known_before_the_next_buyer_comes_and_nothing_is_sent() -> None:
    async with replicated(1) as [primary, replica], opened(primary, 1) as store:
        sale = await open_sale(store)
        replica.send(signal.SIGSTOP)
        await asyncio.sleep(2.0)
        with pytest.raises(StoreDegraded) as refused_at_once:
            await sale.hold(BORIS, key="k")
        assert not refused_at_once.value.maybe_applied
        assert await sale.stock() == (10, 0, 0)
        assert await store.scripts.run("clock", sale.show, "", "", 0, 0)  # everything else goes on
        replica.send(signal.SIGCONT)


async def test_over_http_it_is_503_store_degraded_and_the_rest_goes_on() -> None:
    async with replicated(1) as [primary, replica], opened(primary, 0) as store:
        redis = {"url": primary.url, "wait_replicas": 1}
        async with running(store, primary.home, redis=redis) as web:
            show = {"id": SHOW, "title": "Drop", "currency": "USD"}
            await expect(201, web.call("POST", "/api/v1/shows", show, token=web.creator))
            mug = {"title": "Mug", "price_minor": 1000, "stock": 5}
            await eventually(lambda: succeeds(web.call("PUT", "products/mug", mug, token=web.creator)))
            await expect(200, web.call("POST", "start", token=web.creator))
            order, anna = {"sku": "mug", "quantity": 1, "price_minor": 1000}, web.bearer("anna")
            placed = await expect(201, web.call("POST", "orders", order, token=anna, key="first"))

            replica.send(signal.SIGSTOP)
            for _ in range(2):
                answer = await web.call("POST", "orders", order, token=anna, key="second")
                document = await refused(503, "store_degraded", answer)
                assert "Idempotency-Key" in document["detail"]
                assert answer.headers["retry-after"] == "1"
            cancel = f"orders/{placed['id']}/cancel"
            await refused(503, "store_degraded", web.call("POST", cancel, token=anna, key="c"))
            assert "vendue_store_degraded{" in (await web.call("GET", "/metrics")).text
            await expect(200, web.call("GET", ""))
            for action in ("pause_sales", "resume_sales"):
                asked = {"action": action, "reason": "the store"}
                await expect(200, web.call("POST", "moderation", asked, token=web.creator))

            replica.send(signal.SIGCONT)
            await eventually(lambda: succeeds(web.call("POST", "orders", order, token=anna, key="second")))
            [product] = (await expect(200, web.call("GET", "")))["products"]
            assert (product["left"], product["held"]) == (3, 2)


async def succeeds(call: Awaitable[httpx.Response]) -> bool:
    return (await call).status_code in (200, 201)
