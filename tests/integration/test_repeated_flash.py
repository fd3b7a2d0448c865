"""A flash price in several windows: each is one of its own, announced when the last is over."""

from typing import Any

import pytest
from support.proof import sure
from support.sale import ANNA, BORIS, CREATOR, SHOW, Sale, decoded
from support.store import advance, bodies, digest
from support.web import Web, expect, refused

from server.commerce.bags import BagSpec
from server.commerce.catalog import FlashSpec, ProductSpec, RepeatSpec
from server.log import reader
from server.log.state import FlashView, ProductView
from server.store.outcome import Refused
from server.store.store import Store


@pytest.fixture
async def sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await sale.product(stock=20, floor_minor=300)
    await sale.product("cup", 300, 5)
    return sale


def windows(every_s: int = 100, times: int = 3, **more: Any) -> FlashSpec:
    given: dict[str, Any] = {"sku": "mug", "price_minor": 700, "duration_s": 60} | more
    return FlashSpec(**given, repeat=RepeatSpec(every_s=every_s, times=times))


async def start(sale: Sale, **more: Any) -> dict[str, Any]:
    return decoded(sure(await sale.catalog.flash(SHOW, CREATOR, windows(**more))).json)


async def mug(sale: Sale) -> ProductView:
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot
    return next(view for view in snapshot.products if view.sku == "mug")


async def flash(sale: Sale) -> FlashView:
    view = (await mug(sale)).flash
    assert view
    return view


async def sweep_after(sale: Sale, seconds: float) -> None:
    await advance(sale.store, SHOW, int(seconds * 1000))
    sure(await sale.ledger.expire_due(SHOW))


async def ends(sale: Sale) -> list[tuple[str, str]]:
    return [(each["reason"], each["repeat"]) for each in await bodies(sale.store, SHOW, "price.ended")]


async def put(sale: Sale, price: int = 1000, floor: int | None = None) -> Any:
    spec = ProductSpec(title="Mug", price_minor=price, floor_minor=floor)
    return await sale.catalog.put_product(SHOW, CREATOR, "mug", spec)


async def test_each_window_is_a_flash_price_of_its_own(sale: Sale) -> None:
    first = await start(sale, quantity=3, per_viewer_max=2)
    assert first["repeat"] == {"series": first["id"], "n": 1, "times": 3, "every_s": 100}
    assert first["reference_price_minor"] == 1000
    await sale.held(ANNA, quantity=2, seen=700)
    assert await sale.hold(ANNA, seen=700) == Refused("limit_reached", {"limit": 2})
    await sweep_after(sale, 60)
    view = await mug(sale)
    assert (view.price_minor, view.price_version, view.reference_price_minor) == (1000, 3, 700)
    second = await flash(sale)
    assert (second.id, second.quantity_left, second.price_version) == (f"{first['id']}-2", 3, 4)
    assert (second.starts_sale_ms, second.ends_sale_ms) == (
        first["starts_sale_ms"] + 100_000,
        first["ends_sale_ms"] + 100_000,
    )
    await advance(sale.store, SHOW, 40_000)
    order = await sale.held(ANNA, quantity=2, seen=700)  # the caps begin anew, too
    assert (await sale.record(order))["flash"] == second.id
    await sale.held(BORIS, seen=700)  # and its quota is used up: that script announces the third
    assert (await flash(sale)).repeat == (await flash(sale)).repeat
    third = await flash(sale)
    assert (third.id, third.starts_sale_ms) == (f"{first['id']}-3", first["starts_sale_ms"] + 200_000)
    await sweep_after(sale, 200)
    assert (await mug(sale)).flash is None
    assert await ends(sale) == [("window", "goes_on"), ("quantity", "goes_on"), ("window", "done")]
    told = await bodies(sale.store, SHOW, "price.flash")
    assert [each["repeat"]["n"] for each in told] == [1, 2, 3]
    assert [each["reference_price_minor"] for each in told] == [1000, 700, 700], "reduced from itself"


async def test_windows_that_nobody_could_announce_in_time_are_left_out(sale: Sale) -> None:
    first = await start(sale, times=5)
    await sweep_after(sale, 199.5)  # the third is about to start
    assert (await flash(sale)).id == f"{first['id']}-3"
    await sweep_after(sale, 201)  # and the fifth has started
    assert (await mug(sale)).flash is None
    assert await ends(sale) == [("window", "goes_on"), ("window", "done")]


@pytest.mark.parametrize("moment", ["it runs", "it is over", "nobody has written that it is over"])
@pytest.mark.parametrize("undo", [False, True])
async def test_it_is_stopped_by_the_name_of_any_window(sale: Sale, moment: str, undo: bool) -> None:
    first = await start(sale, quantity=9)
    order = await sale.held(seen=700)
    await advance(sale.store, SHOW, 0 if moment == "it runs" else 60_000)
    if moment == "it is over":
        sure(await sale.ledger.expire_due(SHOW))
        assert await sale.state(order) == "held"
    for _ in range(2):
        if undo:
            sure(await sale.ledger.undo_flash(SHOW, CREATOR, first["id"], "wrong"))
        else:
            sure(await sale.catalog.stop_flash(SHOW, CREATOR, first["id"]))
    await sweep_after(sale, 50)
    assert (await mug(sale)).flash is None
    reason = "window" if moment.startswith("nobody") else "stopped"
    went_on = [("window", "goes_on")] if moment == "it is over" else []
    assert await ends(sale) == [*went_on, (reason, "stopped")]
    assert await sale.state(order) == ("cancelled" if undo else "held")


async def test_none_follows_in_a_show_that_is_over_or_below_the_floor(sale: Sale) -> None:
    await start(sale)
    assert sure(await put(sale, floor=701))
    await sweep_after(sale, 60)
    await start(sale, price_minor=800)
    await sale.set(state="ended")
    await sweep_after(sale, 60)
    assert await ends(sale) == [("window", "withdrawn"), ("window", "show_ended")]
    assert (await mug(sale)).flash is None


async def test_between_two_windows_the_product_stays_as_it_was_promised(sale: Sale) -> None:
    await start(sale)
    await advance(sale.store, SHOW, 60_000)  # and nobody has written that the window is over
    before = await digest(sale.store, SHOW)
    assert await put(sale, 900) == Refused("flash_running")
    leave = await sale.bags.put(SHOW, CREATOR, BagSpec(skus=["cup"]))
    assert leave == Refused("flash_running", {"sku": "mug"})
    assert await sale.catalog.flash(SHOW, CREATOR, windows()) == Refused("flash_running")
    assert await digest(sale.store, SHOW) == before
    assert sure(await put(sale)), "the same price is no change"
    assert (await flash(sale)).repeat
    assert await ends(sale) == [("window", "goes_on")]


async def test_what_may_be_lost_is_told_of_all_windows_and_confirmed_once(sale: Sale) -> None:
    await sale.product("pot", 1000, 50, cost_minor=600)
    pots = windows(sku="pot", price_minor=200, quantity=10, times=4)
    before = await digest(sale.store, SHOW)
    costs = {"price_minor": 200, "list_price_minor": 1000, "windows": 4, "units": 40}
    costs |= {"given_up_minor": 32_000, "loss_minor": 16_000}
    assert await sale.catalog.flash(SHOW, CREATOR, pots) == Refused("confirm_required", costs)
    assert await digest(sale.store, SHOW) == before
    await start(sale, sku="pot", price_minor=200, quantity=10, times=4, confirm=True)
    await sweep_after(sale, 60)
    assert [each["confirmed"] for each in await bodies(sale.store, SHOW, "price.flash")] == [True, True]


async def test_over_http(web: Web) -> None:
    asked = {"sku": "mug", "price_minor": 700, "duration_s": 60, "starts_in_s": 10}
    for repeat in (
        {"every_s": 70, "times": 2},  # they would meet
        {"every_s": 86_401, "times": 2},
        {"every_s": 71, "times": 1},
        {"every_s": 71, "times": 101},
        {"every_s": 71},
    ):
        body = {**asked, "repeat": repeat}
        await refused(400, "bad_request", web.call("POST", "flash", body, token=web.creator))
    body = {**asked, "repeat": {"every_s": 71, "times": 2}}
    told = await expect(201, web.call("POST", "flash", body, token=web.creator, key="k"))
    assert told["repeat"] == {"series": told["id"], "n": 1, "times": 2, "every_s": 71}
    assert await expect(201, web.call("POST", "flash", body, token=web.creator, key="k")) == told
    other = {**asked, "repeat": {"every_s": 72, "times": 2}}
    await refused(422, "idempotency_conflict", web.call("POST", "flash", other, token=web.creator, key="k"))
    snapshot = await expect(200, web.call("GET", ""))
    assert snapshot["products"][0]["flash"]["repeat"] == told["repeat"]
    await expect(204, web.call("DELETE", f"flash/{told['id']}", token=web.creator))
    assert (await expect(200, web.call("GET", "")))["products"][0]["flash"] is None
