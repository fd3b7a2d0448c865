"""The reference price: the lowest of the 30 days before a reduction, kept through a seller's shows."""

from typing import Any

import pytest
from support.proof import KEY, encoded, sealed, sure
from support.sale import CREATOR, Sale, decoded, person
from support.store import advance, bodies

from server.commerce.catalog import FlashSpec, ProductSpec
from server.commerce.catalog_csv import Row
from server.commerce.catalog_files import CatalogFiles
from server.live.shows import NewShow, Shows
from server.log import reader
from server.store.outcome import Refused
from server.store.store import Store
from server.verify.chain import Sound, verify

DAY_MS = 86_400_000
OTHER = person("other", "creator")


class Shop(Sale):
    """A show of its own name whose log tells all of it."""

    async def open(self, currency: str = "EUR", *, live: bool = True) -> "Shop":
        shows = Shows(self.store)
        sure(await shows.create(CREATOR, NewShow(title="T", currency=currency, id=self.show, guests="buy")))
        if live:
            await self.life("start")
        return self

    async def life(self, change: Any) -> None:
        sure(await Shows(self.store).change(self.show, CREATOR, change))

    async def put(self, price: int, sku: str = "mug", **more: Any) -> int | None:
        """Put the product; the reference price that is told."""
        spec = ProductSpec(title="T", price_minor=price, **more)
        put = sure(await self.catalog.put_product(self.show, CREATOR, sku, spec))
        return decoded(put.json)["reference_price_minor"]

    async def flash(self, price: int, sku: str = "mug", starts_in_s: int = 0) -> dict[str, Any]:
        spec = FlashSpec(sku=sku, price_minor=price, duration_s=60, starts_in_s=starts_in_s, confirm=True)
        return decoded(sure(await self.catalog.flash(self.show, CREATOR, spec)).json)

    async def over(self, price: int, starts_in_s: int = 0) -> dict[str, Any]:
        """A flash price that is stopped after a second."""
        flash = await self.flash(price, starts_in_s=starts_in_s)
        await advance(self.store, self.show, 1_000)
        sure(await self.catalog.stop_flash(self.show, CREATOR, flash["id"]))
        return flash

    async def shown(self, sku: str = "mug") -> int | None:
        snapshot = await reader.snapshot(self.store, self.show)
        assert snapshot
        return next(view for view in snapshot.products if view.sku == sku).reference_price_minor

    async def check(self) -> None:
        entries = await reader.entries(self.store, self.show, 0)
        verdict = verify(sealed([entry.raw + b"\n" for entry in entries], show=self.show), KEY.public_key())
        assert isinstance(verdict, Sound), verdict


async def test_a_price_counts_from_when_it_can_be_paid(store: Store) -> None:
    shop = await Shop(store, "a").open(live=False)
    assert await shop.put(1000) is None
    assert await shop.put(1200) is None  # nobody could buy at 1000
    assert (await shop.over(900))["reference_price_minor"] is None
    await shop.life("start")
    assert await shop.shown() == 1200
    assert (await shop.flash(900))["reference_price_minor"] == 1200
    assert await shop.shown() == 1200
    await shop.check()


async def test_the_lowest_price_of_30_days_before_the_reduction(store: Store) -> None:
    shop = await Shop(store, "a").open()
    assert await shop.put(1000, stock=5) == 1000
    assert (await shop.over(800, starts_in_s=100))["reference_price_minor"] == 1000
    assert await shop.shown() == 1000  # it was stopped before it began
    assert (await shop.over(800))["reference_price_minor"] == 1000
    assert await shop.shown() == 800
    assert (await bodies(store, "a", "price.ended"))[-1]["reference_price_minor"] == 800
    assert await shop.put(700) == 700
    assert await shop.put(1500) == 700
    assert (await shop.flash(1200))["reference_price_minor"] == 700
    await advance(store, "a", 30 * DAY_MS)
    await shop.ledger.expire_due("a")
    assert await shop.put(1500, stock=None) == 700  # through the 30th day after
    await advance(store, "a", DAY_MS)
    assert await shop.put(1500, stock=None) == 1200  # its end was written a day ago
    await shop.check()


async def test_a_window_that_is_over_counts_before_anybody_has_written_it(store: Store) -> None:
    shop = await Shop(store, "a").open()
    await shop.put(1000)
    await shop.flash(600)
    await advance(store, "a", 60_000)
    assert await shop.shown() == 600
    other = await Shop(store, "b").open()
    assert await other.put(900) == 600


async def test_other_shows_of_the_seller_count(store: Store) -> None:
    first = await Shop(store, "a").open()
    await first.put(1000)
    await first.over(650)
    second = await Shop(store, "b").open()
    assert await second.put(1100) == 650  # the first is still live
    assert (await bodies(store, "b", "product.updated"))[0]["earlier_prices"][0][0] == 650
    await first.put(640)
    flash = await second.flash(620)
    assert (flash["reference_price_minor"], [price for price, _ in flash["earlier_prices"]]) == (640, [640])
    assert (await second.put(1100), await second.shown()) == (640, 640)
    for shop in (first, second):
        await shop.check()


async def test_a_show_that_is_over_is_asked_once_more(store: Store) -> None:
    first = await Shop(store, "a").open()
    await first.put(1000)
    await first.over(650)
    await first.life("end")
    shows = f"ls:{{seller:{CREATOR.pid}}}:shows"
    assert await store.reads.call("ZRANGE", shows, 0, -1) == [b"a"]
    assert await (await Shop(store, "b").open()).put(1100) == 650
    assert await store.reads.call("ZRANGE", shows, 0, -1) == [b"b"]
    assert await (await Shop(store, "c").open()).put(1100) == 650  # out of the seller's own record
    assert await (await Shop(store, "d").open(currency="USD")).put(1100) == 1100
    files = CatalogFiles(store)
    await Shop(store, "e").open()
    rows = [Row(2, "mug", ProductSpec(title="T", price_minor=1300, stock=1))]
    sure(await files.take("e", CREATOR, rows))
    assert [body["reference_price_minor"] for body in await bodies(store, "e", "product.updated")] == [650]


async def test_a_crash_between_the_slots_loses_nothing(store: Store) -> None:
    """A show keeps its own record; who adds it to the seller's may die before the show is forgotten there."""
    first = await Shop(store, "a").open()
    await first.put(1000)
    await first.over(650)
    await first.life("end")
    second = await Shop(store, "b").open()
    await second.put(1100)
    await store.writes.call("ZADD", f"ls:{{seller:{CREATOR.pid}}}:shows", 1, "a")  # died before the ZREM
    assert await (await Shop(store, "c").open()).put(1100) == 650
    assert await store.reads.call("ZRANGE", f"ls:{{seller:{CREATOR.pid}}}:low:EUR:mug", 0, -1) == [b"650"]


async def test_who_may_not_sell_writes_nothing(store: Store) -> None:
    shop = await Shop(store, "a").open()
    spec = ProductSpec(title="T", price_minor=10)
    refused = await shop.catalog.put_product("a", person("anna"), "mug", spec)
    assert isinstance(refused, Refused)
    assert refused.code == "forbidden"
    assert await store.reads.call("KEYS", "ls:{seller:*") == []


@pytest.mark.parametrize("by", [-1, 1])
async def test_another_reference_is_found(store: Store, by: int) -> None:
    shop = await Shop(store, "a").open()
    await shop.put(1000)
    await shop.flash(650)
    entries = [decoded(entry.raw) for entry in await reader.entries(store, "a", 0)]
    entries[-1]["body"]["reference_price_minor"] += by
    verdict = verify(sealed(encoded(entries), show="a"), KEY.public_key())
    assert "reference" in str(verdict)
