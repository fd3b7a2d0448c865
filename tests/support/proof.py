"""A real log for `vendue verify` to judge, and what it takes to change it and seal it again."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.sale import ANNA, BORIS, CREATOR, SECRET, SHOW, Sale, person, settings
from support.store import advance

from server.commerce.auctions import Auctions, LotSpec
from server.commerce.bag import Wanted
from server.commerce.bags import BagSpec, SetSpec
from server.commerce.catalog import FlashSpec, Part, ProductSpec, RepeatSpec
from server.commerce.coupons import Coupons, CouponSpec
from server.commerce.lotteries import DrawSpec, Lotteries
from server.commerce.reductions import CampaignPrice, CampaignSpec, Reductions, ShowFlashSpec
from server.commerce.waitlist import Waitlist
from server.live.moderation import Ban, Moderation, PauseSales, ResumeSales, Unban
from server.live.shows import NewShow, Shows
from server.log import reader, seals
from server.log.entries import decode
from server.log.seals import Seal
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CLARA, DORA, EVE = person("clara"), person("dora"), person("eve")
LONGER_THAN_A_HOLD_MS: Final = 200_000

Record = dict[str, Any]
"""An entry as JSON says it, to be changed."""


def sure(outcome: Any) -> Any:
    """What was not refused."""
    assert not isinstance(outcome, Refused), outcome
    return outcome


class Story:
    """A show in which everything happens that a log can tell."""

    def __init__(self, store: Store) -> None:
        self.store, self.sale, self.shows = store, Sale(store), Shows(store)
        self.moderation = Moderation(store, PrivateText(store, SECRET), Pids(store))
        self.ledger, self.catalog = self.sale.ledger, self.sale.catalog

    async def tell(self) -> list[Record]:
        """Run the show; its log's entries."""
        await self.open()
        await self.pay_in_two_attempts_and_go_back()
        await self.sell_at_a_flash_price()
        await self.pay_too_late()
        await self.undo_a_flash_price()
        await self.buy_several()
        await self.buy_bundles()
        await self.change_the_bag()
        await self.stop_and_go_on()
        await self.auction()
        await self.reduce_the_whole_show()
        await self.wait_in_line()
        await self.draw()
        await self.use_coupons()
        await self.repeat_a_flash_price()
        await self.run_campaigns()
        await self.pay_first()
        await self.end()
        raw = [entry.raw for entry in await reader.entries(self.store, SHOW, 0)]
        return [msgspec.json.decode(line, type=Record) for line in raw]

    async def open(self) -> None:
        sure(await self.shows.create(CREATOR, NewShow(title="T", currency="EUR", id=SHOW, guests="buy")))
        sure(await self.shows.change(SHOW, CREATOR, "start"))
        await self.sale.product(stock=10, per_viewer_max=4, commission_bps=333)
        await self.sale.product("vase", 500, 2)
        sure(await self.catalog.pin(SHOW, CREATOR, "mug"))

    async def pay_in_two_attempts_and_go_back(self) -> None:
        order = await self.sale.held(ANNA, quantity=2)
        await self.pay(order, ANNA, approved=False)
        await self.pay(order, ANNA)
        await self.refund(order, restock=True)
        order = await self.sale.held(CLARA, quantity=3)
        await self.pay(order, CLARA)
        await self.refund(order, restock=True, quantity=1)
        await self.refund(order, restock=False, amount_minor=300)
        await self.refund(order, restock=False)
        order = await self.sale.held(BORIS, seen=1_200)
        sure(await self.ledger.cancel(SHOW, BORIS, order))

    async def sell_at_a_flash_price(self) -> None:
        await self.flash("mug", 700, quantity=3, per_viewer_max=2)
        late = await self.sale.held(CLARA, quantity=2, seen=700)
        await self.sale.held(ANNA, seen=700)  # uses it up
        sure(await self.ledger.begin_payment(SHOW, CLARA, late, "tok"))
        await self.time_passes()
        sure(await self.ledger.settle(SHOW, late, 1, approved=True))  # late money, and there is room
        await self.flash("mug", 800)
        await self.time_passes()  # its window is over
        await self.flash("mug", 600)
        flash = (await self.bodies("price.flash"))[-1]["id"]
        sure(await self.catalog.stop_flash(SHOW, CREATOR, flash))

    async def pay_too_late(self) -> None:
        late = await self.sale.held(BORIS, sku="vase", quantity=2, seen=500)
        sure(await self.ledger.begin_payment(SHOW, BORIS, late, "tok"))
        await self.time_passes()
        sure(await self.moderation.apply(SHOW, CREATOR, Ban(DORA.pid, "abuse")))
        order = await self.sale.held(ANNA, sku="vase", quantity=2, seen=500)
        sure(await self.moderation.apply(SHOW, CREATOR, Unban(DORA.pid)))
        sure(await self.ledger.settle(SHOW, late, 1, approved=True))  # the units are Anna's now
        sure(await self.ledger.refunded(SHOW, late, ["r1"]))
        await self.pay(order, ANNA)
        await self.refund(order, restock=False)

    async def undo_a_flash_price(self) -> None:
        await self.sale.product("lamp", 900, 5)
        await self.flash("lamp", 90)
        await self.pay(await self.sale.held(BORIS, sku="lamp", seen=90), BORIS)
        await self.sale.held(CLARA, sku="lamp", seen=90)
        flash = (await self.bodies("price.flash"))[-1]["id"]
        assert sure(await self.ledger.undo_flash(SHOW, CREATOR, flash, "one zero is missing")).done

    async def buy_several(self) -> None:
        """Two products as one order: back by line and by unit, and one line of it undone."""
        await self.sale.product("cup", 300, 12, commission_bps=333)
        await self.sale.product("pot", 801, 6, per_viewer_max=3, commission_bps=1_000)
        order = await self.bag(ANNA, Wanted("cup", 2, 300), Wanted("pot", 3, 900))
        await self.pay(order, ANNA)
        await self.refund(order, restock=True, sku="pot", quantity=1)
        await self.refund(order, restock=False, sku="cup")
        await self.refund(order, restock=True)
        await self.flash("pot", 80, quantity=3, per_viewer_max=2)
        await self.pay(await self.bag(BORIS, Wanted("cup", 1, 300), Wanted("pot", 2, 80)), BORIS)
        await self.bag(CLARA, Wanted("pot", 1, 80), Wanted("cup", 1, 300))
        flash = (await self.bodies("price.flash"))[-1]["id"]
        assert sure(await self.ledger.undo_flash(SHOW, CREATOR, flash, "one zero is missing")).done

    async def buy_bundles(self) -> None:
        """A bundle alone, and in one order with one of its parts."""
        parts = [Part(sku="cup", quantity=2), Part(sku="tin", quantity=1)]
        await self.sale.product("tin", 200, 6, per_viewer_max=3, commission_bps=333)
        spec = ProductSpec(title="Set", price_minor=700, parts=parts, commission_bps=333, per_viewer_max=2)
        sure(await self.catalog.put_product(SHOW, CREATOR, "set", spec))
        order = await self.bag(ANNA, Wanted("set", 1, 700), Wanted("tin", 1, 200))
        await self.pay(order, ANNA)
        await self.refund(order, restock=False, sku="set")
        await self.pay(await self.sale.held(BORIS, sku="set", seen=700), BORIS)
        sure(await self.ledger.cancel(SHOW, CLARA, await self.sale.held(CLARA, sku="set", seen=700)))

    async def change_the_bag(self) -> None:
        """Some products alone are for sale, in another order, and then all again."""
        bags = self.sale.bags
        sure(await bags.keep_set(SHOW, CREATOR, "kitchen", SetSpec("Kitchen", ["pot", "cup"])))
        sure(await bags.put(SHOW, CREATOR, BagSpec(skus=["mug", "cup", "pot"])))
        await self.pay(await self.sale.held(DORA, sku="cup", seen=300), DORA)
        everything = ["mug", "vase", "lamp", "cup", "pot", "tin", "set"]
        sure(await bags.put(SHOW, CREATOR, BagSpec(skus=everything)))
        await bags.drop_set(SHOW, CREATOR, "kitchen")

    async def bag(self, who: Principal, *wanted: Wanted, coupon: str = "") -> str:
        key = "-".join([who.pid, *(f"{sku}-{price}" for sku, _, price in wanted)])
        placed = sure(await self.ledger.hold(SHOW, who, wanted, idempotency_key=key, coupon=coupon))
        return placed.order.view().id

    async def stop_and_go_on(self) -> None:
        sure(await self.catalog.restock(SHOW, CREATOR, "mug", 5, idempotency_key="r"))
        changed = ProductSpec(title="Mug", price_minor=1_100, per_viewer_max=4, commission_bps=333)
        sure(await self.catalog.put_product(SHOW, CREATOR, "mug", changed))
        sure(await self.moderation.apply(SHOW, CREATOR, PauseSales("wrong price")))
        await advance(self.store, SHOW, 5_000)
        sure(await self.moderation.apply(SHOW, CREATOR, ResumeSales("fixed")))
        sure(await self.shows.change(SHOW, CREATOR, "pause"))
        await advance(self.store, SHOW, 5_000)
        sure(await self.shows.change(SHOW, CREATOR, "resume"))
        sure(await self.shows.set_member(SHOW, CREATOR, DORA.pid, ["moderator"]))
        show = sure(await reader.head(self.store, SHOW))
        sure(await self.store.scripts.run("new_epoch", SHOW, "", "", show.epoch, "e_second", show.seq))

    async def auction(self) -> None:
        """One lot is won after four bids, one gets no bid, one is cancelled."""
        auctions = Auctions(self.store, settings(), self.ledger.buyers)
        spec = LotSpec(sku="mug", start_minor=500, duration_s=60, steps=[(0, 100), (2_000, 500)])
        won, cancelled, _ = [
            msgspec.json.decode(sure(await auctions.open(SHOW, CREATOR, spec)).json)["id"] for _ in range(3)
        ]
        bids = ((ANNA, 900), (BORIS, 1_500), (CLARA, 2_400), (BORIS, 3_000))
        for key, (who, most) in enumerate(bids):
            sure(await auctions.bid(SHOW, who, won, most, idempotency_key=f"bid-{key}"))
        sure(await auctions.cancel(SHOW, CREATOR, cancelled, "chipped"))
        await advance(self.store, SHOW, 60_000)
        sure(await self.ledger.expire_due(SHOW))

    async def reduce_the_whole_show(self) -> None:
        """Two products, one of which has a flash price of its own for a while."""
        reductions = Reductions(self.store)
        spec = ShowFlashSpec(percent_off=10, duration_s=60, skus=["tin", "cup"])
        started = msgspec.json.decode(sure(await reductions.start_show_flash(SHOW, CREATOR, spec)).json)
        await self.sale.held(ANNA, sku="tin", seen=180)
        await self.flash("cup", 200)
        flash = (await self.bodies("price.flash"))[-1]["id"]
        await self.bag(BORIS, Wanted("cup", 1, 200), Wanted("tin", 1, 180))
        sure(await self.catalog.stop_flash(SHOW, CREATOR, flash))
        sure(await reductions.stop_show_flash(SHOW, CREATOR, started["id"]))

    async def run_campaigns(self) -> None:
        """One is over while the show is paused, below a flash price of one of its products; one, by prices,
        is still to come when the show ends.
        """
        reductions, day_ms = Reductions(self.store), 86_400_000
        await self.sale.product("fork", 400, 5)
        await self.sale.product("knife", 600, 5)
        now = sure(await reader.snapshot(self.store, SHOW)).server_ms
        spec = CampaignSpec(
            title="Weekend", percent_off=25, skus=["fork", "knife"], starts_at_ms=now, ends_at_ms=now + 90_000
        )
        sure(await reductions.start_campaign(SHOW, CREATOR, spec))
        await self.sale.held(DORA, sku="fork", seen=300)
        renamed = ProductSpec(title="Bread knife", price_minor=600)
        sure(await self.catalog.put_product(SHOW, CREATOR, "knife", renamed))
        await self.flash("knife", 500)
        await self.sale.held(DORA, sku="knife", seen=500)
        sure(await self.shows.change(SHOW, CREATOR, "pause"))
        await advance(self.store, SHOW, 90_000)
        sure(await self.ledger.expire_due(SHOW))
        sure(await self.shows.change(SHOW, CREATOR, "resume"))
        spec = CampaignSpec(
            title="Black Friday",
            prices=[CampaignPrice("fork", 100)],
            starts_at_ms=now + day_ms,
            ends_at_ms=now + 3 * day_ms,
            confirm=True,
        )
        sure(await reductions.start_campaign(SHOW, CREATOR, spec))

    async def wait_in_line(self) -> None:
        """Three wait for the last pail: one is banned when their turn has come, one leaves, one pays."""
        waitlist = Waitlist(self.store, settings(), self.ledger.buyers)
        await self.sale.product("pail", 500, 1)
        order = await self.sale.held(DORA, sku="pail", seen=500)
        for who in (ANNA, BORIS, CLARA):
            sure(await waitlist.join(SHOW, who, "pail", idempotency_key="pail"))
        sure(await self.moderation.apply(SHOW, CREATOR, Ban(ANNA.pid, "spam")))
        sure(await waitlist.leave(SHOW, BORIS, "pail"))
        sure(await waitlist.join(SHOW, BORIS, "pail", idempotency_key="pail-again"))
        sure(await self.ledger.cancel(SHOW, DORA, order))
        await self.pay(waitlist.order_id(SHOW, CLARA.pid, "pail"), CLARA)
        sure(await self.moderation.apply(SHOW, CREATOR, Unban(ANNA.pid)))
        sure(await waitlist.leave(SHOW, BORIS, "pail"))

    async def use_coupons(self) -> None:
        """A percentage off two products, one of them at a flash price, and an amount off one."""
        coupons = Coupons(self.store)
        await self.sale.product("jar", 1_000, 5)
        await self.sale.product("jug", 2_000, 5)
        spec = CouponSpec(percent_off=20, skus=["jar", "jug"], quantity=3, per_viewer_max=2, expires_in_s=600)
        sure(await coupons.make(SHOW, CREATOR, "autumn", spec))
        sure(await coupons.make(SHOW, CREATOR, "FIVE", CouponSpec(amount_off_minor=500, skus=["jar"])))
        await advance(self.store, SHOW, 61_000)  # longer than the shortest coupon
        await self.flash("jug", 1_500)
        wanted = [Wanted("jar", 1, 1_000), Wanted("jug", 1, 1_500)]
        order = await self.bag(ANNA, *wanted, coupon="Autumn")
        await self.pay(order, ANNA)
        await self.refund(order, restock=True, sku="jar")
        await self.bag(BORIS, Wanted("jar", 1, 1_000), coupon="AUTUMN")
        await self.bag(CLARA, Wanted("jar", 1, 1_000), coupon="FIVE")
        sure(await coupons.end(SHOW, CREATOR, "FIVE"))

    async def draw(self) -> None:
        """Two bowls among four people, of whom one is banned meanwhile; and a draw that is taken back."""
        lotteries = Lotteries(self.store, settings(), self.ledger.buyers)
        await self.sale.product("bowl", 500, 5, per_viewer_max=1)
        spec = DrawSpec(sku="bowl", units=2, price_minor=400, duration_s=10)
        kept, cancelled = [sure(await lotteries.open(SHOW, CREATOR, spec)).id for _ in range(2)]
        for who in (ANNA, BORIS, CLARA, EVE):
            sure(await lotteries.enter(SHOW, who, kept))
        sure(await lotteries.cancel(SHOW, CREATOR, cancelled, "chipped"))
        sure(await self.moderation.apply(SHOW, CREATOR, Ban(EVE.pid, "spam")))
        await advance(self.store, SHOW, 10_000)
        for draw in sure(await self.ledger.expire_due(SHOW)).draws:
            sure(await lotteries.award(SHOW, draw))
        sure(await self.moderation.apply(SHOW, CREATOR, Unban(EVE.pid)))

    async def repeat_a_flash_price(self) -> None:
        """One window goes by, the next is used up, and the third is stopped by the name of the first."""
        spec = FlashSpec(
            sku="vase",
            price_minor=400,
            duration_s=60,
            quantity=2,
            repeat=RepeatSpec(every_s=100, times=3),
        )
        sure(await self.catalog.restock(SHOW, CREATOR, "vase", 5, idempotency_key="vases"))
        sure(await self.catalog.flash(SHOW, CREATOR, spec))
        flash = (await self.bodies("price.flash"))[-1]["id"]
        await advance(self.store, SHOW, 60_000)
        sure(await self.ledger.expire_due(SHOW))
        await advance(self.store, SHOW, 40_000)
        await self.sale.held(CLARA, sku="vase", quantity=2, seen=400)
        sure(await self.catalog.stop_flash(SHOW, CREATOR, flash))

    async def pay_first(self) -> None:
        """Two kilns that nobody reserves: one is paid at the second attempt, one given back, two run out,
        one of them while its buyer pays. A print goes by lottery.
        """
        await self.sale.product("kiln", 900, 2, hold_policy="pay_first", per_viewer_max=1)
        await self.sale.product("print", 500, 1, hold_policy="lottery")
        sure(await self.catalog.pin(SHOW, CREATOR, "kiln"))
        anna, boris, clara, _ = [
            await self.sale.held(who, sku="kiln", seen=900) for who in (ANNA, BORIS, CLARA, DORA)
        ]
        await self.pay(anna, ANNA, approved=False)
        await self.pay(anna, ANNA)
        sure(await self.ledger.cancel(SHOW, BORIS, boris))
        sure(await self.ledger.begin_payment(SHOW, CLARA, clara, "tok"))
        await self.time_passes()
        lotteries = Lotteries(self.store, settings(), self.ledger.buyers)
        spec = DrawSpec(sku="print", units=1, price_minor=400, duration_s=10)
        draw = sure(await lotteries.open(SHOW, CREATOR, spec)).id
        sure(await lotteries.enter(SHOW, EVE, draw))
        await advance(self.store, SHOW, 10_000)
        sure(await self.ledger.expire_due(SHOW))
        sure(await lotteries.award(SHOW, draw))

    async def end(self) -> None:
        sure(await self.catalog.unpin(SHOW, CREATOR))
        await self.sale.held(CLARA, seen=1_100)
        sure(await self.shows.change(SHOW, CREATOR, "end"))
        sure(await self.ledger.expire_due(SHOW))  # and with it the campaign

    # words

    async def bodies(self, kind: str) -> list[Record]:
        return [entry.body for entry in await reader.entries(self.store, SHOW, 0) if entry.kind == kind]

    async def time_passes(self) -> None:
        await advance(self.store, SHOW, LONGER_THAN_A_HOLD_MS)
        sure(await self.ledger.expire_due(SHOW))

    async def flash(
        self, sku: str, price: int, quantity: int | None = None, per_viewer_max: int | None = None
    ) -> None:
        spec = FlashSpec(
            sku=sku,
            price_minor=price,
            duration_s=60,
            quantity=quantity,
            per_viewer_max=per_viewer_max,
            confirm=True,
        )
        sure(await self.catalog.flash(SHOW, CREATOR, spec))

    async def pay(self, order: str, who: Principal, *, approved: bool = True) -> None:
        attempt = sure(await self.ledger.begin_payment(SHOW, who, order, "tok"))
        sure(await self.ledger.settle(SHOW, order, attempt.number, approved=approved))

    async def refund(self, order: str, *, restock: bool, sku: str = "", **part: int) -> None:
        key = "-".join(["back", order, sku, *part])
        asked = self.ledger.refund(
            SHOW, CREATOR, order, restock=restock, reason="r", idempotency_key=key, sku=sku, **part
        )
        due = sure(await asked)
        sure(await self.ledger.refunded(SHOW, order, [refund for refund, _ in due.refunds]))


def encoded(records: Sequence[Record]) -> list[bytes]:
    """The lines of these entries."""
    return [msgspec.json.encode(record) + b"\n" for record in records]


def sealed(
    lines: Sequence[bytes],
    *,
    every: int = 10,
    show: str = SHOW,
    key: Ed25519PrivateKey = KEY,
    change: Callable[[Seal], Seal] = lambda seal: seal,
) -> list[bytes]:
    """An export: these entries, a seal after `every` so many and at the end, signed after `change`."""
    out: list[bytes] = []
    chained, epoch = seals.genesis(show), ""
    for first in range(0, len(lines), every):
        hashes: list[bytes] = []
        for line in lines[first : first + every]:
            entry = decode(line[:-1])
            chained, epoch = seals.link(chained, entry.raw), seals.epoch_after(epoch, [entry.raw])
            hashes.append(chained)
            out.append(line)
        newest = decode(out[-1][:-1])
        seal = Seal(show, epoch, newest.seq, newest.ts, chained.hex(), seals.steps(hashes))
        out.append(seals.encode(seals.sign(change(seal), key)) + b"\n")
    return out
