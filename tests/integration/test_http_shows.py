"""Shows, products, prices, members and moderation over HTTP."""

from typing import Any

import httpx
from support.web import SHOW, Web, expect, refused


async def test_the_life_of_a_show(web: Web) -> None:
    show = await expect(200, web.call("GET", ""))
    assert (show["state"], show["frozen"], show["currency"]) == ("live", False, "USD")
    before = await web.digest()
    await refused(409, "illegal_transition", web.call("POST", "start", token=web.creator))
    await refused(409, "illegal_transition", web.call("POST", "resume", token=web.creator))
    assert await web.digest() == before
    paused = await expect(200, web.call("POST", "pause", token=web.creator))
    assert (paused["state"], paused["frozen"]) == ("paused", True)
    assert (await expect(200, web.call("POST", "resume", token=web.creator)))["state"] == "live"
    assert (await expect(200, web.call("POST", "end", token=web.creator)))["state"] == "ended"
    await refused(409, "illegal_transition", web.call("POST", "start", token=web.creator))


async def test_creating_shows(web: Web) -> None:
    body = {"title": "Second", "currency": "JPY"}
    answer = await web.call("POST", "/api/v1/shows", body, token=web.creator, key="c1")
    made = await expect(201, answer)
    assert answer.headers["location"] == f"/api/v1/shows/{made['id']}"
    again = await expect(201, web.call("POST", "/api/v1/shows", body, token=web.creator, key="c1"))
    assert again["id"] == made["id"]
    conflict = web.call("POST", "/api/v1/shows", {**body, "title": "Third"}, token=web.creator, key="c1")
    await refused(422, "idempotency_conflict", conflict)
    before = await web.digest()
    taken = {**body, "id": SHOW}
    await refused(409, "show_exists", web.call("POST", "/api/v1/shows", taken, token=web.creator))

    for wrong in ({"currency": "usd"}, {"title": ""}, {"id": "a b"}, {"guests": "all"}, {"starts_at_ms": -1}):
        await refused(
            400, "bad_request", web.call("POST", "/api/v1/shows", {**body, **wrong}, token=web.creator)
        )
    assert await web.digest() == before
    listed = (await expect(200, web.call("GET", "/api/v1/shows")))["shows"]
    assert {show["id"] for show in listed} == {SHOW, made["id"]}
    scoped = web.bearer("creator", "creator", show="mine")
    await refused(403, "forbidden", web.call("POST", "/api/v1/shows", {**body, "id": "yours"}, token=scoped))


async def test_a_key_makes_one_show_only(web: Web) -> None:
    async def make(key: str, **body: object) -> httpx.Response:
        body = {"title": "Three", "currency": "USD", **body}
        return await web.call("POST", "/api/v1/shows", body, token=web.creator, key=key)

    await expect(201, make("k", id="three"))
    await expect(201, make("k", id="three"))
    await refused(422, "idempotency_conflict", make("k", id="four"))
    await refused(422, "idempotency_conflict", make("k"))
    await refused(404, "unknown_show", web.client.get("/api/v1/shows/four"))
    await refused(409, "show_exists", make("k2", id="three"))
    await expect(201, make("k2", id="four"))  # the refused key had made nothing


async def test_products_and_stock(web: Web) -> None:
    cup = {"title": "Cup", "price_minor": 500, "stock": 3, "stock_display": "bucket"}
    made = await expect(201, web.call("PUT", "products/cup", cup, token=web.creator))
    assert (made["sku"], made["left"], made["price_version"]) == ("cup", 3, 1)
    before = await web.digest()
    await refused(409, "use_restock", web.call("PUT", "products/cup", cup, token=web.creator))
    await refused(400, "bad_request", web.call("PUT", "products/a b", cup, token=web.creator))
    restock = "products/cup/restock"
    await refused(400, "idempotency_key_required", web.call("POST", restock, {"delta": 1}, token=web.creator))
    await refused(
        409, "stock_underflow", web.call("POST", restock, {"delta": -4}, token=web.creator, key="a")
    )
    unknown = web.call("POST", "products/none/restock", {"delta": 1}, token=web.creator, key="a")
    await refused(404, "unknown_sku", unknown)
    assert await web.digest() == before
    changed = {"title": "Cup", "price_minor": 600}
    assert (await expect(200, web.call("PUT", "products/cup", changed, token=web.creator)))[
        "price_minor"
    ] == 600
    for _ in range(2):  # the second is a repeat
        stock = await expect(200, web.call("POST", restock, {"delta": 2}, token=web.creator, key="b"))
        assert stock["left"] == 5


async def test_stock_that_is_not_displayed_is_for_staff_only(web: Web) -> None:
    cup = {"title": "Cup", "price_minor": 500, "stock": 30, "stock_display": "hidden"}
    await expect(201, web.call("PUT", "products/cup", cup, token=web.creator))

    async def left(token: str | None) -> Any:
        products = (await expect(200, web.call("GET", "", token=token)))["products"]
        return next(product["left"] for product in products if product["sku"] == "cup")

    assert await left(None) is None
    assert await left(web.bearer("ann")) is None
    assert await left(web.creator) == 30


async def test_pin_and_flash(web: Web) -> None:
    pinned = await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=web.creator))
    assert (pinned["sku"], pinned["price_minor"]) == ("mug", 1000)
    assert (await expect(200, web.call("GET", "")))["pin"] == "mug"
    flash = {"sku": "mug", "price_minor": 700, "duration_s": 60, "quantity": 2}
    started = await expect(201, web.call("POST", "flash", flash, token=web.creator, key="f"))
    assert (started["price_version"], started["quantity_left"]) == (2, 2)
    assert (await expect(201, web.call("POST", "flash", flash, token=web.creator, key="f")))["id"] == started[
        "id"
    ]
    before = await web.digest()
    await refused(409, "flash_running", web.call("POST", "flash", flash, token=web.creator))
    await refused(404, "unknown_sku", web.call("PUT", "pin", {"sku": "none"}, token=web.creator))
    await refused(404, "unknown_flash", web.call("DELETE", "flash/none", token=web.creator))
    for wrong in (
        {"duration_s": 4},
        {"duration_s": 86_401},
        {"starts_in_s": 301},
        {"price_minor": 0},
        {"quantity": 0},
    ):
        await refused(400, "bad_request", web.call("POST", "flash", {**flash, **wrong}, token=web.creator))
    assert await web.digest() == before
    order = {"sku": "mug", "quantity": 1, "price_minor": 700}
    assert (await expect(201, web.call("POST", "orders", order, token=web.bearer("ann"), key="o")))[
        "total_minor"
    ] == 700
    await expect(204, web.call("DELETE", f"flash/{started['id']}", token=web.creator))
    problem = await refused(
        409, "price_changed", web.call("POST", "orders", order, token=web.bearer("bob"), key="o")
    )
    assert (problem["price_minor"], problem["price_version"]) == (1000, 3)
    await expect(204, web.call("DELETE", "pin", token=web.creator))
    assert (await expect(200, web.call("GET", "")))["pin"] is None


async def test_a_price_below_the_floor(web: Web) -> None:
    await expect(
        200,
        web.call(
            "PUT",
            "products/mug",
            {"title": "Mug", "price_minor": 1000, "floor_minor": 800},
            token=web.creator,
        ),
    )
    flash = {"sku": "mug", "price_minor": 799, "duration_s": 60}
    await refused(409, "below_floor", web.call("POST", "flash", flash, token=web.creator))


async def test_members_get_their_roles_at_once(web: Web) -> None:
    ann = web.bearer("ann")
    await refused(403, "forbidden", web.call("PUT", "pin", {"sku": "mug"}, token=ann))
    await expect(200, web.call("PUT", "members/ann", {"roles": ["producer"]}, token=web.creator))
    await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=ann))
    await expect(200, web.call("GET", "audit", token=ann))
    await refused(400, "bad_request", web.call("PUT", "members/ann", {"roles": ["king"]}, token=web.creator))
    await expect(204, web.call("DELETE", "members/ann", token=web.creator))
    await refused(403, "forbidden", web.call("PUT", "pin", {"sku": "mug"}, token=ann))


async def test_a_subject_may_be_an_address(web: Web) -> None:
    """As the tokens of many identity providers have it."""
    ann = web.bearer("https://id.example/ann")
    member = "members/https%3A%2F%2Fid.example%2Fann"
    await expect(200, web.call("PUT", member, {"roles": ["producer"]}, token=web.creator))
    await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=ann))
    await expect(204, web.call("DELETE", member, token=web.creator))
    await refused(403, "forbidden", web.call("PUT", "pin", {"sku": "mug"}, token=ann))


async def test_moderation_and_its_audit(web: Web) -> None:
    mod = web.bearer("mod", "moderator", show=SHOW)
    for command in (
        {"action": "timeout", "subject": "ann", "seconds": 60, "reason": "spam"},
        {"action": "ban", "subject": "bob", "reason": "fraud"},
        {"action": "slow_mode", "seconds": 10},
        {"action": "chat_mode", "mode": "buyers"},
        {"action": "unban", "subject": "bob"},
        {"action": "blank_video", "reason": "police"},
    ):
        assert (await expect(200, web.call("POST", "moderation", command, token=mod)))["seq"] > 0
    entries = (await expect(200, web.call("GET", "audit", token=mod)))["entries"]
    actions = [entry["action"] for entry in entries if entry["kind"] == "moderation"]
    assert actions == ["timeout", "ban", "slow_mode", "chat_mode", "unban", "blank_video"]
    (ban,) = [entry for entry in entries if entry["action"] == "ban"]
    assert (ban["reason"], ban["target"][:2]) == ("fraud", "p_")
    later = (await expect(200, web.call("GET", f"audit?since={ban['seq']}", token=mod)))["entries"]
    assert later[0]["seq"] > ban["seq"]
    before = await web.digest()
    for wrong in (
        {"action": "dance"},
        {"action": "timeout", "subject": "ann", "seconds": 9, "reason": "x"},
        {"action": "ban", "subject": "", "reason": "x"},
        {"action": "slow_mode", "seconds": 121},
        {"action": "chat_mode", "mode": "none"},
        {},
    ):
        await refused(400, "bad_request", web.call("POST", "moderation", wrong, token=mod))
    await refused(400, "bad_request", web.call("GET", "audit?since=x", token=mod))
    assert await web.digest() == before


async def test_a_ticket_says_until_when(web: Web) -> None:
    server_ms = (await expect(200, web.call("GET", "")))["server_ms"]
    issued = await expect(201, web.call("POST", "ticket"))
    assert 0 < issued["expires_at_ms"] - server_ms <= 61_000
    await refused(404, "unknown_show", web.call("POST", "/api/v1/shows/none/ticket"))
