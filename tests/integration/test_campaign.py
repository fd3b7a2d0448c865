"""A campaign over HTTP: when it is in force, what goes before it, what it refuses; and its log is judged."""

from typing import Any

from support.proof import KEY, sealed
from support.store import advance, bodies, set_show
from support.web import SHOW, Web, expect, refused

from server.log import reader
from server.verify.chain import Sound, verify

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
VASE = {"title": "Vase", "price_minor": 500, "stock": 5, "floor_minor": 450}


async def show(web: Web) -> Any:
    return await expect(200, web.call("GET", "", token=web.creator))


async def asked(web: Web, starts_in_ms: int = 0, lasts_ms: int = DAY_MS, **more: Any) -> dict[str, Any]:
    """A request: 20 % off, unless it says something else."""
    starts = (await show(web))["server_ms"] + starts_in_ms
    off = {} if "prices" in more else {"percent_off": 20}
    return {"title": "Black Friday", "starts_at_ms": starts, "ends_at_ms": starts + lasts_ms, **off, **more}


async def start(web: Web, body: dict[str, Any], key: str | None = None) -> Any:
    return await web.call("POST", "campaigns", body, token=web.creator, key=key)


async def prices(web: Web) -> dict[str, tuple[int, int | None, str]]:
    """Of each product the price, what may be struck through, and why."""
    return {
        each["sku"]: (each["price_minor"], each["reference_price_minor"], each["price_reason"]["rule"])
        for each in (await show(web))["products"]
    }


async def buy(web: Web, seen: int, sku: str = "mug") -> dict[str, Any]:
    """The order's line."""
    body = {"sku": sku, "quantity": 1, "price_minor": seen}
    order = await expect(201, web.call("POST", "orders", body, token=web.bearer("anna"), key=f"{sku}-{seen}"))
    return order["lines"][0]


async def flash(web: Web, path: str, **spec: Any) -> str:
    """Start a flash price; its id."""
    body = {"duration_s": 600, **spec}
    return (await expect(201, web.call("POST", path, body, token=web.creator, key=path)))["id"]


async def check(web: Web) -> None:
    """What has come about is written, and `vendue verify` finds nothing wrong."""
    await web.store.scripts.run("sweep", SHOW, "", "")
    entries = [entry.raw + b"\n" for entry in await reader.entries(web.store, SHOW, 0)]
    verdict = verify(sealed(entries, show=SHOW), KEY.public_key())
    assert isinstance(verdict, Sound), verdict


async def test_before_during_and_after_it(web: Web) -> None:
    await expect(201, web.call("PUT", "products/vase", VASE, token=web.creator))
    told = await expect(201, start(web, await asked(web, HOUR_MS)))
    assert [(each["sku"], each["price_minor"]) for each in told["prices"]] == [("mug", 800), ("vase", 450)]
    assert (await show(web))["campaign"]["title"] == "Black Friday"
    assert await prices(web) == {"mug": (1000, 1000, "list"), "vase": (500, 500, "list")}
    assert (await buy(web, 1000))["unit_price_minor"] == 1000
    await advance(web.store, SHOW, HOUR_MS)
    assert await prices(web) == {"mug": (800, 1000, "campaign"), "vase": (450, 500, "campaign")}
    line = await buy(web, 999)
    assert (line["unit_price_minor"], line["price_version"]) == (800, 2)
    assert line["price_reason"] == {"rule": "campaign", "id": told["id"]}
    change = web.call("PUT", "products/mug", {"title": "Mug", "price_minor": 900}, token=web.creator)
    await refused(409, "campaign_running", change)
    await advance(web.store, SHOW, DAY_MS)
    assert await prices(web) == {"mug": (1000, 800, "list"), "vase": (500, 450, "list")}
    body = {"sku": "mug", "quantity": 1, "price_minor": 800}
    late = web.call("POST", "orders", body, token=web.bearer("boris"), key="late")
    assert (await refused(409, "price_changed", late))["price_minor"] == 1000
    await check(web)
    (ended,) = await bodies(web.store, SHOW, "price.campaign_ended")
    assert (ended["id"], ended["reason"]) == (told["id"], "window")
    assert [each["price_version"] for each in ended["prices"]] == [3, 3]
    assert (await show(web))["campaign"] is None


async def test_a_pause_neither_moves_nor_lengthens_it(web: Web) -> None:
    await expect(201, start(web, await asked(web, MINUTE_MS, HOUR_MS)))
    await expect(200, web.call("POST", "pause", token=web.creator))
    await advance(web.store, SHOW, 2 * MINUTE_MS)
    assert (await prices(web))["mug"] == (800, 1000, "campaign")  # to be seen; nothing is sold while paused
    await expect(200, web.call("POST", "resume", token=web.creator))
    assert (await buy(web, 800))["unit_price_minor"] == 800
    await expect(200, web.call("POST", "pause", token=web.creator))
    await advance(web.store, SHOW, HOUR_MS)
    await expect(200, web.call("POST", "resume", token=web.creator))
    assert (await buy(web, 1000))["unit_price_minor"] == 1000
    await check(web)


async def test_flash_prices_go_before_it_and_are_reduced_from_it(web: Web) -> None:
    campaign = (await expect(201, start(web, await asked(web))))["id"]
    assert (await prices(web))["mug"] == (800, 1000, "campaign")
    whole = await flash(web, "show_flash", percent_off=50)
    assert (await prices(web))["mug"] == (500, 800, "show_flash")
    own = await flash(web, "flash", sku="mug", price_minor=850)
    assert (await prices(web))["mug"] == (850, 500, "flash")
    assert (await buy(web, 850))["price_reason"]["rule"] == "flash"
    await expect(204, web.call("DELETE", f"flash/{own}", token=web.creator))
    assert (await buy(web, 800))["price_reason"] == {"rule": "show_flash", "id": whole}
    await expect(204, web.call("DELETE", f"show_flash/{whole}", token=web.creator))
    assert (await prices(web))["mug"] == (800, 500, "campaign")
    for _ in range(2):  # one that is over stays over
        await expect(204, web.call("DELETE", f"campaigns/{campaign}", token=web.creator))
    assert (await prices(web))["mug"] == (1000, 500, "list")
    assert [each["reason"] for each in await bodies(web.store, SHOW, "price.campaign_ended")] == ["stopped"]
    await refused(404, "unknown_campaign", web.call("DELETE", "campaigns/none", token=web.creator))
    await check(web)


async def test_prices_of_its_own_and_a_show_that_ends(web: Web) -> None:
    await expect(201, web.call("PUT", "products/vase", VASE, token=web.creator))
    named = [{"sku": "vase", "price_minor": 460}]
    told = await expect(201, start(web, await asked(web, prices=named)))
    assert (told["percent_off"], told["confirmed"]) == (None, False)
    assert await prices(web) == {"mug": (1000, 1000, "list"), "vase": (460, 500, "campaign")}
    late = {"title": "Late", "price_minor": 100, "stock": 1}
    await expect(201, web.call("PUT", "products/late", late, token=web.creator))
    assert (await prices(web))["late"] == (100, 100, "list")
    await expect(200, web.call("POST", "end", token=web.creator))
    await check(web)
    (ended,) = await bodies(web.store, SHOW, "price.campaign_ended")
    assert (ended["reason"], [each["sku"] for each in ended["prices"]]) == ("show_ended", ["vase"])


async def test_a_start_that_was_a_moment_ago_is_now(web: Web) -> None:
    await set_show(web.store, SHOW, state="scheduled")
    told = await expect(201, start(web, await asked(web, -MINUTE_MS + 5_000)))
    entry = [each for each in await reader.entries(web.store, SHOW, 0) if each.kind == "price.campaign"][-1]
    assert told["starts_at_ms"] == entry.ts
    assert (await prices(web))["mug"] == (800, None, "campaign")  # nothing was on offer before


async def test_a_repeat_is_the_same_campaign(web: Web) -> None:
    body = await asked(web)
    told = await expect(201, start(web, body, "k"))
    assert await expect(201, start(web, body, "k")) == told
    await refused(422, "idempotency_conflict", start(web, {**body, "title": "Cyber Monday"}, "k"))
    await refused(409, "campaign_running", start(web, body))


NONSENSE: list[dict[str, Any]] = [
    {"title": ""},
    {"title": "x" * 81},
    {"percent_off": 0},
    {"percent_off": 100},
    {"percent_off": None},
    {"prices": [{"sku": "mug", "price_minor": 900}], "percent_off": 20},
    {"prices": [{"sku": "mug", "price_minor": 900}], "skus": ["mug"]},
    {"prices": [{"sku": "mug", "price_minor": 900}] * 2},
    {"prices": []},
    {"skus": []},
    {"starts_in_ms": -MINUTE_MS - 10_000},
    {"starts_in_ms": 90 * DAY_MS + MINUTE_MS},
    {"lasts_ms": MINUTE_MS - 1},
    {"lasts_ms": 31 * DAY_MS + MINUTE_MS},
    {"lasts_ms": -DAY_MS},
]


async def test_nonsense_is_refused(web: Web) -> None:
    before = await web.digest()
    for wrong in NONSENSE:
        await refused(400, "bad_request", start(web, await asked(web, **wrong)))
    assert await web.digest() == before


async def test_refusals_write_nothing(web: Web) -> None:
    await expect(201, web.call("PUT", "products/vase", VASE, token=web.creator))
    cheap = {"title": "Cheap", "price_minor": 100, "stock": 5, "cost_minor": 95}
    await expect(201, web.call("PUT", "products/cheap", cheap, token=web.creator))
    before = await web.digest()

    async def says(status: int, code: str, **more: Any) -> dict[str, Any]:
        answer = await refused(status, code, start(web, await asked(web, **more)))
        assert await web.digest() == before
        return answer

    await says(404, "unknown_sku", skus=["mug", "none"])
    await says(404, "unknown_sku", prices=[{"sku": "../mug", "price_minor": 1}])
    low = await says(409, "below_floor", prices=[{"sku": "vase", "price_minor": 449}])
    assert (low["sku"], low["floor_minor"]) == ("vase", 450)
    assert (await says(409, "nothing_reduced", prices=[{"sku": "mug", "price_minor": 1000}]))["sku"] == "mug"
    costs = await says(409, "confirm_required", percent_off=10)
    told = (costs["percent_off"], costs["units"], costs["given_up_minor"], costs["loss_minor"])
    assert told == (10, 15, 5 * (100 + 50 + 10), 25)
    deep = await says(409, "confirm_required", prices=[{"sku": "mug", "price_minor": 299}])
    assert (deep["percent_off"], deep["given_up_minor"], deep["loss_minor"]) == (None, 5 * 701, None)
    body = await asked(web)
    await refused(403, "forbidden", web.call("POST", "campaigns", body, token=web.bearer("anna")))
    assert await web.digest() == before
    named = [{"sku": "mug", "price_minor": 299}]
    assert (await expect(201, start(web, await asked(web, prices=named, confirm=True))))["confirmed"] is True
    await expect(200, web.call("POST", "end", token=web.creator))
    await refused(409, "show_closed", start(web, await asked(web)))
