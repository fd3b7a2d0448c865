"""What viewers hear of a sale: the promised shapes, orders to their buyer alone, stock as far as it is
shown.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from support.kiln import CREATOR
from support.live_server import LiveServer, LiveViewer, live_server
from support.sale import ANNA, BORIS, Sale, decoded, settings
from support.store import advance

from server.commerce.auctions import Auctions, LotSpec, Opened
from server.commerce.bags import BagSpec
from server.commerce.catalog import FlashSpec, FlashStarted, RepeatSpec
from server.commerce.lotteries import DrawSpec, Lotteries
from server.commerce.reductions import (
    CampaignSpec,
    CampaignStarted,
    Reductions,
    ShowFlashSpec,
    ShowFlashStarted,
)
from server.commerce.waitlist import Waitlist
from server.ids import new_id
from server.live.shows import Shows
from server.live.updates import UPDATES
from server.log import reader
from server.log.state import DrawView
from server.store.store import Store
from server.tokens import Principal

SHOW = "show"


def holder(principal: Principal) -> dict[str, Any]:
    """A viewer's ticket for this person."""
    return {"pid": principal.pid, "subject": principal.subject, "role": principal.role}


@pytest.fixture
async def sale(store: Store) -> Sale:
    return await Sale(store).start()


@pytest.fixture
async def server(store: Store, sale: Sale) -> Any:
    async with live_server(store) as server:
        yield server


async def until_stock(viewer: LiveViewer, fits: Callable[[Any], bool] = lambda data: True) -> dict[str, Any]:
    """The data of the next stock update that fits."""
    return (await viewer.until("stock", fits))["data"]


async def test_every_update_keeps_its_promise(server: LiveServer, sale: Sale, store: Store) -> None:
    owner = Principal("creator", "p_" + "creator".ljust(22, "0"), "creator", None, "j", 2**40)
    async with server.viewer(SHOW, **holder(ANNA)) as viewer:
        await viewer.until("snapshot")
        await sale.product("mug", stock=4, image_url="/m.jpg", disclosure="paid", per_viewer_max=2)
        await sale.catalog.pin(SHOW, owner, "mug")
        repeat = RepeatSpec(every_s=90, times=2)
        spec = FlashSpec(sku="mug", price_minor=500, duration_s=60, quantity=2, repeat=repeat)
        started = await sale.catalog.flash(SHOW, owner, spec)
        assert isinstance(started, FlashStarted)
        await viewer.until("price.flash")
        await sale.held(ANNA, seen=500)
        await viewer.until("order")
        await sale.held(BORIS, seen=500)
        await viewer.until("price.ended", lambda data: data["repeat"] == "goes_on")
        following = await viewer.until("price.flash", lambda data: data["repeat"]["n"] == 2)
        await sale.catalog.stop_flash(SHOW, owner, following["data"]["id"])
        await viewer.until("price.ended", lambda data: data["repeat"] == "done")  # it was the last
        reductions = Reductions(store)
        spec = ShowFlashSpec(percent_off=20, duration_s=60)
        begun = await reductions.start_show_flash(SHOW, owner, spec)
        assert isinstance(begun, ShowFlashStarted)
        await viewer.until("price.show_flash")
        await reductions.stop_show_flash(SHOW, owner, decoded(begun.json)["id"])
        await viewer.until("price.show_ended")
        hour_ms = 3_600_000
        snapshot = await reader.snapshot(store, SHOW)
        assert snapshot
        starts = snapshot.server_ms + hour_ms
        spec = CampaignSpec(title="T", percent_off=20, starts_at_ms=starts, ends_at_ms=starts + hour_ms)
        begun = await reductions.start_campaign(SHOW, owner, spec)
        assert isinstance(begun, CampaignStarted)
        await viewer.until("price.campaign", lambda data: data["title"] == "T")
        await reductions.stop_campaign(SHOW, owner, decoded(begun.json)["id"])
        await viewer.until("price.campaign_ended", lambda data: data["reason"] == "stopped")
        await sale.catalog.unpin(SHOW, owner)
        await sale.product("vase")
        await sale.bags.put(SHOW, owner, BagSpec(skus=["vase", "mug"]))
        await viewer.until("bag.changed", lambda data: data["skus"] == ["vase", "mug"])
        auctions = Auctions(store, settings(), sale.ledger.buyers)
        spec = LotSpec(sku="mug", start_minor=500, duration_s=60)
        for end in ("lot.cancelled", "lot.closed"):
            opened = await auctions.open(SHOW, owner, spec)
            assert isinstance(opened, Opened)
            lot = decoded(opened.json)["id"]
            await auctions.bid(SHOW, BORIS, lot, 900, idempotency_key=f"bid-{end}")
            if end == "lot.cancelled":
                await auctions.cancel(SHOW, owner, lot, "chipped")
            else:
                await advance(store, SHOW, 60_000)
                await sale.ledger.expire_due(SHOW)
            await viewer.until(end)
        lotteries = Lotteries(store, settings(), sale.ledger.buyers)
        await sale.product("bowl", stock=2)
        for end in ("draw.cancelled", "draw.drawn"):
            draw = await lotteries.open(SHOW, owner, DrawSpec(sku="bowl", units=1, duration_s=5))
            assert isinstance(draw, DrawView)
            await lotteries.enter(SHOW, ANNA, draw.id)
            await viewer.until("draw.entered")
            if end == "draw.cancelled":
                await lotteries.cancel(SHOW, owner, draw.id, "chipped")
            else:
                await advance(store, SHOW, 5_000)
                await sale.ledger.expire_due(SHOW)
                assert await lotteries.award(SHOW, draw.id) == 1
                await viewer.until("draw.closed")
            await viewer.until(end)
        waitlist = Waitlist(store, settings(), sale.ledger.buyers)
        await sale.product("pail", stock=1)
        order = await sale.held(BORIS, sku="pail")
        for _ in range(2):
            await waitlist.join(SHOW, ANNA, "pail", idempotency_key=new_id("k"))
            await viewer.until("waitlist.joined", lambda data: data["place"] == 1)
            await waitlist.leave(SHOW, ANNA, "pail")
            await viewer.until("waitlist.left")
        await waitlist.join(SHOW, ANNA, "pail", idempotency_key="turn")
        await sale.ledger.cancel(SHOW, BORIS, order)
        await viewer.until("order", lambda data: data["lines"][0].get("waited"))
        await Shows(store).change(SHOW, owner, "pause")
        await viewer.say(type="chat", text="hello")
        await viewer.until("tick", lambda data: data["chat"])
        await viewer.say(type="ping", t=1)
        await viewer.until("pong")
        await viewer.say(type="sing")
        await viewer.until("error")
        server.hub.on_clock(SHOW, "p", 1, 2)
        await viewer.until("clock")
        await server.hub.drain(1000)
        await viewer.until("drain")
    for update in viewer.heard:
        check_promise(update)
    heard = {update["type"] for update in viewer.heard}
    assert heard == set(UPDATES) - {"moderation"}, "every type but one (see test_removal) has been looked at"


async def test_an_order_is_told_to_its_buyer_alone(server: LiveServer, sale: Sale) -> None:
    await sale.product("mug", stock=5)
    async with (
        server.viewer(SHOW, **holder(ANNA)) as here,
        server.viewer(SHOW, **holder(ANNA)) as there,
        server.viewer(SHOW, **holder(BORIS)) as other,
    ):
        for viewer in (here, there, other):
            await viewer.until("snapshot")
        order = await sale.held(ANNA)
        for viewer in (here, there):
            update = await viewer.until("order")
            assert update["data"]["id"] == order
            assert update["data"]["state"] == "held"
            assert update["as_of"] == update["data"]["seq"]
            assert "seq" not in update
        assert await until_stock(other) == {"sku": "mug", "sold_out": False, "left": 4, "held": 1, "sold": 0}
        await other.until("tick")
        await other.until("tick")
        assert "order" not in {update["type"] for update in other.heard}


@pytest.mark.parametrize(
    ("display", "few", "none"),
    [
        ("exact", {"left": 2, "held": 1, "sold": 0}, {"left": 0, "held": 3, "sold": 0}),
        ("bucket", {"bucket": "low"}, {"bucket": "sold_out"}),
        ("hidden", {}, {}),
    ],
)
async def test_stock_is_told_as_far_as_it_is_shown(
    server: LiveServer, sale: Sale, display: str, few: dict[str, Any], none: dict[str, Any]
) -> None:
    async with server.viewer(SHOW) as viewer, server.viewer(SHOW, pid=CREATOR.pid, role="creator") as staff:
        await viewer.until("snapshot")
        await sale.product("mug", stock=3, stock_display=display)  # made while they watch
        await sale.held(ANNA)
        told = await until_stock(viewer, lambda data: not data["sold_out"])
        while "left" in told and told["held"] == 0:
            told = await until_stock(viewer)
        assert set(told) == {"sku", "sold_out", *few}
        await sale.held(ANNA, quantity=2)
        assert await until_stock(viewer, lambda data: data["sold_out"]) == {
            "sku": "mug",
            "sold_out": True,
            **none,
        }
        exact = await until_stock(staff, lambda data: data["sold_out"])
        assert exact == {"sku": "mug", "sold_out": True, "left": 0, "held": 3, "sold": 0}
    async with server.viewer(SHOW) as newcomer:
        (product,) = (await newcomer.until("snapshot"))["data"]["products"]
        assert product["sold_out"] is True
        assert product["left"] == none.get("left")


async def test_a_returning_viewer_learns_what_stock_has_become(server: LiveServer, sale: Sale) -> None:
    await sale.product("mug", stock=5)
    async with server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        place = (viewer.epoch, viewer.last)
    await sale.held(ANNA)
    async with server.viewer(SHOW, resume=place) as viewer:
        assert (await viewer.next())["data"]["resumed"] is True
        assert (await until_stock(viewer))["left"] == 4


async def test_a_rush_on_one_product_is_told_at_most_four_times_a_second(
    server: LiveServer, sale: Sale
) -> None:
    await sale.product("mug", stock=100)
    async with server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        for _ in range(100):
            await sale.held(ANNA)
        await until_stock(viewer, lambda data: data["left"] == 0)
    stock = [update for update in viewer.heard if update["type"] == "stock"]
    span_s = (stock[-1]["ts"] - stock[0]["ts"]) / 1000
    assert len(stock) <= 4 * span_s + 2


def check_promise(update: dict[str, Any]) -> None:
    """The update's data is what `updates` declares, no more and no less."""
    declared = UPDATES[update["type"]]
    if update["type"] != "order":
        msgspec.convert(update["data"], declared)
        unknown = {*update["data"]} - {*declared.__struct_fields__}
        assert not unknown, f"{update['type']} carries {unknown}"
