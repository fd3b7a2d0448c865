"""A show's orders for who sells: JSON pages, the CSV file, and a buyer's receipt."""

import csv
import io
from typing import Any

from support.web import Web, expect, refused


async def buy(web: Web, who: str, sku: str = "mug", quantity: int = 1, *, pay: bool = False) -> str:
    body = {"sku": sku, "quantity": quantity, "price_minor": 1000}
    placed = await expect(201, web.call("POST", "orders", body, token=web.bearer(who), key=f"{who}-{sku}"))
    if pay:
        path = f"orders/{placed['id']}/pay"
        await expect(200, web.call("POST", path, {"payment_token": "tok_ok"}, token=web.bearer(who)))
    return str(placed["id"])


async def with_two_sellers(web: Web) -> list[str]:
    """Anna buys the owner's mug and pays, Bob buys what Sam sells, under a name that is a formula."""
    await expect(
        200,
        web.call("PUT", "members/=sam", {"roles": ["seller"]}, token=web.creator),
    )
    product = {"title": "Sam's", "price_minor": 900, "stock": 5, "seller": "=sam"}
    await expect(201, web.call("PUT", "products/sams", product, token=web.creator))
    return [await buy(web, "ann", quantity=2, pay=True), await buy(web, "bob", "sams"), await buy(web, "bob")]


async def pages(web: Web, token: str, query: str, step: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    following: int | None = None
    while True:
        more = f"&{step}={following}" if following else ""
        page = await expect(200, web.call("GET", f"orders?{query}{more}", token=token))
        found += page["orders"]
        following = page["next"]
        if following is None:
            return found


async def test_orders_by_page_both_ways(web: Web) -> None:
    ids = await with_two_sellers(web)
    listed = await pages(web, web.creator, "limit=1", "after")
    assert [order["id"] for order in listed] == ids
    assert [order["state"] for order in listed] == ["paid", "held", "held"]
    assert len({order["buyer"] for order in listed}) == 2
    assert all(order["buyer"].startswith("p_") for order in listed)
    newest = await expect(200, web.call("GET", f"orders?before={2**53 - 1}&limit=2", token=web.creator))
    assert [order["id"] for order in newest["orders"]] == ids[:0:-1]
    rest = await expect(200, web.call("GET", f"orders?before={newest['next']}", token=web.creator))
    assert ([order["id"] for order in rest["orders"]], rest["next"]) == (ids[:1], None)


async def test_a_seller_sees_own_and_shared_orders(web: Web) -> None:
    ids = await with_two_sellers(web)
    own = await pages(web, web.bearer("=sam", "seller"), "limit=2", "after")
    assert [order["id"] for order in own] == ids  # his, and the owner's, which are every seller's
    other = await pages(web, web.bearer("tom", "seller"), "limit=2", "after")
    assert [order["id"] for order in other] == [ids[0], ids[2]]


async def test_who_may_not_and_what_is_no_number(web: Web) -> None:
    await buy(web, "ann")
    before = await web.digest()
    for path in ("orders", "orders.csv"):
        await refused(403, "forbidden", web.call("GET", path, token=web.bearer("ann")))
        await refused(401, "token_required", web.call("GET", path))
        for wrong in ("x", "-1", "1e3", str(2**53), "٣"):
            await refused(400, "bad_request", web.call("GET", f"{path}?after={wrong}", token=web.creator))
    await refused(400, "bad_request", web.call("GET", "orders?limit=101", token=web.creator))
    refusal = await web.call("PUT", "orders", {}, token=web.creator)
    await refused(405, "method_not_allowed", refusal)
    assert refusal.headers["allow"] == "GET, HEAD, POST"
    assert await web.digest() == before


async def test_the_file(web: Web) -> None:
    ids = await with_two_sellers(web)
    for n in range(120):  # more than a page
        await web.call(
            "PUT", "products/many", {"title": "M", "price_minor": 10, "stock": 200}, token=web.creator
        )
        await buy(web, f"b{n}", "many")
    answer = await web.call("GET", "orders.csv", token=web.creator)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 123
    assert [row["order"] for row in rows[:3]] == ids
    first, second = rows[:2]
    assert (first["state"], first["sku"], first["quantity"], first["total_minor"]) == (
        "paid",
        "mug",
        "2",
        "2000",
    )
    assert (first["currency"], first["refunded_minor"]) == ("USD", "0")
    assert second["seller"][:1] != "="
    assert [int(row["entry"]) for row in rows] == sorted(int(row["entry"]) for row in rows)


async def test_a_receipt_is_its_buyers_alone(web: Web) -> None:
    mug = {"title": "<b>Mug</b>", "price_minor": 1000, "per_viewer_max": 4}
    await expect(200, web.call("PUT", "products/mug", mug, token=web.creator))
    order = await buy(web, "ann", quantity=2, pay=True)
    held = await buy(web, "bob")
    ann = web.bearer("ann")
    part = {"restock": False, "reason": "a scratch <i>", "amount_minor": 250}
    await expect(200, web.call("POST", f"orders/{order}/refund", part, token=web.creator, key="r"))
    answer = await web.call("GET", f"orders/{order}/receipt", token=ann)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    page = answer.text
    for said in (
        "&lt;b&gt;Mug&lt;/b&gt; × 2",
        "20.00 USD",
        "−2.50 USD",
        "a scratch &lt;i&gt;",
        ">Paid<",
        "host of the show",
    ):
        assert said in page, said
    assert f'href="{web.url}/verify/show1/{order}"' in page
    assert "<!--vendue" not in page
    assert "<script" not in page
    path = f"orders/{order}/receipt"
    await refused(404, "unknown_order", web.call("GET", path, token=web.bearer("bob")))
    await refused(404, "unknown_order", web.call("GET", path, token=web.creator))
    await refused(401, "token_required", web.call("GET", path))
    unpaid = web.call("GET", f"orders/{held}/receipt", token=web.bearer("bob"))
    await refused(409, "illegal_transition", unpaid)
