"""Auctions on a real store: who wins at which price, what is refused, and what the log says of it."""

from typing import Any

import msgspec
import pytest
from support.sale import ANNA, BORIS, CREATOR, Sale, decoded, person, settings
from support.store import advance

from server.commerce.auctions import Auctions, Counted, Found, LotSpec, Opened
from server.commerce.checkout import Checkout
from server.commerce.ledger import Swept
from server.commerce.orders import Paid
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.sandbox import SandboxGateway
from server.log import reader
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

CLARA = person("clara")
STEPS = [(0, 100), (2_000, 500)]


class House:
    """A show with one product of three units, and short words for an auction of it."""

    def __init__(self, sale: Sale) -> None:
        self.sale, self.keys = sale, 0
        self.auctions = Auctions(sale.store, settings(), sale.ledger.buyers)

    async def open(self, **more: Any) -> str:
        asked: dict[str, Any] = {"sku": "mug", "start_minor": 500, "duration_s": 60, "steps": STEPS}
        spec = LotSpec(**(asked | more))
        opened = await self.auctions.open(self.sale.show, CREATOR, spec)
        assert isinstance(opened, Opened), opened
        return decoded(opened.json)["id"]

    async def bid(self, who: Principal, lot: str, most: int, key: str = "") -> dict[str, Any] | Refused:
        self.keys += 1
        key = key or f"bid-{self.keys}"
        counted = await self.auctions.bid(self.sale.show, who, lot, most, idempotency_key=key)
        return decoded(counted.json) if isinstance(counted, Counted) else counted

    async def lot(self, lot: str) -> dict[str, Any]:
        found = await self.auctions.lot(self.sale.show, lot)
        assert isinstance(found, Found)
        return decoded(found.json)

    async def pass_time(self, ms: int) -> None:
        await advance(self.sale.store, self.sale.show, ms)

    async def sweep(self) -> None:
        assert isinstance(await self.sale.ledger.expire_due(self.sale.show), Swept)

    async def entries(self) -> list[dict[str, Any]]:
        read = await reader.entries(self.sale.store, self.sale.show, 0, 1_000)
        return [decoded(entry.raw) for entry in read]

    async def told(self, kind: str) -> list[dict[str, Any]]:
        return [entry["body"] for entry in await self.entries() if entry["kind"] == kind]


@pytest.fixture
async def house(store: Store) -> House:
    sale = await Sale(store).start()
    await sale.product("mug", stock=3, per_viewer_max=1)
    return House(sale)


async def test_the_highest_bidder_pays_one_step_more_than_the_second(house: House) -> None:
    lot = await house.open()
    assert await house.sale.stock() == (2, 1, 0)
    first = await house.bid(ANNA, lot, 1_500)
    assert isinstance(first, dict)
    assert (first["leading"], first["lot"]["price_minor"], first["lot"]["next_minor"]) == (True, 500, 600)
    second = await house.bid(BORIS, lot, 1_000)
    assert isinstance(second, dict)
    assert (second["leading"], second["lot"]["price_minor"]) == (False, 1_100)
    await house.bid(CLARA, lot, 2_400)
    assert (await house.lot(lot))["price_minor"] == 1_600
    await house.pass_time(60_000)
    await house.sweep()
    (closed,) = await house.told("lot.closed")
    assert (closed["winner"], closed["price_minor"], closed["bids"]) == (CLARA.pid, 1_600, 3)
    (order,) = await house.sale.ledger.orders_of(CLARA)
    view = order.view()
    assert (view.state, view.total_minor, view.lines[0].lot) == ("held", 1_600, lot)
    assert await house.sale.stock() == (2, 1, 0)
    checkout = Checkout(house.sale.ledger, SandboxGateway(StoreRecords(house.sale.store)))
    paid = await checkout.pay(house.sale.show, CLARA, view.id, "tok_ok")
    assert isinstance(paid, Paid), paid
    assert await house.sale.stock() == (2, 0, 1)


async def test_equal_maxima_go_to_the_earlier(house: House) -> None:
    lot = await house.open()
    await house.bid(ANNA, lot, 900)
    tied = await house.bid(BORIS, lot, 900)
    assert isinstance(tied, dict)
    assert (tied["leading"], tied["lot"]["leader"], tied["lot"]["price_minor"]) == (False, ANNA.pid, 900)


async def test_who_leads_raises_the_maximum_and_not_the_price(house: House) -> None:
    lot = await house.open()
    await house.bid(ANNA, lot, 900)
    assert await house.bid(ANNA, lot, 900) == Refused("bid_too_low", {"next_minor": 901})
    raised = await house.bid(ANNA, lot, 5_000)
    assert isinstance(raised, dict)
    assert (raised["lot"]["price_minor"], raised["max_minor"]) == (500, 5_000)


async def test_what_is_refused_changes_nothing(house: House) -> None:
    lot = await house.open()
    await house.bid(ANNA, lot, 900)
    before = await house.entries()
    moderator = person("mod", "moderator")
    assert await house.bid(BORIS, lot, 599) == Refused("bid_too_low", {"next_minor": 600})
    assert await house.bid(BORIS, "l_none", 900) == Refused("unknown_lot")
    assert await house.bid(CREATOR, lot, 900) == Refused("own_lot")
    assert await house.bid(moderator, lot, 900) == Refused("own_lot")
    for field, value, code in (("state", "paused", "show_closed"), ("sales_paused", "1", "sales_paused")):
        await house.sale.set(**{field: value})
        assert await house.bid(BORIS, lot, 900) == Refused(code)
        await house.sale.set(state="live", sales_paused="0")
    await house.pass_time(60_000)
    assert await house.bid(BORIS, lot, 900) == Refused("lot_closed"), "also before anybody has written it"
    assert await house.entries() == before
    assert (await house.lot(lot))["price_minor"] == 500


async def test_a_bid_id_counts_once(house: House) -> None:
    lot = await house.open()
    once = await house.bid(ANNA, lot, 900, "same")
    assert await house.bid(ANNA, lot, 900, "same") == once
    assert await house.bid(ANNA, lot, 1_000, "same") == Refused("idempotency_conflict")
    assert (await house.lot(lot))["bids"] == 1


async def test_a_late_bid_moves_the_end_and_sudden_death_does_not(house: House) -> None:
    soft, sudden = await house.open(soft_close_s=10), await house.open(soft_close_s=0)
    ends = (await house.lot(soft))["ends_sale_ms"]
    await house.pass_time(55_000)
    for lot in (soft, sudden):
        await house.bid(ANNA, lot, 900)
    assert (await house.lot(soft))["ends_sale_ms"] > ends
    await house.pass_time(6_000)
    await house.sweep()
    assert ((await house.lot(soft))["state"], (await house.lot(sudden))["state"]) == ("open", "closed")


async def test_soft_closes_together_are_bounded(house: House) -> None:
    lot = await house.open(soft_close_s=120, duration_s=60)
    latest = (await house.lot(lot))["latest_sale_ms"]
    most = 1_000
    while (await house.lot(lot))["ends_sale_ms"] < latest:
        await house.bid(ANNA if most % 2_000 else BORIS, lot, most)
        most += 1_000
        await house.pass_time(100_000)
    assert (await house.lot(lot))["ends_sale_ms"] == latest


async def test_a_lot_without_bids_and_a_cancelled_one_go_back(house: House) -> None:
    lot, other = await house.open(), await house.open()
    assert await house.sale.stock() == (1, 2, 0)
    await house.bid(ANNA, other, 900)
    back = await house.auctions.cancel(house.sale.show, CREATOR, other, "chipped")
    assert isinstance(back, Found)
    (told,) = await house.told("lot.cancelled")
    assert told["reason"].startswith(f"aes1:{CREATOR.pid}:")  # decrypted for whom it is told
    assert await house.bid(BORIS, other, 1_000) == Refused("lot_closed")
    await house.pass_time(60_000)
    await house.sweep()
    assert await house.sale.stock() == (3, 0, 0)
    assert (await house.lot(lot))["state"] == "closed"
    assert await house.sale.ledger.orders_of(ANNA) == []


async def test_nothing_left_is_no_lot(house: House) -> None:
    for _ in range(3):
        await house.open()
    spec = LotSpec(sku="mug", start_minor=500, duration_s=60)
    before = await house.entries()
    assert await house.auctions.open(house.sale.show, CREATOR, spec) == Refused("sold_out", {"left": 0})
    assert await house.auctions.open(house.sale.show, ANNA, spec) == Refused("forbidden")
    bad = msgspec.structs.replace(spec, steps=[(0, 100), (0, 200)])
    assert await house.auctions.open(house.sale.show, CREATOR, bad) == Refused(
        "bad_request", {"field": "steps"}
    )
    assert await house.entries() == before


async def test_the_banned_do_not_win(house: House) -> None:
    lot = await house.open()
    await house.bid(ANNA, lot, 900)
    await house.bid(BORIS, lot, 2_000)
    await house.sale.store.writes.call("HSET", f"ls:{{{house.sale.show}}}:banned", BORIS.pid, "{}")
    assert await house.bid(BORIS, lot, 5_000) == Refused("banned")
    await house.pass_time(60_000)
    await house.sweep()
    (closed,) = await house.told("lot.closed")
    assert (closed["winner"], closed["price_minor"]) == (ANNA.pid, 500)


async def test_moderators_hear_of_strange_bidders(house: House) -> None:
    for _ in range(3):
        lot = await house.open()
        await house.bid(ANNA, lot, 1_000)
        await house.bid(BORIS, lot, 900)
        await house.pass_time(60_000)
        await house.sweep()  # Anna wins
        await house.pass_time(121_000)
        await house.sweep()  # and does not pay
    await house.bid(ANNA, await house.open(), 1_000)
    signals = [(told["signal"], told["subject"], told["times"]) for told in await house.told("lot.signal")]
    assert signals == [
        ("unpaid_before", ANNA.pid, 1),
        ("unpaid_before", ANNA.pid, 2),
        ("second_again", BORIS.pid, 3),
        ("unpaid_before", ANNA.pid, 3),
    ]
