"""Coupons over HTTP: what they take off, their limits under twenty tabs at once, and what they refuse."""

import asyncio
from typing import Any

from support.store import advance
from support.web import Web, expect, refused


async def make(web: Web, code: str = "autumn", **spec: Any) -> Any:
    spec = spec or {"percent_off": 20}
    return await web.call("PUT", f"coupons/{code}", spec, token=web.creator)


async def buy(web: Web, who: str, code: str = "AUTUMN", key: str = "k", **more: Any) -> Any:
    body = {"sku": "mug", "quantity": 1, "price_minor": 1_000, "coupon": code, **more}
    return await web.call("POST", "orders", body, token=web.bearer(who), key=f"{who}-{key}")


async def test_a_coupon_takes_off_what_it_says(web: Web) -> None:
    made = await expect(201, make(web, percent_off=20, quantity=3, per_viewer_max=2))
    assert (made["code"], made["percent_off"], made["quantity"], made["used"]) == ("AUTUMN", 20, 3, 0)
    told = await expect(200, web.call("GET", "coupons/Autumn", token=web.bearer("anna")))
    assert "used" not in told
    assert (told["percent_off"], told["over"]) == (20, False)
    order = await expect(201, buy(web, "anna", "autumn"))
    (line,) = order["lines"]
    assert (line["unit_price_minor"], line["coupon"], order["total_minor"]) == (800, "AUTUMN", 800)
    assert line["price_reason"] == {"rule": "coupon", "id": "AUTUMN"}
    assert await expect(200, buy(web, "anna", "autumn")) == order, "a repeat"
    await refused(422, "idempotency_conflict", buy(web, "anna", ""))
    pay = web.call("POST", f"orders/{order['id']}/pay", {"payment_token": "tok_ok"}, token=web.bearer("anna"))
    assert (await expect(200, pay))["state"] == "paid"
    bag = {"lines": [{"sku": "mug", "quantity": 1, "price_minor": 1_000}], "coupon": "AUTUMN"}
    both = await expect(201, web.call("POST", "orders", bag, token=web.bearer("anna"), key="bag"))
    assert both["total_minor"] == 800
    answer = await refused(409, "limit_reached", buy(web, "anna", key="third"))
    assert answer["limit"] == 2
    assert answer["coupon"] == "AUTUMN"
    file = (await web.call("GET", "orders.csv", token=web.creator)).text.splitlines()
    assert [row.rsplit(",", 1)[1] for row in file] == ["coupon", "AUTUMN", "AUTUMN"]
    (listed,) = (await expect(200, web.call("GET", "coupons", token=web.creator)))["coupons"]
    assert listed["used"] == 2


async def test_twenty_tabs_get_what_the_coupon_has(web: Web) -> None:
    await expect(201, make(web, amount_off_minor=300, quantity=1))
    answers = await asyncio.gather(*(buy(web, f"tab{n}") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 19]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"coupon_used_up"}
    order = next(answer.json() for answer in answers if answer.status_code == 201)
    who = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
    cancel = web.call("POST", f"orders/{order['id']}/cancel", {}, token=web.bearer(f"tab{who}"))
    await expect(200, cancel)
    assert (await expect(201, buy(web, "next")))["total_minor"] == 700, "what is let go can be used again"


async def test_a_coupon_that_is_over_buys_nothing_and_holds_stay(web: Web) -> None:
    await expect(201, make(web, percent_off=10, expires_in_s=60))
    order = await expect(201, buy(web, "anna"))
    await advance(web.store, "show1", 60_000)
    await refused(409, "coupon_over", buy(web, "boris"))
    pay = web.call("POST", f"orders/{order['id']}/pay", {"payment_token": "tok_ok"}, token=web.bearer("anna"))
    assert (await expect(200, pay))["total_minor"] == 900
    await expect(201, make(web, "five", amount_off_minor=5))
    ended = await expect(200, web.call("DELETE", "coupons/five", token=web.creator))
    assert ended["over"]
    await refused(409, "coupon_over", buy(web, "boris", "FIVE"))


async def test_the_preview_says_no_more_than_it_can_cost(web: Web) -> None:
    vase = {"title": "Vase", "price_minor": 500, "stock": 9, "cost_minor": 400}
    await expect(201, web.call("PUT", "products/vase", vase, token=web.creator))
    answer = await refused(409, "confirm_required", make(web, percent_off=80, quantity=2))
    told = (answer["units"], answer["given_up_minor"], answer["loss_minor"])
    assert told == (2, 1_600, 600), "two units: of the mug 800 less each, of the vase 300 below its cost"
    await expect(201, make(web, percent_off=80, quantity=2, confirm=True))


async def test_a_coupon_gives_nothing_away(web: Web) -> None:
    await expect(201, make(web, amount_off_minor=5_000, confirm=True))
    assert (await expect(201, buy(web, "anna")))["total_minor"] == 1


async def test_a_show_has_a_hundred_coupons(web: Web) -> None:
    for n in range(100):
        await expect(201, make(web, f"c-{n}", percent_off=5))
    await refused(409, "too_many_coupons", make(web, "one-more", percent_off=5))


async def test_what_is_refused_changes_nothing(web: Web) -> None:
    vase = {"title": "Vase", "price_minor": 500, "stock": 2, "floor_minor": 450, "cost_minor": 440}
    await expect(201, web.call("PUT", "products/vase", vase, token=web.creator))
    before = await web.digest()
    for status, code, spec in (
        (400, "bad_request", {}),
        (400, "bad_request", {"percent_off": 20, "amount_off_minor": 5}),
        (400, "bad_request", {"percent_off": 100}),
        (400, "bad_request", {"percent_off": 5, "expires_in_s": 59}),
        (404, "unknown_sku", {"percent_off": 5, "skus": ["none"]}),
        (409, "confirm_required", {"percent_off": 71}),
    ):
        body: dict[str, Any] = spec
        await refused(status, code, web.call("PUT", "coupons/abc", body, token=web.creator))
    await refused(400, "bad_request", make(web, "x"))
    await refused(403, "forbidden", web.call("PUT", "coupons/abc", {"percent_off": 5}, token=web.bearer("a")))
    await refused(403, "forbidden", web.call("GET", "coupons", token=web.bearer("anna")))
    await refused(404, "unknown_coupon", web.call("GET", "coupons/none", token=web.bearer("anna")))
    await refused(404, "unknown_coupon", buy(web, "anna", "none"))
    await refused(404, "unknown_coupon", buy(web, "anna", "?!"))
    assert await web.digest() == before
    await expect(201, make(web, percent_off=20, skus=["vase"]))
    await refused(409, "coupon_exists", make(web, percent_off=5))
    await expect(201, make(web, percent_off=20, skus=["vase"]))  # the very same, as after a lost answer
    await refused(409, "coupon_not_for", buy(web, "anna"))
    await refused(409, "coupon_not_for", buy(web, "anna", sku="vase"))  # it would be below the floor
    changed = await refused(409, "price_changed", buy(web, "anna", price_minor=900))
    assert changed["price_minor"] == 1_000, "what the buyer saw is held against the price before the coupon"
