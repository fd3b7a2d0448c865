"""Buying over HTTP: what works, and every refusal, after which nothing in the show's keys has changed."""

import asyncio
from typing import Any

import httpx
import pytest
from support.web import Web, expect, refused

BODY: dict[str, Any] = {"sku": "mug", "quantity": 1, "price_minor": 1000}


async def order(web: Web, subject: str = "ann", key: str = "k1", **changes: object) -> httpx.Response:
    return await web.call("POST", "orders", {**BODY, **changes}, token=web.bearer(subject), key=key)


async def stock(web: Web) -> tuple[int, int, int]:
    (product,) = (await expect(200, web.call("GET", "")))["products"]
    return product["left"], product["held"], product["sold"]


async def test_a_purchase_from_hold_to_refund(web: Web) -> None:
    held = await expect(201, order(web, quantity=2))
    assert (held["state"], held["total_minor"], held["unit_price_minor"]) == ("held", 2000, 1000)
    assert await stock(web) == (3, 2, 0)
    path = f"orders/{held['id']}"
    ann = web.bearer("ann")
    paid = await expect(200, web.call("POST", f"{path}/pay", {"payment_token": "tok_ok"}, token=ann))
    assert paid["state"] == "paid"
    assert await stock(web) == (3, 0, 2)
    assert (await expect(200, web.call("GET", path, token=ann)))["state"] == "paid"
    mine = await expect(200, web.call("GET", "/api/v1/me/orders", token=ann))
    assert [entry["id"] for entry in mine["orders"]] == [held["id"]]
    body = {"restock": True, "reason": "broken"}
    back = await expect(200, web.call("POST", f"{path}/refund", body, token=web.creator, key="r1"))
    assert back["state"] == "refunded"
    assert await stock(web) == (5, 0, 0)


async def test_a_key_yields_its_order_for_ever(web: Web) -> None:
    first = await expect(201, order(web))
    again = await expect(200, order(web))
    assert again["id"] == first["id"]
    await expect(200, web.call("POST", f"orders/{first['id']}/cancel", token=web.bearer("ann")))
    assert (await expect(200, order(web)))["state"] == "cancelled"
    await expect(200, web.call("POST", "end", token=web.creator))
    assert (await expect(200, order(web)))["id"] == first["id"]


async def test_a_lower_price_than_seen_is_taken(web: Web) -> None:
    assert (await expect(201, order(web, price_minor=5000)))["unit_price_minor"] == 1000


async def test_buyers_at_once_never_get_more_than_there_is(web: Web) -> None:
    answers = await asyncio.gather(*(order(web, f"buyer{n}", f"key{n}") for n in range(40)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 5 + [409] * 35
    assert await stock(web) == (0, 5, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**30}, None),
        ({"quantity": 10_001}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": "1"}, "quantity"),
        ({"price_minor": -1}, "price_minor"),
        ({"price_minor": 10**11 + 1}, "price_minor"),
        ({"sku": 7}, "sku"),
        ({"sku": ""}, "sku"),
        ({"discount": "X"}, "discount"),
    ],
)
async def test_a_body_out_of_bounds_is_refused_by_name(
    web: Web, changes: dict[str, Any], field: str | None
) -> None:
    before = await web.digest()
    problem = await refused(400, "bad_request", order(web, **changes))
    if field:
        assert problem["field"] == field
    assert await web.digest() == before


async def test_refusals_of_the_sale_change_nothing(web: Web) -> None:
    ann = web.bearer("ann")
    before = await web.digest()
    await refused(400, "idempotency_key_required", web.call("POST", "orders", BODY, token=ann))
    await refused(400, "idempotency_key_required", order(web, key=""))
    await refused(400, "bad_request", order(web, key="k" * 256))
    await refused(404, "unknown_sku", order(web, sku="cup"))
    await refused(404, "unknown_sku", order(web, sku="no such {thing}"))
    problem = await refused(409, "price_changed", order(web, price_minor=999))
    assert (problem["price_minor"], problem["price_version"]) == (1000, 1)
    assert problem["price_reason"] == {"rule": "list", "id": None}
    problem = await refused(409, "limit_reached", order(web, quantity=5))
    assert problem["limit"] == 4
    path = "/api/v1/shows/nowhere/orders"
    await refused(404, "unknown_show", web.call("POST", path, BODY, token=ann, key="k"))
    await refused(
        404, "unknown_show", web.call("POST", "/api/v1/shows/a%7Bb%7D/orders", BODY, token=ann, key="k")
    )
    await refused(401, "token_required", web.call("POST", "orders", BODY, key="k"))
    await refused(401, "invalid_token", web.call("POST", "orders", BODY, key="k", token="nonsense"))
    other = web.bearer("ann", show="other")
    await refused(403, "forbidden", web.call("POST", "orders", BODY, key="k", token=other))
    guest = (await expect(201, web.call("POST", "/api/v1/guests")))["token"]
    await refused(403, "guests_closed", web.call("POST", "orders", BODY, key="k", token=guest))
    assert await web.digest() == before


async def test_a_used_key_with_another_body_is_a_conflict(web: Web) -> None:
    await expect(201, order(web))
    before = await web.digest()
    await refused(422, "idempotency_conflict", order(web, quantity=2))
    await refused(422, "idempotency_conflict", order(web, price_minor=1001))
    assert await web.digest() == before
    other = await expect(201, order(web, "bob"))  # another buyer's key of the same name is another key
    assert other["id"] != (await expect(200, order(web)))["id"]


async def test_sold_out_tells_what_is_left(web: Web) -> None:
    await expect(201, order(web, "bob", quantity=4))
    before = await web.digest()
    assert (await refused(409, "sold_out", order(web, quantity=2)))["left"] == 1
    assert await web.digest() == before


async def test_no_sale_while_the_show_is_not_live_or_sales_are_paused(web: Web) -> None:
    pause = {"action": "pause_sales", "reason": "price check"}
    await expect(200, web.call("POST", "moderation", pause, token=web.creator))
    await refused(409, "sales_paused", order(web))
    await expect(200, web.call("POST", "moderation", {**pause, "action": "resume_sales"}, token=web.creator))
    await expect(200, web.call("POST", "pause", token=web.creator))
    before = await web.digest()
    await refused(409, "show_closed", order(web))
    assert await web.digest() == before


async def test_a_banned_buyer_is_refused(web: Web) -> None:
    ban = {"action": "ban", "subject": "ann", "reason": "fraud"}
    await expect(200, web.call("POST", "moderation", ban, token=web.creator))
    before = await web.digest()
    await refused(403, "banned", order(web))
    await refused(403, "banned", web.call("POST", "ticket", token=web.bearer("ann")))
    assert await web.digest() == before


async def test_orders_are_invisible_to_others(web: Web) -> None:
    placed = await expect(201, order(web))
    path = f"orders/{placed['id']}"
    bob = web.bearer("bob")
    before = await web.digest()
    await refused(404, "unknown_order", web.call("GET", path, token=bob))
    await refused(404, "unknown_order", web.call("GET", "orders/o_nothing", token=web.bearer("ann")))
    await refused(404, "unknown_order", web.call("POST", f"{path}/cancel", token=bob))
    await refused(
        404, "unknown_order", web.call("POST", f"{path}/pay", {"payment_token": "tok_ok"}, token=bob)
    )
    await refused(401, "token_required", web.call("GET", path))
    await refused(401, "token_required", web.call("GET", "/api/v1/me/orders"))
    body = {"restock": True, "reason": "mine"}
    ann = web.bearer("ann")
    await refused(
        400, "idempotency_key_required", web.call("POST", f"{path}/refund", body, token=web.creator)
    )
    await refused(403, "forbidden", web.call("POST", f"{path}/refund", body, token=ann, key="r"))
    await refused(
        409, "illegal_transition", web.call("POST", f"{path}/refund", body, token=web.creator, key="r")
    )
    assert await web.digest() == before
    assert (await expect(200, web.call("GET", path, token=web.creator)))["id"] == placed["id"]


async def test_payments_that_fail(web: Web) -> None:
    placed = await expect(201, order(web))
    pay = f"orders/{placed['id']}/pay"
    ann = web.bearer("ann")
    await refused(402, "declined", web.call("POST", pay, {"payment_token": "tok_declined"}, token=ann))
    await refused(400, "bad_request", web.call("POST", pay, {}, token=ann))
    await refused(400, "bad_request", web.call("POST", pay, {"payment_token": ""}, token=ann))
    problem = await refused(
        503, "payment_unknown", web.call("POST", pay, {"payment_token": "tok_error"}, token=ann)
    )
    assert problem["order"]["state"] == "paying"
    await refused(409, "payment_in_progress", web.call("POST", pay, {"payment_token": "tok_ok"}, token=ann))
    assert await stock(web) == (4, 1, 0)
