"""Several products as one order: all or none, refusals name the product, refunds by line, over HTTP."""

from typing import Any

import pytest
from support.sale import ANNA, BORIS, Sale, decoded, person
from support.store import digest
from support.web import SHOW, Web, expect, refused

from server.commerce.bag import LINES_MAX, Wanted
from server.commerce.money import PRICE_MAX_MINOR, QUANTITY_MAX
from server.commerce.orders import Placed
from server.store.outcome import Refused
from server.store.store import Store

LIST = {"rule": "list", "id": None}


@pytest.fixture
async def sale(store: Store) -> Sale:
    return await Sale(store).start()


async def with_two(sale: Sale) -> None:
    await sale.product("mug", 1000, 5, per_viewer_max=3)
    await sale.product("vase", 500, 2)


async def bag(sale: Sale, *wanted: tuple[str, int, int], key: str = "k", who: Any = ANNA) -> Placed | Refused:
    return await sale.ledger.hold(sale.show, who, [Wanted(*each) for each in wanted], idempotency_key=key)


async def test_a_bag_is_one_order(sale: Sale) -> None:
    await with_two(sale)
    placed = await bag(sale, ("mug", 1, 1000), ("vase", 2, 600), ("mug", 1, 1200))
    assert isinstance(placed, Placed)
    order = decoded(placed.order.json)
    assert [(line["sku"], line["quantity"], line["unit_price_minor"]) for line in order["lines"]] == [
        ("mug", 2, 1000),
        ("vase", 2, 500),
    ]
    assert (order["goods_minor"], order["total_minor"]) == (3000, 3000)
    assert "sku" not in order
    assert (await sale.stock("mug"), await sale.stock("vase")) == ((3, 2, 0), (0, 2, 0))
    again = await bag(sale, ("mug", 2, 1000), ("vase", 2, 600))
    assert isinstance(again, Placed)
    assert (again.is_new, again.order.json) == (False, placed.order.json)
    assert await bag(sale, ("vase", 2, 600), ("mug", 2, 1000)) == Refused("idempotency_conflict")
    await sale.ledger.cancel(sale.show, ANNA, order["id"])
    assert (await sale.stock("mug"), await sale.stock("vase")) == ((5, 0, 0), (2, 0, 0))


async def test_nothing_of_a_bag_is_held_when_a_line_is_refused(sale: Sale) -> None:
    await with_two(sale)
    await sale.product("hidden", 100, 1, stock_display="hidden")
    before = await digest(sale.store, sale.show)
    mug = ("mug", 1, 1000)
    for wanted, refusal in [
        ((mug, ("vase", 3, 500)), Refused("sold_out", {"sku": "vase", "left": 2})),
        ((mug, ("vase", 1, 500), ("vase", 2, 500)), Refused("sold_out", {"sku": "vase", "left": 2})),
        ((mug, ("hidden", 2, 100)), Refused("sold_out", {"sku": "hidden", "left": None})),
        ((("mug", 4, 1000), ("vase", 3, 500)), Refused("limit_reached", {"sku": "mug", "limit": 3})),
        ((("vase", 3, 500), ("mug", 4, 1000)), Refused("limit_reached", {"sku": "mug", "limit": 3})),
        (
            (mug, ("vase", 1, 499)),
            Refused(
                "price_changed", {"sku": "vase", "price_minor": 500, "price_version": 1, "price_reason": LIST}
            ),
        ),
        ((mug, ("cup", 1, 500)), Refused("unknown_sku", {"sku": "cup"})),
        ((mug, ("a b", 1, 500)), Refused("unknown_sku", {"sku": "a b"})),
        ((), Refused("bad_request", {"field": "lines"})),
        (tuple((f"s{n}", 1, 1) for n in range(LINES_MAX + 1)), Refused("bad_request", {"field": "lines"})),
        (
            (("mug", QUANTITY_MAX, 1), ("vase", 1, 1), ("mug", 1, 1)),
            Refused("bad_request", {"sku": "mug", "field": "quantity"}),
        ),
    ]:
        assert await bag(sale, *wanted) == refusal
    most = [(f"s{n}", QUANTITY_MAX, PRICE_MAX_MINOR) for n in range(LINES_MAX)]
    over = await bag(sale, *most)
    assert isinstance(over, Refused)
    assert over.code == "bad_request"
    assert await digest(sale.store, sale.show) == before


async def test_an_order_has_one_seller_and_each_line_its_commission(sale: Sale) -> None:
    await sale.product("mug", 1000, 5, commission_bps=333)
    await sale.product("vase", 500, 5, commission_bps=1000)
    await sale.product("sams", 500, 5, seller=person("sam").pid)
    before = await digest(sale.store, sale.show)
    assert await bag(sale, ("mug", 1, 1000), ("sams", 1, 500)) == Refused("mixed_sellers", {"sku": "sams"})
    assert await digest(sale.store, sale.show) == before
    placed = await bag(sale, ("mug", 1, 1000), ("vase", 1, 500), who=BORIS)
    assert isinstance(placed, Placed)
    order = decoded(placed.order.json)
    assert (order["commission_bps"], order["commission_minor"]) == (None, 33 + 50)
    assert [line["commission_bps"] for line in order["lines"]] == [333, 1000]


async def test_a_bag_over_http(web: Web) -> None:
    vase = {"title": "Vase", "price_minor": 500, "stock": 3}
    await expect(201, web.call("PUT", "products/vase", vase, token=web.creator))
    lines = [
        {"sku": "mug", "quantity": 1, "price_minor": 1000},
        {"sku": "vase", "quantity": 2, "price_minor": 500},
    ]
    ann = web.bearer("ann")
    before = await web.digest()
    wrongs: list[dict[str, Any]] = [
        {"lines": []},
        {"lines": lines, "sku": "mug"},
        {"lines": [{**lines[0], "colour": "red"}]},
        {"lines": [{**lines[0], "quantity": 0}]},
        {"lines": lines * 11},
        {"lines": "mug"},
    ]
    for wrong in wrongs:
        await refused(400, "bad_request", web.call("POST", "orders", wrong, token=ann, key="k"))
    asked = {"lines": [lines[0], {**lines[1], "quantity": 4}]}
    answer = await web.call("POST", "orders", asked, token=ann, key="k")
    await refused(409, "sold_out", answer)
    assert (answer.json()["sku"], answer.json()["left"]) == ("vase", 3)
    assert await web.digest() == before

    placed = await expect(201, web.call("POST", "orders", {"lines": lines}, token=ann, key="k"))
    assert await expect(200, web.call("POST", "orders", {"lines": lines}, token=ann, key="k")) == placed
    other = {"lines": lines[:1]}
    await refused(422, "idempotency_conflict", web.call("POST", "orders", other, token=ann, key="k"))
    path = f"orders/{placed['id']}"
    paid = await expect(200, web.call("POST", f"{path}/pay", {"payment_token": "tok_ok"}, token=ann))
    assert (paid["state"], paid["total_minor"]) == ("paid", 2000)

    async def refund(key: str, **part: Any) -> Any:
        body = {"restock": True, "reason": "r", **part}
        return await web.call("POST", f"{path}/refund", body, token=web.creator, key=key)

    answer = await refund("a", quantity=1)
    await refused(400, "bad_request", answer)
    assert answer.json()["field"] == "sku"
    await refused(404, "unknown_sku", await refund("b", sku="cup"))
    await refused(400, "bad_request", await refund("c", sku="vase", amount_minor=5))
    await refused(409, "refund_too_large", await refund("d", sku="vase", quantity=3))
    part = await expect(200, await refund("e", sku="vase", quantity=1))
    assert (part["refunds"][0]["amount_minor"], part["refunds"][0]["lines"]) == (
        500,
        [{"sku": "vase", "quantity": 1}],
    )
    part = await expect(200, await refund("f", sku="vase"))
    await refused(409, "refund_too_large", await refund("g", sku="vase"))
    whole = await expect(200, await refund("h"))
    assert (whole["state"], [back["amount_minor"] for back in whole["refunds"]]) == (
        "refunded",
        [500, 500, 1000],
    )
    show = await expect(200, web.client.get(f"/api/v1/shows/{SHOW}"))
    assert {product["sku"]: product["sold"] for product in show["products"]} == {"mug": 0, "vase": 0}


async def test_a_bundle_is_sold_from_the_stock_of_its_parts(web: Web) -> None:
    vase = {"title": "Vase", "price_minor": 500, "stock": 5}
    await expect(201, web.call("PUT", "products/vase", vase, token=web.creator))
    parts = [{"sku": "mug", "quantity": 2}, {"sku": "vase", "quantity": 1}]
    bundle = {"title": "Set", "price_minor": 2200, "parts": parts}
    before = await web.digest()
    for wrong, code in [
        ({**bundle, "stock": 5}, "bad_request"),
        ({**bundle, "parts": []}, "bad_request"),
        ({**bundle, "parts": parts + parts[:1]}, "bad_request"),
        ({**bundle, "parts": [{"sku": "cup", "quantity": 1}]}, "bad_part"),
        ({**bundle, "parts": [{"sku": "set", "quantity": 1}]}, "bad_part"),
        ({**bundle, "seller": "sam"}, "bad_part"),
        ({**bundle, "parts": [{"sku": "a b", "quantity": 1}]}, "bad_request"),
    ]:
        answer = await web.call("PUT", "products/set", wrong, token=web.creator)
        await refused(409 if code == "bad_part" else 400, code, answer)
    assert (await web.digest()) == before
    put = await expect(201, web.call("PUT", "products/set", bundle, token=web.creator))
    assert put["parts"] == parts
    before = await web.digest()
    await refused(
        409,
        "bad_part",
        web.call(
            "PUT", "products/more", {**bundle, "parts": [{"sku": "set", "quantity": 1}]}, token=web.creator
        ),
    )
    await refused(
        409,
        "bundle_is_fixed",
        web.call("PUT", "products/set", {**bundle, "parts": parts[:1]}, token=web.creator),
    )
    await refused(
        409,
        "bundle_has_no_stock",
        web.call("POST", "products/set/restock", {"delta": 1}, token=web.creator, key="r"),
    )
    lot = {"sku": "set", "start_minor": 100, "duration_s": 60}
    await refused(409, "sold_out", web.call("POST", "lots", lot, token=web.creator))
    assert await web.digest() == before

    async def left() -> dict[str, Any]:
        show = await expect(200, web.client.get(f"/api/v1/shows/{SHOW}"))
        return {product["sku"]: product["left"] for product in show["products"]}

    had = await left()
    assert had["set"] == min(had["mug"] // 2, had["vase"])
    ann = web.bearer("ann")
    line = {"sku": "set", "quantity": 1, "price_minor": 2200}
    bag = {"lines": [line, {"sku": "vase", "quantity": 4, "price_minor": 500}]}
    placed = await expect(201, web.call("POST", "orders", bag, token=ann, key="k"))
    now = await left()
    assert (now["mug"], now["vase"], now["set"]) == (had["mug"] - 2, 0, 0)
    digest_now = await web.digest()
    answer = await web.call("POST", "orders", line, token=web.bearer("bob"), key="k")
    await refused(409, "sold_out", answer)
    assert answer.json()["left"] == 0
    assert await web.digest() == digest_now
    await expect(200, web.call("POST", f"orders/{placed['id']}/cancel", token=ann))
    assert await left() == had
    file = (await web.call("GET", "products.csv", token=web.creator)).text
    assert "mug:2 vase:1" in file
    head = {"Authorization": f"Bearer {web.creator}", "Content-Type": "text/csv"}
    again = web.client.post(f"/api/v1/shows/{SHOW}/products.csv", content=file, headers=head)
    assert await expect(200, again) == {"created": 0, "changed": 3}
