"""How a product is held: at once, when its buyer pays, or by lottery; told with the pin, and kept by it."""

import asyncio
from typing import Any

import pytest
from support.sale import ANNA, BORIS, SHOW, Sale
from support.store import advance
from support.web import Web, expect, refused

from server.commerce.orders import Attempt, Settled
from server.store.store import Store

KILN = {"title": "Kiln", "price_minor": 900, "hold_policy": "pay_first"}


async def put(web: Web, sku: str = "kiln", **changes: Any) -> Any:
    return await web.call("PUT", f"products/{sku}", {**KILN, **changes}, token=web.creator)


async def buy(web: Web, who: str, sku: str = "kiln", **more: Any) -> Any:
    body = {"sku": sku, "quantity": 1, "price_minor": 1_000, **more}
    return await web.call("POST", "orders", body, token=web.bearer(who), key=f"{who}-{sku}")


async def pay(web: Web, who: str, order: Any, card: str = "tok_ok") -> Any:
    path = f"orders/{order['id']}/pay"
    return await web.call("POST", path, {"payment_token": card}, token=web.bearer(who))


async def stock(web: Web, sku: str = "kiln") -> tuple[int, int, int]:
    products = (await expect(200, web.call("GET", "")))["products"]
    found = next(product for product in products if product["sku"] == sku)
    return found["left"], found["held"], found["sold"]


async def test_of_twenty_who_open_one_pays(web: Web) -> None:
    await expect(201, put(web, stock=1))
    people = [f"buyer{n}" for n in range(20)]
    orders = [await expect(201, buy(web, who)) for who in people]
    assert {order["state"] for order in orders} == {"open"}
    assert all(order["pay_first"] and order["expires_at_ms"] for order in orders)
    assert await stock(web) == (1, 0, 0), "nobody has reserved it"
    answers = await asyncio.gather(*map(pay, [web] * 20, people, orders))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 19]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"sold_out"}
    assert await stock(web) == (0, 0, 1)
    mine = [await expect(200, buy(web, who)) for who in people]
    assert sorted(order["state"] for order in mine) == ["open"] * 19 + ["paid"]
    await refused(409, "sold_out", buy(web, "late"))


async def test_a_declined_payment_gives_the_unit_back(web: Web) -> None:
    await expect(201, put(web, stock=1))
    anna, boris = [await expect(201, buy(web, who)) for who in ("anna", "boris")]
    answer = await refused(402, "declined", pay(web, "anna", anna, "tok_declined"))
    assert answer["order"]["state"] == "open"
    assert await stock(web) == (1, 0, 0)
    assert (await expect(200, pay(web, "boris", boris)))["state"] == "paid"
    before = await web.digest()
    await refused(409, "sold_out", pay(web, "anna", anna))
    assert await web.digest() == before
    cancel = web.call("POST", f"orders/{anna['id']}/cancel", {}, token=web.bearer("anna"))
    assert (await expect(200, cancel))["state"] == "cancelled"
    assert await stock(web) == (0, 0, 1)


async def test_an_open_order_runs_out_and_takes_nothing_along(web: Web) -> None:
    await expect(201, put(web, stock=2, per_viewer_max=1))
    order = await expect(201, buy(web, "anna"))
    await advance(web.store, "show1", 120_000)
    await refused(410, "hold_expired", pay(web, "anna", order))
    assert await stock(web) == (2, 0, 0)
    again = web.call(
        "POST",
        "orders",
        {"sku": "kiln", "quantity": 1, "price_minor": 900},
        token=web.bearer("anna"),
        key="again",
    )
    assert (await expect(200, pay(web, "anna", await expect(201, again))))["state"] == "paid"


async def test_a_show_that_is_paused_reserves_nothing(web: Web) -> None:
    await expect(201, put(web, stock=1))
    order = await expect(201, buy(web, "anna"))
    await expect(200, web.call("POST", "pause", token=web.creator))
    before = await web.digest()
    await refused(409, "show_closed", pay(web, "anna", order))
    assert await web.digest() == before
    await expect(200, web.call("POST", "resume", token=web.creator))
    assert (await expect(200, pay(web, "anna", order)))["state"] == "paid"


async def test_one_product_that_is_paid_first_opens_the_whole_bag(web: Web) -> None:
    await expect(201, put(web, stock=1))
    lines = [{"sku": sku, "quantity": 1, "price_minor": 1_000} for sku in ("mug", "kiln")]
    bag = await expect(201, web.call("POST", "orders", {"lines": lines}, token=web.bearer("anna"), key="bag"))
    left, held, sold = await stock(web, "mug")
    assert (bag["state"], held, sold) == ("open", 0, 0)
    assert (await expect(200, pay(web, "anna", bag)))["total_minor"] == 1_900
    assert await stock(web, "mug") == (left - 1, 0, 1)


async def test_what_goes_by_lottery_is_neither_ordered_nor_waited_for(web: Web) -> None:
    await expect(201, put(web, stock=1, hold_policy="lottery"))
    before = await web.digest()
    await refused(409, "lottery_only", buy(web, "anna"))
    wait = web.call("POST", "products/kiln/waitlist", {}, token=web.bearer("anna"), key="w")
    await refused(409, "lottery_only", wait)
    assert await web.digest() == before


async def test_the_pin_tells_the_policy_and_keeps_it(web: Web) -> None:
    await expect(201, put(web, stock=1))
    pinned = await expect(200, web.call("PUT", "pin", {"sku": "kiln"}, token=web.creator))
    assert pinned["hold_policy"] == "pay_first"
    before = await web.digest()
    await refused(409, "policy_pinned", put(web, hold_policy="hold"))
    assert await web.digest() == before
    await expect(200, put(web, title="Big kiln"))  # all else may change
    before = await web.digest()
    file = "sku,title,price_minor,hold_policy\nkiln,Kiln,900,lottery\n"
    headers = {"Authorization": f"Bearer {web.creator}", "Content-Type": "text/csv"}
    sent = web.client.post("/api/v1/shows/show1/products.csv", content=file, headers=headers)
    assert (await refused(422, "bad_rows", sent))["errors"][0]["column"] == "hold_policy"
    assert await web.digest() == before
    await web.call("DELETE", "pin", token=web.creator)
    await expect(200, put(web, hold_policy="hold"))
    assert (await expect(201, buy(web, "anna")))["state"] == "held"


async def test_what_others_used_up_meanwhile_refuses_the_payment(web: Web) -> None:
    await expect(201, put(web, stock=5))
    few = {"sku": "kiln", "price_minor": 700, "duration_s": 60, "quantity": 1}
    flash = await expect(201, web.call("POST", "flash", few, token=web.creator))
    await expect(201, web.call("PUT", "coupons/one", {"percent_off": 10, "quantity": 1}, token=web.creator))
    anna, boris = [await expect(201, buy(web, who, coupon="one")) for who in ("anna", "boris")]
    assert {anna["total_minor"], boris["total_minor"]} == {630}
    assert (await expect(200, pay(web, "anna", anna)))["state"] == "paid"
    before = await web.digest()
    await refused(409, "limit_reached", pay(web, "boris", boris))
    assert await web.digest() == before
    undo = web.call("POST", f"flash/{flash['id']}/refund_all", {"reason": "typo"}, token=web.creator, key="u")
    await expect(200, undo)
    mine = await expect(200, web.call("GET", "/api/v1/me/orders", token=web.bearer("boris")))
    assert [order["state"] for order in mine["orders"]] == ["cancelled"], "an open order at it, too"


@pytest.mark.parametrize(("taken", "state"), [(False, "paid"), (True, "refund_due")])
async def test_money_that_comes_after_it_was_declined(store: Store, taken: bool, state: str) -> None:
    """Its order is open again: it buys the unit while that is there, else it goes back."""
    sale = await Sale(store).start()
    await sale.product("kiln", stock=1, hold_policy="pay_first")
    anna, boris = [await sale.held(who, sku="kiln") for who in (ANNA, BORIS)]
    assert isinstance(await sale.ledger.begin_payment(SHOW, ANNA, anna, "tok"), Attempt)
    await sale.ledger.settle(SHOW, anna, 1, approved=False)
    assert await sale.state(anna) == "open"
    if taken:
        assert isinstance(await sale.ledger.begin_payment(SHOW, BORIS, boris, "tok"), Attempt)
    settled = await sale.ledger.settle(SHOW, anna, 1, approved=True)
    assert isinstance(settled, Settled)
    assert (settled.state, await sale.state(anna)) == (state, state)
    assert await sale.state(boris) == ("paying" if taken else "open")
