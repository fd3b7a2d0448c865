"""Flash prices on a real store: windows, versions, quota, caps, what everybody is told."""

from typing import Any

import pytest
from support.proof import sure
from support.sale import ANNA, BORIS, CREATOR, SHOW, Sale, decoded
from support.store import advance, bodies, digest

from server.commerce.catalog import FlashSpec, FlashStarted, FlashStopped, ProductPut, ProductSpec
from server.commerce.orders import Placed
from server.log import reader
from server.store.outcome import Refused
from server.store.store import Store


@pytest.fixture
async def sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await sale.product(stock=20)
    return sale


async def announced(sale: Sale, **more: int) -> dict[str, object]:
    spec = FlashSpec(**({"sku": "mug", "price_minor": 700, "duration_s": 60} | more))  # pyright: ignore[reportArgumentType]
    started = await sale.catalog.flash(SHOW, CREATOR, spec)
    assert isinstance(started, FlashStarted), started
    return decoded(started.json)


async def price(sale: Sale) -> tuple[int, int]:
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot is not None
    return snapshot.products[0].price_minor, snapshot.products[0].price_version


async def paid_price(sale: Sale, quantity: int = 1, seen: int = 1000) -> tuple[int, int, str | None]:
    placed = await sale.hold(quantity=quantity, seen=seen)
    assert isinstance(placed, Placed), placed
    line = placed.order.view().lines[0]
    return line.unit_price_minor, line.price_version, line.flash


def back_to_list(version: int) -> Refused:
    why = {"rule": "list", "id": None}
    return Refused("price_changed", {"price_minor": 1000, "price_version": version, "price_reason": why})


async def test_window_and_versions(sale: Sale) -> None:
    flash = await announced(sale, starts_in_s=10, quantity=5)
    assert await bodies(sale.store, SHOW, "price.flash") == [flash]
    assert (flash["price_version"], flash["quantity_left"], flash["list_price_minor"]) == (2, 5, 1000)
    assert await paid_price(sale) == (1000, 1, None)
    await advance(sale.store, SHOW, 10_000)
    assert await price(sale) == (700, 2)
    assert await paid_price(sale, seen=700) == (700, 2, flash["id"])
    placed = await sale.hold(seen=700)
    assert isinstance(placed, Placed)
    assert decoded(placed.order.json)["lines"][0]["price_reason"] == {"rule": "flash", "id": flash["id"]}
    refused = await sale.hold(seen=600)
    assert isinstance(refused, Refused)
    assert refused.detail["price_reason"] == {"rule": "flash", "id": flash["id"]}
    await advance(sale.store, SHOW, 60_000)
    assert await price(sale) == (1000, 3)
    assert await sale.hold(seen=700) == back_to_list(3)
    await sale.ledger.expire_due(SHOW)
    ended = {"id": flash["id"], "sku": "mug", "price_minor": 1000, "price_version": 3, "reason": "window"}
    ended |= {"reference_price_minor": 700, "price_reason": {"rule": "list", "id": None}}
    assert await bodies(sale.store, SHOW, "price.ended") == [ended]
    assert await price(sale) == (1000, 3)


async def test_a_percentage_is_taken_off_and_rounded_for_the_seller(sale: Sale) -> None:
    await sale.product("cup", 999, 5)
    flash = decoded(sure(await sale.catalog.flash(SHOW, CREATOR, percent("cup", 33))).json)
    assert (flash["price_minor"], flash["confirmed"]) == (999 - 329, False)
    both = FlashSpec(sku="mug", duration_s=60, price_minor=5, percent_off=5)
    for spec in (both, FlashSpec(sku="mug", duration_s=60)):
        before = await digest(sale.store, SHOW)
        assert getattr(await sale.catalog.flash(SHOW, CREATOR, spec), "code", "") == "bad_request"
        assert await digest(sale.store, SHOW) == before


async def test_what_gives_up_much_is_confirmed_by_who_has_seen_what_it_may_cost(sale: Sale) -> None:
    await sale.product("cup", 1000, 8, cost_minor=600)
    await sale.product("pot", 1000, 8)
    before = await digest(sale.store, SHOW)
    costs = {"price_minor": 500, "list_price_minor": 1000, "windows": 1, "units": 3}
    refused = await sale.catalog.flash(SHOW, CREATOR, percent("cup", 50, quantity=3))
    assert refused == Refused("confirm_required", costs | {"given_up_minor": 1500, "loss_minor": 300})
    costs = {"price_minor": 290, "list_price_minor": 1000, "windows": 1, "units": 8}
    refused = await sale.catalog.flash(SHOW, CREATOR, percent("pot", 71))
    assert refused == Refused("confirm_required", costs | {"given_up_minor": 5680, "loss_minor": None})
    assert await digest(sale.store, SHOW) == before
    below_cost = sure(await sale.catalog.flash(SHOW, CREATOR, percent("cup", 50, confirm=True)))
    assert decoded(below_cost.json)["confirmed"] is False, "nobody learns what a unit costs"
    deep = sure(await sale.catalog.flash(SHOW, CREATOR, percent("pot", 71, confirm=True)))
    assert decoded(deep.json)["confirmed"] is True
    assert sure(await sale.catalog.flash(SHOW, CREATOR, percent("mug", 70)))


def percent(sku: str, off: int, **more: Any) -> FlashSpec:
    return FlashSpec(sku=sku, percent_off=off, duration_s=60, **more)


async def test_a_lower_price_than_the_one_seen_is_charged(sale: Sale) -> None:
    flash = await announced(sale)
    assert await paid_price(sale, seen=1000) == (700, 2, flash["id"])


async def test_quota_ends_it_at_once(sale: Sale) -> None:
    flash = await announced(sale, quantity=3)
    assert await sale.hold(BORIS, quantity=4) == Refused("limit_reached", {"limit": 3})
    assert (await paid_price(sale, quantity=3))[0] == 700
    assert [ended["reason"] for ended in await bodies(sale.store, SHOW, "price.ended")] == ["quantity"]
    assert await price(sale) == (1000, 3)
    assert await sale.hold(BORIS, seen=700) == back_to_list(3)
    assert await sale.catalog.stop_flash(SHOW, CREATOR, str(flash["id"])) == FlashStopped()
    assert len(await bodies(sale.store, SHOW, "price.ended")) == 1


async def test_a_due_hold_does_not_use_the_quota_up(sale: Sale) -> None:
    await announced(sale, quantity=3, duration_s=600)
    await sale.held(ANNA, quantity=2)
    await advance(sale.store, SHOW, 120_000)  # her hold is over, and no sweeper has come
    await sale.held(BORIS)
    assert await price(sale) == (700, 2)
    assert await bodies(sale.store, SHOW, "price.ended") == []
    await sale.held(BORIS, quantity=2)
    assert [ended["reason"] for ended in await bodies(sale.store, SHOW, "price.ended")] == ["quantity"]


async def test_flash_cap_counts_beside_the_products_own(sale: Sale) -> None:
    await announced(sale, per_viewer_max=2)
    await sale.held(ANNA, quantity=2)
    assert await sale.hold(ANNA) == Refused("limit_reached", {"limit": 2})
    await sale.held(BORIS)


async def test_stopped_early_even_before_it_began(sale: Sale) -> None:
    flash = await announced(sale, starts_in_s=300)
    assert await sale.catalog.stop_flash(SHOW, CREATOR, str(flash["id"])) == FlashStopped()
    assert await price(sale) == (1000, 3)
    again = await announced(sale)
    assert again["price_version"] == 4


async def test_a_repeat_announces_nothing(sale: Sale) -> None:
    spec = FlashSpec(sku="mug", price_minor=700, duration_s=60)
    first = await sale.catalog.flash(SHOW, CREATOR, spec, idempotency_key="k")
    assert await sale.catalog.flash(SHOW, CREATOR, spec, idempotency_key="k") == first
    assert len(await bodies(sale.store, SHOW, "price.flash")) == 1


async def test_the_list_price_may_change_when_the_window_is_over(sale: Sale) -> None:
    await announced(sale)
    await advance(sale.store, SHOW, 60_000)
    spec = ProductSpec(title="Mug", price_minor=1200)
    assert isinstance(await sale.catalog.put_product(SHOW, CREATOR, "mug", spec), ProductPut)
    assert await price(sale) == (1200, 4)
    assert len(await bodies(sale.store, SHOW, "price.ended")) == 1


async def test_frozen_time_does_not_count(sale: Sale) -> None:
    flash = await announced(sale)
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot is not None
    await sale.set(frozen_since_ms=snapshot.server_ms)
    await advance(sale.store, SHOW, 3_600_000)
    assert (await price(sale))[0] == 700
    frozen = await sale.held()
    shown = await sale.ledger.order(SHOW, ANNA, frozen)
    assert not isinstance(shown, Refused)
    assert (shown.view().expires_at_ms, shown.view().remaining_ms) == (None, 120_000)
    assert flash["remaining_ms"] is None


async def test_at_ms_follows_a_believable_press(sale: Sale) -> None:
    spec = FlashSpec(sku="mug", price_minor=700, duration_s=60)
    snapshot = await reader.snapshot(sale.store, SHOW)
    assert snapshot is not None
    press_ms = snapshot.server_ms - 400
    await sale.catalog.flash(SHOW, CREATOR, spec, press_ms=press_ms)
    entry = (await reader.entries(sale.store, SHOW, 0))[-1]
    assert (entry.kind, entry.at_ms) == ("price.flash", press_ms)
