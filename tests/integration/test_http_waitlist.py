"""The waitlist over HTTP: what comes free is the first's in line, and nobody passes them."""

import asyncio
from typing import Any

from support.sale import ANNA, BORIS, SHOW, Sale, settings
from support.store import advance
from support.web import Web, expect, refused

from server.commerce.orders import Attempt, Settled
from server.commerce.waitlist import Place, Waitlist
from server.store.store import Store

LINE = "products/vase/waitlist"
TURN_MS = 60_000


async def fill(web: Web, stock: int = 1, **more: Any) -> None:
    product = {"title": "Vase", "price_minor": 500, "stock": stock, **more}
    await expect(201, web.call("PUT", "products/vase", product, token=web.creator))


async def buy(web: Web, who: str, key: str = "k") -> Any:
    body = {"sku": "vase", "quantity": 1, "price_minor": 500}
    return await web.call("POST", "orders", body, token=web.bearer(who), key=f"{who}-{key}")


async def join(web: Web, who: str, key: str = "w") -> Any:
    return await web.call("POST", LINE, {}, token=web.bearer(who), key=f"{who}-{key}")


async def lines(web: Web, who: str) -> Any:
    return (await expect(200, web.call("GET", "waitlist", token=web.bearer(who))))["lines"]


async def own_orders(web: Web, who: str) -> list[tuple[str, str]]:
    reply = await web.client.get("/api/v1/me/orders", headers={"Authorization": f"Bearer {web.bearer(who)}"})
    return [(order["id"], order["state"]) for order in reply.json()["orders"]]


async def until_held(web: Web, who: str) -> None:
    """Wait for the sweeper, which comes twice a second."""
    async with asyncio.timeout(10):
        while [state for _, state in await own_orders(web, who)] != ["held"]:
            await asyncio.sleep(0.05)


async def test_a_unit_that_comes_free_is_the_firsts_in_line(web: Web) -> None:
    await fill(web)
    order = (await expect(201, buy(web, "anna")))["id"]
    assert await expect(201, join(web, "boris")) == {"sku": "vase", "place": 1, "waiting": 1}
    assert await expect(201, join(web, "clara")) == {"sku": "vase", "place": 2, "waiting": 2}
    assert await expect(201, join(web, "clara", "again")) == {"sku": "vase", "place": 2, "waiting": 2}
    assert await lines(web, "clara") == [{"sku": "vase", "waiting": 2, "place": 2}]
    assert await lines(web, "dora") == [{"sku": "vase", "waiting": 2, "place": None}]
    await expect(200, web.call("POST", f"orders/{order}/cancel", {}, token=web.bearer("anna")))
    await refused(409, "sold_out", buy(web, "dora"))
    ((turn, state),) = await own_orders(web, "boris")
    assert state == "held"
    assert await lines(web, "clara") == [{"sku": "vase", "waiting": 1, "place": 1}]
    pay = web.call("POST", f"orders/{turn}/pay", {"payment_token": "tok_ok"}, token=web.bearer("boris"))
    paid = await expect(200, pay)
    assert (paid["state"], paid["lines"][0]["price_reason"]["rule"]) == ("paid", "list")
    assert paid["lines"][0]["waited"] > 0


async def test_a_turn_lasts_a_minute_and_goes_to_the_next(web: Web) -> None:
    await fill(web)
    order = (await expect(201, buy(web, "anna")))["id"]
    for who in ("boris", "clara"):
        await expect(201, join(web, who))
    await expect(200, web.call("POST", f"orders/{order}/cancel", {}, token=web.bearer("anna")))
    await advance(web.store, "show1", TURN_MS)
    await refused(409, "sold_out", buy(web, "dora"))  # due, and not yet written: it is Clara's all the same
    await until_held(web, "clara")
    assert [state for _, state in await own_orders(web, "boris")] == ["expired"]
    assert await lines(web, "clara") == []


async def test_late_money_does_not_pass_the_line(store: Store) -> None:
    sale = await Sale(store).start()
    waitlist = Waitlist(store, settings(), sale.ledger.buyers)
    await sale.product("vase", stock=1)
    order = await sale.held(ANNA, sku="vase")
    assert isinstance(await sale.ledger.begin_payment(SHOW, ANNA, order, "tok"), Attempt)
    place = await waitlist.join(SHOW, BORIS, "vase", idempotency_key="w")
    assert place == Place("vase", 1, 1)
    await advance(store, SHOW, 10 * TURN_MS)
    settled = await sale.ledger.settle(SHOW, order, 1, approved=True)
    assert isinstance(settled, Settled)
    assert settled.order.view().state == "refund_due"
    await sale.ledger.expire_due(SHOW)
    assert await sale.state(waitlist.order_id(SHOW, BORIS.pid, "w")) == "held"


async def test_who_may_not_wait_is_told_why(web: Web) -> None:
    await fill(web, per_viewer_max=1)
    before = await web.digest()
    await refused(409, "in_stock", join(web, "anna"))
    unknown = web.call("POST", "products/none/waitlist", {}, token=web.bearer("anna"), key="k")
    await refused(404, "unknown_sku", unknown)
    await refused(400, "idempotency_key_required", web.call("POST", LINE, {}, token=web.bearer("anna")))
    assert await web.digest() == before
    await expect(201, buy(web, "anna"))
    await refused(409, "limit_reached", join(web, "anna"))
    await expect(201, join(web, "boris"))
    await expect(204, web.call("DELETE", LINE, token=web.bearer("boris")))
    await expect(204, web.call("DELETE", LINE, token=web.bearer("boris")))
    assert await lines(web, "boris") == []


async def test_many_wait_and_many_come_at_once(web: Web) -> None:
    """Thirty wait, twenty others try to buy while ten units come: the first ten in line get them."""
    await fill(web)
    await expect(201, buy(web, "anna"))
    waiting = [f"w{n}" for n in range(30)]
    for who in waiting:
        await expect(201, join(web, who))
    restock = web.call("POST", "products/vase/restock", {"delta": 10}, token=web.creator, key="more")
    answers = await asyncio.gather(restock, *(buy(web, f"b{n}") for n in range(20)))
    assert answers[0].status_code == 200
    assert {answer.json()["code"] for answer in answers[1:]} == {"sold_out"}
    held = [who for who in waiting if await own_orders(web, who)]
    assert held == waiting[:10]
