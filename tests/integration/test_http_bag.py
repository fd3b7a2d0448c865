"""The show's bag over HTTP: all of it at once or nothing; what is not in it is not for sale."""

from typing import Any

from support.web import Web, expect, refused

SETS_MAX = 100


async def fill(web: Web) -> None:
    for sku in ("vase", "pot"):
        product = {"title": sku.title(), "price_minor": 500, "stock": 5}
        await expect(201, web.call("PUT", f"products/{sku}", product, token=web.creator))


async def seen(web: Web) -> list[tuple[str, bool]]:
    show = await expect(
        200, web.client.get("/api/v1/shows/show1", headers={"Authorization": f"Bearer {web.creator}"})
    )
    return [(product["sku"], product["listed"]) for product in show["products"]]


async def buy(web: Web, sku: str, key: str) -> Any:
    body = {"sku": sku, "quantity": 1, "price_minor": 2_000}
    return await web.call("POST", "orders", body, token=web.bearer("anna"), key=key)


async def test_a_bag_is_what_is_for_sale(web: Web) -> None:
    await fill(web)
    assert await seen(web) == [("mug", True), ("vase", True), ("pot", True)]
    await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=web.creator))
    bag = {"skus": ["pot", "vase"]}
    assert await expect(200, web.call("PUT", "bag", bag, token=web.creator)) == bag
    assert await seen(web) == [("pot", True), ("vase", True), ("mug", False)]
    show = await expect(200, web.client.get("/api/v1/shows/show1"))
    assert show["pin"] is None, "what leaves the bag leaves the screen"
    before = await web.digest()
    await refused(409, "not_for_sale", await buy(web, "mug", "k1"))
    await refused(409, "not_for_sale", web.call("PUT", "pin", {"sku": "mug"}, token=web.creator))
    flash = {"sku": "mug", "price_minor": 700, "duration_s": 60}
    await refused(409, "not_for_sale", web.call("POST", "flash", flash, token=web.creator))
    lot = {"sku": "mug", "start_minor": 500, "duration_s": 60}
    await refused(409, "not_for_sale", web.call("POST", "lots", lot, token=web.creator))
    assert await expect(200, web.call("PUT", "bag", bag, token=web.creator)) == bag
    assert await web.digest() == before, "the same bag again is no change"
    await expect(201, buy(web, "pot", "k2"))


async def test_a_hold_goes_on_when_its_product_leaves_the_bag(web: Web) -> None:
    order = (await expect(201, buy(web, "mug", "k1")))["id"]
    await expect(200, web.call("PUT", "bag", {"skus": []}, token=web.creator))
    assert await expect(200, buy(web, "mug", "k1")), "a repeat is answered"
    paid = web.call("POST", f"orders/{order}/pay", {"payment_token": "tok_ok"}, token=web.bearer("anna"))
    assert (await expect(200, paid))["state"] == "paid"


async def test_nothing_of_a_wrong_bag_is_taken(web: Web) -> None:
    await fill(web)
    flash = {"sku": "vase", "price_minor": 400, "duration_s": 60}
    await expect(201, web.call("POST", "flash", flash, token=web.creator))
    before = await web.digest()
    for status, code, body in (
        (404, "unknown_sku", {"skus": ["pot", "vase", "nothing"]}),
        (409, "flash_running", {"skus": ["pot", "mug"]}),
        (400, "bad_request", {"skus": ["pot", "vase", "pot"]}),
        (400, "bad_request", {"skus": ["pot"], "set": "s"}),
        (400, "bad_request", {}),
        (400, "bad_request", {"skus": ["a b"]}),
        (404, "unknown_set", {"set": "nothing"}),
    ):
        await refused(status, code, web.call("PUT", "bag", body, token=web.creator))
    await refused(403, "forbidden", web.call("PUT", "bag", {"skus": []}, token=web.bearer("anna")))
    assert await web.digest() == before


async def test_a_set_becomes_the_bag(web: Web) -> None:
    await fill(web)
    kitchen = {"title": "Kitchen", "skus": ["vase", "mug"]}
    made = await expect(201, web.call("PUT", "sets/kitchen", kitchen, token=web.creator))
    assert made == {"id": "kitchen", **kitchen}
    changed = {**kitchen, "skus": ["vase"]}
    await expect(200, web.call("PUT", "sets/kitchen", changed, token=web.creator))
    await expect(201, web.call("PUT", "sets/all", {"title": "All", "skus": ["pot"]}, token=web.creator))
    sets = await expect(200, web.call("GET", "sets", token=web.creator))
    assert [one["id"] for one in sets["sets"]] == ["all", "kitchen"]
    await expect(200, web.call("PUT", "bag", {"set": "kitchen"}, token=web.creator))
    assert await seen(web) == [("vase", True), ("mug", False), ("pot", False)]
    await refused(403, "forbidden", web.call("GET", "sets", token=web.bearer("anna")))
    before = await web.digest()
    await refused(
        404, "unknown_sku", web.call("PUT", "sets/x", {"title": "X", "skus": ["no"]}, token=web.creator)
    )
    many = {"title": "X", "skus": [f"p{n}" for n in range(101)]}
    await refused(400, "bad_request", web.call("PUT", "sets/x", many, token=web.creator))
    await refused(400, "bad_request", web.call("PUT", "sets/a%20b", kitchen, token=web.creator))
    await refused(403, "forbidden", web.call("PUT", "sets/x", kitchen, token=web.bearer("anna")))
    await refused(403, "forbidden", web.call("DELETE", "sets/kitchen", token=web.bearer("anna")))
    assert await web.digest() == before
    assert (await web.call("DELETE", "sets/kitchen", token=web.creator)).status_code == 204
    assert (await web.call("DELETE", "sets/kitchen", token=web.creator)).status_code == 204
    assert await seen(web) == [("vase", True), ("mug", False), ("pot", False)]


async def test_a_show_keeps_a_hundred_sets(web: Web) -> None:
    one = {"title": "One", "skus": ["mug"]}
    for n in range(SETS_MAX):
        await expect(201, web.call("PUT", f"sets/s{n}", one, token=web.creator))
    before = await web.digest()
    await refused(409, "too_many_sets", web.call("PUT", "sets/more", one, token=web.creator))
    assert await web.digest() == before
    await expect(200, web.call("PUT", "sets/s7", one, token=web.creator))
