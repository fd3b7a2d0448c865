"""A reduction of the whole show: whom it reduces, what goes before it, what it refuses, over HTTP, too."""

from typing import Any

import pytest
from support.proof import sure
from support.sale import CREATOR, SHOW, Sale, decoded, person
from support.store import advance, bodies, digest
from support.web import Web, expect, refused

from server.commerce.catalog import FlashSpec, FlashStopped, ProductSpec
from server.commerce.orders import Placed
from server.commerce.reductions import Reductions, ShowFlashSpec
from server.log import reader
from server.log.state import ProductView
from server.store.outcome import Refused
from server.store.store import Store


@pytest.fixture
async def sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await sale.product("mug", 1000, 5)
    await sale.product("vase", 500, 5, floor_minor=450)
    await sale.product("lamp", 300, 5, floor_minor=300)
    return sale


async def start(sale: Sale, percent: int = 20, key: str = "", **more: Any) -> Any:
    spec = ShowFlashSpec(percent_off=percent, duration_s=60, **more)
    reductions = Reductions(sale.store)
    return await reductions.start_show_flash(SHOW, CREATOR, spec, idempotency_key=key)


async def views(sale: Sale) -> dict[str, ProductView]:
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot
    return {view.sku: view for view in snapshot.products}


async def prices(sale: Sale) -> dict[str, tuple[int, str]]:
    return {sku: (view.price_minor, view.price_reason.rule) for sku, view in (await views(sale)).items()}


async def line(sale: Sale, sku: str, seen: int) -> dict[str, Any]:
    placed = await sale.hold(sku=sku, seen=seen)
    assert isinstance(placed, Placed), placed
    return decoded(placed.order.json)["lines"][0]


LISTED = {"mug": (1000, "list"), "vase": (500, "list"), "lamp": (300, "list")}


async def test_floors_stop_it_and_what_is_no_reduction_is_left_out(sale: Sale) -> None:
    told = decoded(sure(await start(sale, starts_in_s=10)).json)
    assert {each["sku"]: each["price_minor"] for each in told["prices"]} == {"mug": 800, "vase": 450}
    assert await prices(sale) == LISTED
    await advance(sale.store, SHOW, 10_000)
    assert await prices(sale) == {
        "mug": (800, "show_flash"),
        "vase": (450, "show_flash"),
        "lamp": (300, "list"),
    }
    assert (await views(sale))["mug"].reference_price_minor == 1000
    mug = await line(sale, "mug", 800)
    assert (mug["price_reason"], mug["flash"]) == ({"rule": "show_flash", "id": told["id"]}, None)
    await advance(sale.store, SHOW, 60_000)
    assert await prices(sale) == LISTED  # before anybody has written it
    assert (await views(sale))["mug"].reference_price_minor == 800
    await sale.ledger.expire_due(SHOW)
    (ended,) = await bodies(sale.store, SHOW, "price.show_ended")
    assert (ended["id"], ended["reason"]) == (told["id"], "window")
    assert [
        (each["sku"], each["price_minor"], each["reference_price_minor"]) for each in ended["prices"]
    ] == [
        ("mug", 1000, 800),
        ("vase", 500, 450),
    ]
    assert (await views(sale))["mug"].price_version == 3
    assert (await sale.store.scripts.run("sweep", SHOW, "", ""))[2] == 0  # type: ignore[index]


async def test_a_flash_price_of_its_own_goes_before_it(sale: Sale) -> None:
    show_flash = decoded(sure(await start(sale)).json)
    spec = FlashSpec(sku="mug", price_minor=900, duration_s=30)
    flash = decoded(sure(await sale.catalog.flash(SHOW, CREATOR, spec)).json)
    assert flash["reference_price_minor"] == 800
    assert (await prices(sale))["mug"] == (900, "flash")
    assert await sale.hold(seen=800) == Refused(
        "price_changed",
        {"price_minor": 900, "price_version": 3, "price_reason": {"rule": "flash", "id": flash["id"]}},
    )
    await advance(sale.store, SHOW, 30_000)
    await sale.ledger.expire_due(SHOW)
    (ended,) = await bodies(sale.store, SHOW, "price.ended")
    assert (ended["price_minor"], ended["price_reason"]["id"]) == (800, show_flash["id"])
    assert (await prices(sale))["mug"] == (800, "show_flash")
    assert await Reductions(sale.store).stop_show_flash(SHOW, CREATOR, show_flash["id"]) == FlashStopped()
    assert await Reductions(sale.store).stop_show_flash(SHOW, CREATOR, show_flash["id"]) == FlashStopped()
    assert await prices(sale) == LISTED
    assert [body["reason"] for body in await bodies(sale.store, SHOW, "price.show_ended")] == ["stopped"]


async def test_named_products_only_and_those_that_come_later_are_not_in_it(sale: Sale) -> None:
    sure(await start(sale, skus=["vase", "vase"]))
    await sale.product("late", 100, 1)
    reduced = [sku for sku, (_, rule) in (await prices(sale)).items() if rule == "show_flash"]
    assert reduced == ["vase"]
    put = await sale.catalog.put_product(SHOW, CREATOR, "vase", ProductSpec(title="V", price_minor=510))
    assert isinstance(put, Refused)
    assert put.code == "flash_running"
    assert sure(
        await sale.catalog.put_product(SHOW, CREATOR, "mug", ProductSpec(title="M", price_minor=1100))
    )


async def test_refusals_write_nothing(sale: Sale) -> None:
    await sale.product("cheap", 100, 5, cost_minor=95)
    before = await digest(sale.store, SHOW)

    async def says(code: str, **more: Any) -> Refused:
        answer = await start(sale, **more)
        assert isinstance(answer, Refused), answer
        assert (answer.code, await digest(sale.store, SHOW)) == (code, before)
        return answer

    await says("unknown_sku", skus=["mug", "none"])
    await says("unknown_sku", skus=["../mug"])
    await says("nothing_reduced", skus=["lamp"])
    costs = await says("confirm_required", percent=10, skus=["mug", "cheap"])
    assert costs.detail == {"percent_off": 10, "units": 10, "given_up_minor": 550, "loss_minor": 25}
    deep = await says("confirm_required", percent=71, skus=["mug"])
    assert deep.detail["given_up_minor"] == 5 * 710
    with_key = sure(await start(sale, 71, "k", skus=["mug"], confirm=True))
    assert decoded(with_key.json)["confirmed"] is True
    assert sure(await start(sale, 71, "k", skus=["mug"], confirm=True)) == with_key
    assert (await start(sale, 70, "k", skus=["mug"], confirm=True)).code == "idempotency_conflict"
    assert (await start(sale)).code == "flash_running"
    stop = await Reductions(sale.store).stop_show_flash(SHOW, CREATOR, "sf_none")
    assert isinstance(stop, Refused)
    assert stop.code == "unknown_flash"
    not_theirs = await Reductions(sale.store).start_show_flash(
        SHOW, person("sel", "seller"), ShowFlashSpec(percent_off=5, duration_s=5)
    )
    assert isinstance(not_theirs, Refused)
    assert not_theirs.code == "forbidden"


async def test_it_stands_still_while_the_show_does(sale: Sale) -> None:
    sure(await start(sale))
    await sale.set(frozen_since_ms=await now(sale), sales_paused=1)
    await advance(sale.store, SHOW, 100_000)
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot
    assert snapshot.show_flash
    assert (snapshot.show_flash.ends_at_ms, snapshot.products[0].price_minor) == (None, 800)


async def now(sale: Sale) -> int:
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot
    return snapshot.server_ms


async def test_over_http(web: Web) -> None:
    asked = {"percent_off": 20, "duration_s": 60}
    told = await expect(201, web.call("POST", "show_flash", asked, token=web.creator, key="s"))
    assert [each["price_minor"] for each in told["prices"]] == [800]
    await refused(409, "flash_running", web.call("POST", "show_flash", asked, token=web.creator))
    wrongs: list[dict[str, Any]] = [
        {"percent_off": 0},
        {"percent_off": 100},
        {"duration_s": 4},
        {"starts_in_s": 301},
        {"skus": []},
    ]
    for wrong in wrongs:
        await refused(
            400, "bad_request", web.call("POST", "show_flash", {**asked, **wrong}, token=web.creator)
        )
    await refused(403, "forbidden", web.call("POST", "show_flash", asked, token=web.bearer("ann")))
    snapshot = await expect(200, web.call("GET", "", token=web.creator))
    assert (snapshot["show_flash"]["percent_off"], snapshot["products"][0]["show_flash_price_minor"]) == (
        20,
        800,
    )
    await expect(204, web.call("DELETE", f"show_flash/{told['id']}", token=web.creator))
    await refused(404, "unknown_flash", web.call("DELETE", "show_flash/none", token=web.creator))
    assert (await expect(200, web.call("GET", "", token=web.creator)))["show_flash"] is None
