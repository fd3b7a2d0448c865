"""The rules of the sale, in plain Python: their specification, and the oracle for the scripts.

The scripts in `lua/` decide; this model says what they must decide. It keeps no counters: what is held or
sold is summed from the orders every time, so a script that forgets a counter disagrees with it. Whatever is
due expires here the moment the clock passes, whereas a script writes it when it needs to or when the sweeper
comes: both must look the same from outside. Pure: every method takes the server's time, `ts`, in ms. Answers
are the new state of the order (or "ok") or `Refused` with the contract's code and detail.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.commerce.bag import Wanted
from server.commerce.pricing import (
    Flash,
    PriceInForce,
    is_deep,
    preview,
    price_in_force,
    reduced,
    sale_time_ms,
)
from server.store.outcome import Refused

HOLDING = ("held", "paying")
COUNTED = ("held", "paying", "paid")  # what counts against caps and quotas


@dataclass
class FlashTerms:
    """What a flash price promises beside the price: how many in all, and how many for one viewer."""

    sku: str
    quantity: int | None
    per_viewer_max: int | None


@dataclass
class Product:
    """`stock` is all there ever was less what was written off: left + held + sold; a bundle has none.

    `parts`: units of other products in each unit of a bundle; they never change.
    """

    list_price_minor: int
    stock: int
    per_viewer_max: int | None
    floor_minor: int | None
    cost_minor: int | None = None
    version: int = 1
    flash: Flash | None = None
    parts: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Line:
    """One product of an order, at the price that was in force."""

    sku: str
    quantity: int
    seen_price_minor: int
    price: PriceInForce


@dataclass
class Order:
    """An order; each of its lines has another sku.

    `attempts` is the token of each attempt to pay. `refunds` is (minor units, units of each line that came
    back) of each refund, the first `returned` of which are done.
    """

    pid: str
    lines: tuple[Line, ...]
    expires_sale_ms: int
    state: str = "held"
    extended: bool = False
    attempts: list[str] = field(default_factory=list[str])
    paid_by: int = 0
    refunds: list[tuple[int, list[int]]] = field(default_factory=list[tuple[int, list[int]]])
    returned: int = 0

    @property
    def left_minor(self) -> int:
        """Of the money, what has not been given back."""
        total = self.price_of([line.quantity for line in self.lines])
        return total - sum(amount for amount, _ in self.refunds)

    @property
    def units(self) -> list[int]:
        """Of each line's units, those that have not come back."""
        return [
            line.quantity - sum(units[at] for _, units in self.refunds) for at, line in enumerate(self.lines)
        ]

    def price_of(self, units: list[int]) -> int:
        return sum(n * line.price.price_minor for n, line in zip(units, self.lines, strict=True))

    def units_at(self, flash_id: str) -> int:
        return sum(
            n for n, line in zip(self.units, self.lines, strict=True) if line.price.flash_id == flash_id
        )

    @property
    def flashes(self) -> set[str]:
        return {line.price.flash_id for line in self.lines if line.price.flash_id}


@dataclass
class Sale:
    """One show. Orders are known by (pid, idempotency key)."""

    hold_ms: int
    extension_ms: int
    state: str = "live"
    sales_paused: bool = False
    frozen_since_ms: int = 0
    frozen_total_ms: int = 0
    products: dict[str, Product] = field(default_factory=dict[str, Product])
    flashes: dict[str, FlashTerms] = field(default_factory=dict[str, FlashTerms])
    orders: dict[tuple[str, str], Order] = field(default_factory=dict[tuple[str, str], Order])
    banned: set[str] = field(default_factory=set[str])
    undone: set[str] = field(default_factory=set[str])

    # clock

    def sale_ms(self, ts: int) -> int:
        return sale_time_ms(ts, self.frozen_since_ms, self.frozen_total_ms)

    def set_life(self, ts: int, *, state: str | None = None, sales_paused: bool | None = None) -> None:
        """Start, pause, resume, end; pause and resume sales. The sale clock stops while either is paused."""
        self.advance(ts)
        self.state = state or self.state
        self.sales_paused = self.sales_paused if sales_paused is None else sales_paused
        frozen = self.state == "paused" or (self.state == "live" and self.sales_paused)
        if frozen and not self.frozen_since_ms:
            self.frozen_since_ms = ts
        elif not frozen and self.frozen_since_ms:
            self.frozen_total_ms += ts - self.frozen_since_ms
            self.frozen_since_ms = 0

    def advance(self, ts: int) -> None:
        """Everything that only the passing of time brings about."""
        now = self.sale_ms(ts)
        for order in self.orders.values():
            if order.state in HOLDING and order.expires_sale_ms <= now:
                order.state = "expired"
        for product in self.products.values():
            if product.flash and product.flash.ends_sale_ms <= now:
                self._end_flash(product, product.flash)

    # sums

    def pieces(self, sku: str) -> dict[str, int]:
        """What a unit of a product takes from the shelf."""
        return self.products[sku].parts or {sku: 1}

    def _taken(self, order: Order, sku: str) -> int:
        """The units of a product that an order has, itself or in bundles."""
        return sum(
            n * self.pieces(line.sku).get(sku, 0) for n, line in zip(order.units, order.lines, strict=True)
        )

    def held(self, sku: str) -> int:
        return sum(self._taken(o, sku) for o in self.orders.values() if o.state in HOLDING)

    def sold(self, sku: str) -> int:
        return sum(self._taken(o, sku) for o in self.orders.values() if o.state == "paid")

    def left(self, sku: str) -> int:
        if parts := self.products[sku].parts:
            return min(self.left(part) // n for part, n in parts.items())
        return self.products[sku].stock - self.held(sku) - self.sold(sku)

    def bought(self, sku: str, pid: str) -> int:
        mine = [o for o in self.orders.values() if o.pid == pid and o.state in COUNTED]
        if self.products[sku].parts:
            units = (zip(o.units, o.lines, strict=True) for o in mine)
            return sum(n for pairs in units for n, line in pairs if line.sku == sku)
        return sum(self._taken(o, sku) for o in mine)

    def flash_bought(self, flash: str, pid: str | None = None) -> int:
        counted = (o for o in self.orders.values() if o.state in COUNTED)
        return sum(o.units_at(flash) for o in counted if pid in (None, o.pid))

    # catalogue

    def put_product(
        self,
        ts: int,
        sku: str,
        price: int,
        *,
        stock: int | None = None,
        per_viewer_max: int | None = None,
        floor: int | None = None,
        parts: dict[str, int] | None = None,
        cost: int | None = None,
    ) -> str | Refused:
        self.advance(ts)
        old = self.products.get(sku)
        if old and stock is not None:
            return Refused("use_restock")
        if floor is not None and price < floor:
            return Refused("below_floor", {"floor_minor": floor})
        if old and old.flash and price != old.list_price_minor:
            return Refused("flash_running")
        if old and old.parts != (parts or {}):
            return Refused("bundle_is_fixed", {"sku": sku})
        for part in parts or {}:
            if part not in self.products or self.products[part].parts:
                return Refused("bad_part", {"sku": part})
        if old is None:
            self.products[sku] = Product(price, stock or 0, per_viewer_max, floor, cost, parts=parts or {})
            return "ok"
        old.version += price != old.list_price_minor
        old.list_price_minor, old.per_viewer_max = price, per_viewer_max
        old.floor_minor, old.cost_minor = floor, cost
        return "ok"

    def restock(self, ts: int, sku: str, delta: int) -> str | Refused:
        self.advance(ts)
        if sku not in self.products:
            return Refused("unknown_sku")
        if self.products[sku].parts:
            return Refused("bundle_has_no_stock")
        if self.left(sku) + delta < 0:
            return Refused("stock_underflow", {"left": self.left(sku)})
        self.products[sku].stock += delta
        return "ok"

    def start_flash(
        self,
        ts: int,
        terms: FlashTerms,
        *,
        flash_id: str,
        price: int | None,
        percent: int | None,
        in_ms: int,
        for_ms: int,
        confirm: bool,
    ) -> str | Refused:
        """Announce a price, or else a percentage off the list price."""
        self.advance(ts)
        product = self.products.get(terms.sku)
        if product is None:
            return Refused("unknown_sku")
        if self.state == "ended":
            return Refused("show_closed")
        if product.flash:
            return Refused("flash_running")
        listed, cost = product.list_price_minor, product.cost_minor
        price = reduced(listed, percent or 0) if price is None else price
        if product.floor_minor is not None and price < product.floor_minor:
            return Refused("below_floor", {"floor_minor": product.floor_minor})
        if (is_deep(listed, price) or (cost is not None and price < cost)) and not confirm:
            parts = product.parts or {terms.sku: 1}
            units = min((self.left(part) + self.held(part)) // n for part, n in parts.items())
            units = units if terms.quantity is None else min(terms.quantity, units)
            return Refused("confirm_required", preview(listed, price, cost, units))
        starts = self.sale_ms(ts) + in_ms
        product.flash = Flash(flash_id, price, product.version + 1, starts, starts + for_ms)
        self.flashes[flash_id] = terms
        return "ok"

    def stop_flash(self, ts: int, flash_id: str) -> str | Refused:
        self.advance(ts)
        if flash_id not in self.flashes:
            return Refused("unknown_flash")
        product = self.products[self.flashes[flash_id].sku]
        if product.flash and product.flash.id == flash_id:
            self._end_flash(product, product.flash)
        return "ok"

    def undo_flash(self, ts: int, flash_id: str) -> str | Refused:
        """Take back what was sold at a flash price, which ends."""
        stopped = self.stop_flash(ts, flash_id)
        if stopped == "ok":
            self.undone.add(flash_id)
            self.go_on_undoing(ts, {flash_id})
        return stopped

    def go_on_undoing(self, ts: int, flashes: set[str]) -> None:
        """What the sweeper does with all that are undone: some who were paying may have paid by now."""
        self.advance(ts)
        for order in self.orders.values():
            if order.flashes & flashes and order.state == "held":
                order.state = "cancelled"
            elif order.state == "paid":
                for flash in sorted(order.flashes & flashes):
                    self._take_lines_back(order, flash)

    def _take_lines_back(self, order: Order, flash: str) -> None:
        """What was sold at this flash price; all of the order when that is all the money that is left."""
        at_it = [line.price.flash_id == flash for line in order.lines]
        units = [n if here else 0 for n, here in zip(order.units, at_it, strict=True)]
        if order.state == "paid" and any(units):
            everything = order.price_of(units) >= order.left_minor
            back = (order.left_minor, order.units) if everything else (order.price_of(units), units)
            order.refunds.append(back)
            order.state = "paid" if order.left_minor else "refund_due"

    def _end_flash(self, product: Product, flash: Flash) -> None:
        product.version, product.flash = flash.version + 1, None

    def _end_if_used_up(self, order: Order) -> None:
        for flash_id in order.flashes:
            terms = self.flashes[flash_id]
            product = self.products[terms.sku]
            used_up = terms.quantity is not None and self.flash_bought(flash_id) >= terms.quantity
            if used_up and product.flash and product.flash.id == flash_id:
                self._end_flash(product, product.flash)

    # orders

    def hold(self, ts: int, pid: str, key: str, wanted: Sequence[Wanted]) -> str | Refused:
        """Reserve stock at the prices in force, every line or none. The order of the checks is part of the
        contract; no sku comes twice.
        """
        self.advance(ts)
        if not key:
            return Refused("idempotency_key_required")
        if order := self.orders.get((pid, key)):
            had = [(line.sku, line.quantity, line.seen_price_minor) for line in order.lines]
            return order.state if had == list(wanted) else Refused("idempotency_conflict")
        if refused := self._closed(pid, wanted):
            return refused
        lines = tuple(Line(*line[:2], line.price_minor, self._price(line.sku, ts)) for line in wanted)
        for line in lines:
            if line.price.price_minor > line.seen_price_minor:
                now = {"price_minor": line.price.price_minor, "price_version": line.price.version}
                return Refused("price_changed", _named(wanted, line.sku, **now))
        if refused := self._no_room(pid, lines):
            return refused
        self.orders[pid, key] = order = Order(pid, lines, self.sale_ms(ts) + self.hold_ms)
        self._end_if_used_up(order)
        return "held"

    def _closed(self, pid: str, wanted: Sequence[Wanted]) -> Refused | None:
        for line in wanted:
            if line.sku not in self.products:
                return Refused("unknown_sku", _named(wanted, line.sku))
        if pid in self.banned:
            return Refused("banned")
        if self.state != "live":
            return Refused("show_closed")
        return Refused("sales_paused") if self.sales_paused else None

    def _price(self, sku: str, ts: int) -> PriceInForce:
        product = self.products[sku]
        return price_in_force(product.list_price_minor, product.version, product.flash, self.sale_ms(ts))

    def _no_room(self, pid: str, lines: Sequence[Line]) -> Refused | None:
        """Caps and quotas of all, then the stock of all, as a hold and a late success ask them."""
        asked_of = Counter[str]()
        for line in lines:
            asked_of.update({sku: n * line.quantity for sku, n in self.pieces(line.sku).items()})
        for line in lines:
            if refused := self._over_cap(pid, lines, line, asked_of):
                return refused
            limits: list[tuple[int | None, int, int]] = []
            if flash := line.price.flash_id:
                terms, asked = (
                    self.flashes[flash],
                    sum(o.quantity for o in lines if o.price.flash_id == flash),
                )
                limits.append((terms.per_viewer_max, self.flash_bought(flash, pid), asked))
                left = None if terms.quantity is None else terms.quantity - self.flash_bought(flash)
                limits.append((left, 0, asked))
            for limit, had, asked in limits:
                if limit is not None and had + asked > limit:
                    return Refused("limit_reached", _named(lines, line.sku, limit=limit))
        for line in lines:
            pieces = self.pieces(line.sku).items()
            short = [self.left(sku) // n for sku, n in pieces if self.left(sku) < asked_of[sku]]
            if short:
                return Refused("sold_out", _named(lines, line.sku, left=min(short)))
        return None

    def _over_cap(
        self, pid: str, lines: Sequence[Line], line: Line, asked_of: Mapping[str, int]
    ) -> Refused | None:
        """The cap of the product itself, then those of a bundle's parts."""
        bundle = self.products[line.sku].parts
        for sku in (line.sku, *bundle):
            cap, asked = self.products[sku].per_viewer_max, asked_of.get(sku, line.quantity)
            if cap is not None and self.bought(sku, pid) + asked > cap:
                part = {"part": sku} if sku in bundle else {}
                return Refused("limit_reached", _named(lines, line.sku, **part, limit=cap))
        return None

    def begin_payment(self, ts: int, order: Order, token: str) -> str | Refused:
        """Start attempt n, or join the one that runs with the same token."""
        self.advance(ts)
        if order.state == "paid":
            return "paid"
        if order.state in ("expired", "refund_due"):
            return Refused("hold_expired")
        if order.state not in HOLDING:
            return Refused("illegal_transition", {"state": order.state})
        if order.state == "paying":
            return "paying" if order.attempts[-1] == token else Refused("payment_in_progress")
        if not order.extended:
            order.extended = True
            order.expires_sale_ms += self.extension_ms
        order.attempts.append(token)
        order.state = "paying"
        return "paying"

    def settle(self, ts: int, order: Order, attempt: int, *, approved: bool) -> str:
        """Book the outcome of an attempt.

        Settling never re-prices; late money buys only what is still there. Money that the gateway lost after
        it had paid takes the sale back.
        """
        self.advance(ts)
        if attempt > len(order.attempts) or (approved and order.paid_by == attempt):
            return order.state
        if not approved:
            if order.paid_by == attempt and order.state == "paid":
                order.refunds.append((order.left_minor, order.units))
                order.state, order.returned = "refunded", len(order.refunds)
            elif order.state == "paying" and attempt == len(order.attempts):
                order.state = "held"
            return order.state
        if order.paid_by or order.state not in (*HOLDING, "expired"):
            return "surplus"
        order.paid_by = attempt
        if order.state in HOLDING:
            order.state = "paid"
        elif order.flashes & self.undone or self._no_room(order.pid, order.lines):
            order.state = "refund_due"
            order.refunds.append((order.left_minor, [0] * len(order.lines)))
        else:
            order.state = "paid"
            self._end_if_used_up(order)
        return order.state

    def cancel(self, ts: int, order: Order) -> str | Refused:
        self.advance(ts)
        if order.state == "paying":
            return Refused("payment_in_progress")
        if order.state != "held":
            return Refused("illegal_transition", {"state": order.state})
        order.state = "cancelled"
        return "cancelled"

    def refund(
        self,
        ts: int,
        order: Order,
        *,
        restock: bool,
        amount: int | None = None,
        units: int | None = None,
        sku: str = "",
    ) -> str | Refused:
        """Take a sale or a part of it back. The units return to the shelf, or are written off.

        Units of a line (all that are left of it, or so many) go back at their price; an amount alone brings
        none back, unless it is all that is left.
        """
        self.advance(ts)
        if order.state != "paid":
            return Refused("illegal_transition", {"state": order.state})
        if units and not sku and len(order.lines) > 1:
            return Refused("bad_request", {"field": "sku"})
        if sku and sku not in [line.sku for line in order.lines]:
            return Refused("unknown_sku")
        left_minor, left = order.left_minor, order.units
        asked = [n if sku in ("", line.sku) else 0 for n, line in zip(left, order.lines, strict=True)]
        back = None
        if units or sku:
            back = [(units or n) if sku in ("", o.sku) else 0 for n, o in zip(left, order.lines, strict=True)]
            amount = order.price_of(back)
        amount = left_minor if amount is None else amount
        if not 0 < amount <= left_minor or (units or 0) > sum(asked):
            return Refused("refund_too_large", {"left_minor": left_minor, "left_quantity": sum(asked)})
        back = left if amount == left_minor else back
        if restock and back is None:
            return Refused("bad_request", {"field": "restock"})
        back = back or [0] * len(order.lines)
        order.refunds.append((amount, back))
        if not restock:
            for line, n in zip(order.lines, back, strict=True):
                for piece, each in self.pieces(line.sku).items():
                    self.products[piece].stock -= n * each
        order.state = "paid" if order.left_minor else "refund_due"
        return order.state

    def refunded(self, order: Order, asked: int) -> str:
        """The gateway has given the money of the first `asked` refunds back: booked when those are all."""
        if asked == len(order.refunds):
            order.returned = asked
            order.state = "refunded" if order.state == "refund_due" else order.state
        return order.state


def _named(lines: Sequence[Wanted | Line], sku: str, **detail: object) -> dict[str, object]:
    """What a refusal says: of several lines it names the one."""
    return {"sku": sku, **detail} if len(lines) > 1 else detail
