"""The state of a show, replayed from its log: what the rules compare an entry with. Pure.

`Replay` believes what it is told (the rules have judged it before) but for what can be counted: stock and the
units that caps and quotas speak about are summed from the orders, never copied from an entry.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from server.commerce import price_record
from server.commerce.lots import Lot
from server.commerce.model_records import COUNTED, CampaignTerms, Reduction, ShowTerms
from server.commerce.pricing import Flash, Instant, PriceInForce, Prices, price_in_force, sale_time_ms
from server.verify.bodies import (
    BagChanged,
    Body,
    CouponEnded,
    CouponMade,
    DrawBody,
    DrawCancelled,
    DrawDrawn,
    DrawOpened,
    EpochChanged,
    LotCancelled,
    LotClosed,
    LotMax,
    LotOpened,
    Moderation,
    Pinned,
    ProductUpdated,
    Restocked,
    ShowCreated,
    ShowState,
    Unpinned,
    WaitJoined,
    WaitLeft,
)
from server.verify.drawn import Draws
from server.verify.order_bodies import (
    OrderChange,
    counted_units,
    place_of,
    units_back,
)
from server.verify.price_bodies import (
    Campaign,
    CampaignEnded,
    FlashPrice,
    PriceEnded,
    PriceUndone,
    ReductionEnded,
    ShowFlash,
    ShowFlashEnded,
    ShowReduced,
)
from server.verify.records import Coupon, Known, PriceBody, Product, Step, Stock, ended_price, version_after


@dataclass
class Replay:
    """Everything that the log has said up to some entry."""

    show: ShowCreated | None = None
    life: ShowState = field(
        default_factory=lambda: ShowState("scheduled", False, False, False, False, 0, None)
    )
    epoch: str = ""
    seq: int = 0
    public_seq: int = 0
    ts: int = 0
    pin: str = ""
    products: dict[str, Product] = field(default_factory=dict[str, Product])
    off: set[str] = field(default_factory=set[str])
    """Products that are not in the bag."""
    flashes: dict[str, FlashPrice] = field(default_factory=dict[str, FlashPrice])
    orders: dict[str, Known] = field(default_factory=dict[str, Known])
    lots: dict[str, Lot] = field(default_factory=dict[str, Lot])
    waiting: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Who stands in line for a product, the first first: pid → the seq at which it joined."""
    going_on: str = ""
    """The flash price whose window has just ended; the next entry announces its next window."""
    bidding: str = ""
    """The lot for which a maximum was just set; the next entry tells everybody."""
    unsold: tuple[str, str, int] | None = None
    """Lot, winner and price of a lot that has just ended; the next entry is the order."""
    draws: Draws = field(default_factory=Draws)
    show_flash: ShowTerms | None = None
    """The flash price of the whole show that is announced or running."""
    campaign: CampaignTerms | None = None
    """Likewise."""
    price_steps: int = 0
    """Starts and ends of those that are over."""
    undone: set[str] = field(default_factory=set[str])
    """Flash prices whose sales are taken back."""
    banned: set[str] = field(default_factory=set[str])
    bought: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    flash_bought: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    flash_used: Counter[str] = field(default_factory=Counter[str])
    coupons: dict[str, Coupon] = field(default_factory=dict[str, Coupon])
    coupon_bought: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    coupon_used: Counter[str] = field(default_factory=Counter[str])

    def sale_ms(self, ts: int) -> int:
        """The sale clock at a server time, as the show stands."""
        return sale_time_ms(ts, self.life.frozen_since_ms or 0, self.life.frozen_total_ms)

    @property
    def of_show(self) -> tuple[Reduction, ...]:
        """The reductions of the whole show that are announced or running; the last goes first."""
        return tuple(each for each in (self.campaign, self.show_flash) if each)

    @property
    def is_on_offer(self) -> bool:
        """Whether one can buy, or could: prices count from then on."""
        return self.life.state != "scheduled"

    def prices(self, sku: str) -> Prices:
        """All that a product's price follows from (see pricing.py)."""
        product = self.products[sku]
        return self._prices(sku, product.list_price_minor, product.version, product.flash)

    def prices_after(self, body: ProductUpdated) -> Prices:
        """The same when a product has been put like this."""
        old = self.products.get(body.sku)
        flash = old.flash if old else None
        return self._prices(body.sku, body.list_price_minor, version_after(old, body), flash)

    def _prices(self, sku: str, list_price_minor: int, version: int, flash: Flash | None) -> Prices:
        of_show = tuple(terms.of(sku) for terms in self.of_show)
        return Prices(list_price_minor, version + self.price_steps, flash, of_show)

    def price_at(self, sku: str, at: Instant) -> PriceInForce:
        """The price in force."""
        return price_in_force(self.prices(sku), at)

    def state_of(self, order: str) -> str:
        """An order's state; "" when there is no such order."""
        known = self.orders.get(order)
        return known.state if known else ""

    def takes_units(self, change: OrderChange) -> bool:
        """Whether the change begins to count against caps and quotas."""
        return change.order.state in COUNTED and self.state_of(change.order.id) not in COUNTED

    def pieces(self, sku: str, units: int = 1) -> list[tuple[str, int]]:
        """What so many units of a product take from the shelf."""
        return [(part, n * units) for part, n in self.products[sku].parts or ((sku, 1),)]

    def counted(self, sku: str, units: int) -> list[tuple[str, int]]:
        """The caps against which units of a product count: its own, and of a bundle those of its parts."""
        own = [(sku, units)] if self.products[sku].parts else []
        return own + self.pieces(sku, units)

    def stock_after(self, change: OrderChange) -> dict[str, Stock]:
        """The stock of each product of the order after the change: its units move from one place to another.

        Units of a paid order that come back with a refund go to the shelf or are written off."""
        known, order = self.orders.get(change.order.id), change.order
        source, target = place_of(known.state if known else ""), place_of(order.state)
        units = [line.quantity for line in order.lines]
        if known and source == "sold":
            new = order.refunds[len(known.refunds) :]
            units = units_back(order, new)
            target = "left" if all(refund.restock for refund in new) else "written off"
        moved: dict[str, Stock] = {}
        for line, taken in zip(order.lines, units, strict=True):
            for sku, n in self.pieces(line.sku, taken):
                left, held, sold = moved.get(sku, self.products[sku].stock)
                stock = {"left": left, "held": held, "sold": sold, "written off": 0}
                stock[source] -= n
                stock[target] += n
                moved[sku] = (stock["left"], stock["held"], stock["sold"])
        return moved

    def apply(self, step: Step) -> None:
        """Take over what an entry says. Its rules hold, or nothing about the result is promised."""
        entry, body = step.entry, step.body
        self.going_on, self.bidding, self.unsold = "", "", None
        self.seq, self.ts = entry.seq, entry.ts
        self.public_seq = entry.seq if entry.is_public else self.public_seq
        match body:
            case ShowCreated():
                self.show, self.epoch = body, body.epoch
            case ShowState():
                self.life = body
            case EpochChanged():
                self.epoch = body.epoch
            case Moderation():
                self._moderate(body)
            case OrderChange():
                self._change_order(body, step.audience_pid)
            case WaitJoined() | WaitLeft():
                self._change_line(body.sku, step.audience_pid, joins=isinstance(body, WaitJoined))
            case _ if isinstance(body, DrawBody):
                self._change_draw(body, step.audience_pid)
            case LotOpened() | LotMax() | LotClosed() | LotCancelled():
                self._change_lot(step, body)
            case _:
                record = self.record_after(step, body) if isinstance(body, PriceBody) else None
                self._change_catalogue(step, body)
                if record is not None and isinstance(body, PriceBody):
                    self.products[body.sku].record = record

    def _change_draw(self, body: DrawBody, pid: str) -> None:
        self.draws.apply(body, pid)
        if isinstance(body, DrawOpened | DrawDrawn | DrawCancelled):
            draw = self.draws.known[body.id]
            self._hold_back(draw.sku, draw.units if isinstance(body, DrawOpened) else -draw.units)

    def _hold_back(self, sku: str, units: int) -> None:
        """Units go from the shelf to what is held, for a lot or a draw, or (negative) back."""
        left, held, sold = self.products[sku].stock
        self.products[sku].stock = (left - units, held + units, sold)

    def _change_line(self, sku: str, pid: str, *, joins: bool) -> None:
        line = self.waiting.setdefault(sku, {})
        if joins:
            line[pid] = self.seq
        else:
            line.pop(pid, None)
        if not line:
            del self.waiting[sku]

    def _moderate(self, body: Moderation) -> None:
        if body.action == "ban":
            self.banned.add(body.subject)
        elif body.action == "unban":
            self.banned.discard(body.subject)

    def record_after(self, step: Step, body: PriceBody) -> price_record.Record:
        """The price record of the product that an entry tells of, with what the entry adds.

        That is a price that ends with it, and what it takes over from other shows. Older servers kept no
        record; their entries tell no reason or reference.
        """
        old, today = self.products.get(body.sku), price_record.day_of(step.entry.ts)
        ended = ended_price(old, step, body) if old and self.is_on_offer else None
        told = () if isinstance(body, PriceEnded) else body.earlier_prices
        prices = told if ended is None else (*told, (ended, today))
        return price_record.with_prices(old.record if old else (), prices, today)

    def show_record_after(self, step: Step, sku: str) -> price_record.Record:
        """The price record of a product after a reduction of the whole show was announced, or ended."""
        product, today = self.products[sku], price_record.day_of(step.entry.ts)
        more: Iterable[price_record.Low] = ()
        match step.body:
            case ShowReduced(prices=prices):
                more = next((each.earlier_prices for each in prices if each.sku == sku), ())
            case ReductionEnded(id=ended):
                terms = next((each for each in self.of_show if each.id == ended), None)
                if terms and sku in terms.prices and self.is_on_offer and terms.begun(step.at):
                    more = ((terms.prices[sku], today),)
            case _:
                pass
        return price_record.with_prices(product.record, more, today)

    def _change_reduction(
        self, step: Step, body: ShowFlash | ShowFlashEnded | Campaign | CampaignEnded
    ) -> None:
        for each in body.prices:
            self.products[each.sku].record = self.show_record_after(step, each.sku)
        match body:
            case ShowFlash():
                self.show_flash = body.terms
            case Campaign():
                self.campaign = body.terms
            case ShowFlashEnded():
                self.show_flash, self.price_steps = None, self.price_steps + 2
            case CampaignEnded():
                self.campaign, self.price_steps = None, self.price_steps + 2

    def _change_catalogue(self, step: Step, body: Body | None) -> None:
        match body:
            case ProductUpdated():
                self._put(body)
            case Restocked():
                left, held, sold = self.products[body.sku].stock
                self.products[body.sku].stock = (left + body.delta, held, sold)
            case Pinned() | Unpinned():
                self.pin = body.sku if isinstance(body, Pinned) else ""
            case BagChanged():
                self.off = set(self.products) - set(body.skus)
            case FlashPrice():
                self.flashes[body.id] = body
                self.products[body.sku].flash = Flash(
                    body.id, body.price_minor, body.price_version, body.starts_sale_ms, body.ends_sale_ms
                )
            case CouponMade() | CouponEnded():
                self._change_coupon(body)
            case PriceUndone(id=flash):
                self.undone.add(flash)
            case PriceEnded():
                product = self.products[body.sku]
                product.flash, product.version = None, product.version + 2
                self.going_on = body.id if body.repeat == "goes_on" else ""
            case ShowFlash() | ShowFlashEnded() | Campaign() | CampaignEnded():
                self._change_reduction(step, body)
            case _:
                pass

    def _change_coupon(self, body: CouponMade | CouponEnded) -> None:
        if isinstance(body, CouponMade):
            self.coupons[body.code] = Coupon(body)
        elif coupon := self.coupons.get(body.code):
            coupon.ended = True

    def _change_lot(self, step: Step, body: LotOpened | LotMax | LotClosed | LotCancelled) -> None:
        match body:
            case LotMax():
                self.lots[body.id].bid(step.audience_pid, body.max_minor, step.sale_ms, self.banned)
                self.bidding = body.id
                return
            case LotOpened():
                self.lots[body.id] = Lot(
                    body.sku,
                    body.start_minor,
                    tuple(body.steps),
                    body.ends_sale_ms,
                    body.latest_sale_ms,
                    body.soft_close_ms,
                )
            case LotClosed(winner=winner, price_minor=price):
                self.lots[body.id].is_open = False
                self.unsold = None if winner is None or price is None else (body.id, winner, price)
            case LotCancelled():
                self.lots[body.id].is_open = False
        self._hold_back(body.sku, 1 if isinstance(body, LotOpened) else -1)

    def _put(self, body: ProductUpdated) -> None:
        old = self.products.get(body.sku)
        self.products[body.sku] = Product(
            body.list_price_minor,
            version_after(old, body),
            body.per_viewer_max,
            body.seller,
            body.commission_bps,
            old.flash if old else None,
            old.stock if old else (0, 0, 0),
            tuple((part.sku, part.quantity) for part in body.parts),
            old.record if old else (),
            "" if body.hold_policy == "hold" else body.hold_policy,
        )

    def _change_order(self, change: OrderChange, pid: str) -> None:
        order = change.order
        known = self.orders.get(order.id)
        if known is None and order.draw is not None:
            self.draws.winners = self.draws.winners[1:]
        if known is None and order.waited is not None:
            self._change_line(order.lines[0].sku, pid, joins=False)
        now = counted_units(order, order.state, order.refunds)
        was = counted_units(order, known.state if known else "", known.refunds if known else ())
        for sku, stock in self.stock_after(change).items():
            self.products[sku].stock = stock
        for line, new, old in zip(order.lines, now, was, strict=True):
            units = new - old if order.lot is None else 0
            for sku, n in self.counted(line.sku, units):
                self.bought[sku, pid] += n
            if line.coupon:
                self.coupon_bought[line.coupon, pid] += units
                self.coupon_used[line.coupon] += units
            if line.flash:
                self.flash_bought[line.flash, pid] += units
                self.flash_used[line.flash] += units
        self.orders[order.id] = Known(
            pid,
            order.state,
            order.expires_sale_ms or 0,
            change.attempt,
            change.paid_by,
            tuple(order.refunds),
            change.terms,
        )
