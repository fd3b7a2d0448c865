"""The rules of the sale, in plain Python: their specification, and the oracle for the scripts.

The scripts in `lua/` decide; this model says what they must decide. It keeps no counters: what is held or
sold is summed from the orders every time, so a script that forgets a counter disagrees with it. Whatever is
due expires here the moment the clock passes, whereas a script writes it when it needs to or when the sweeper
comes: both must look the same from outside. Pure: every method takes the server's time, `ts`, in ms. Answers
are the new state of the order (or "ok") or `Refused` with the contract's code and detail.

`model_records.py` has what it keeps, `model_shelf.py` sums it up, `model_prices.py` has the clock and the
reductions, `model_catalogue.py` the catalogue.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.commerce.bag import Wanted
from server.commerce.model_coupons import Coupon, Coupons
from server.commerce.model_records import HOLDING, PENDING, TURN_MS, FlashTerms, Line, Order, shortened
from server.commerce.pricing import (
    PriceInForce,
    price_in_force,
)
from server.store.outcome import Refused


@dataclass
class Sale(Coupons):
    """One show: its catalogue, and what becomes of its orders."""

    def hold(self, ts: int, pid: str, key: str, wanted: Sequence[Wanted], coupon: str = "") -> str | Refused:
        """Reserve stock at the prices in force, every line or none. The order of the checks is part of the
        contract; no sku comes twice.
        """
        self.advance(ts)
        if not key:
            return Refused("idempotency_key_required")
        if order := self.orders.get((pid, key)):
            had = [(line.sku, line.quantity, line.seen_price_minor) for line in order.lines]
            same = (had, order.coupon) == (list(wanted), coupon)
            return order.state if same else Refused("idempotency_conflict")
        if refused := self._closed(pid, wanted):
            return refused
        lines = tuple(Line(*line[:2], line.price_minor, self._price(line.sku, ts)) for line in wanted)
        for line in lines:
            if line.price.price_minor > line.seen_price_minor:
                price, version, reason = line.price
                now = {
                    "price_minor": price,
                    "price_version": version,
                    "price_reason": reason._asdict(),
                }
                return Refused("price_changed", _named(wanted, line.sku, **now))
        bought = self.with_coupon(ts, lines, coupon) if coupon else lines
        if isinstance(bought, Refused):
            return bought
        if refused := self._no_room(pid, bought):
            return refused
        deadline = self.sale_ms(ts) + shortened(self.hold_ms, self._ran_out(pid))
        pays_first = any(self.products[line.sku].policy == "pay_first" for line in wanted)
        order = Order(pid, bought, deadline, coupon=coupon, pays_first=pays_first)
        self.orders[pid, key] = order
        if pays_first:
            order.state = "open"
            return "open"
        self._end_if_used_up(ts, order)
        self.give_turns(ts)
        return "held"

    def _ran_out(self, pid: str) -> int:
        """How many of this buyer's orders ran out unpaid since one that did not."""
        own = [order.state for order in self.orders.values() if order.pid == pid]
        return next((n for n, state in enumerate(reversed(own)) if state != "expired"), len(own))

    def _closed(self, pid: str, wanted: Sequence[Wanted]) -> Refused | None:
        for line in wanted:
            if line.sku not in self.products:
                return Refused("unknown_sku", _named(wanted, line.sku))
        if refused := self._not_selling(pid, wanted):
            return refused
        drawn = next((line.sku for line in wanted if self.products[line.sku].policy == "lottery"), None)
        return Refused("lottery_only", _named(wanted, drawn)) if drawn else None

    def _not_selling(self, pid: str, lines: Sequence[Wanted | Line]) -> Refused | None:
        """Why nothing of these lines is sold to somebody now."""
        if pid in self.banned:
            return Refused("banned")
        if self.state != "live":
            return Refused("show_closed")
        if self.sales_paused:
            return Refused("sales_paused")
        off = next((line.sku for line in lines if line.sku in self.off), None)
        return Refused("not_for_sale", _named(lines, off)) if off else None

    def _price(self, sku: str, ts: int) -> PriceInForce:
        return price_in_force(self.prices(sku), self.at(ts))

    def _no_room(self, pid: str, lines: Sequence[Line], *, in_turn: bool = False) -> Refused | None:
        """Caps and quotas of all, then the stock of all, as a hold and a late success ask them.

        What people wait for is theirs, unless it is this viewer's turn.
        """
        free = self.left if in_turn else self.free
        asked_of = Counter[str]()
        for line in lines:
            asked_of.update({sku: n * line.quantity for sku, n in self.pieces(line.sku).items()})
        for line in lines:
            if refused := self._over_cap(pid, lines, line, asked_of):
                return refused
            if flash := line.price.flash_id:
                asked = sum(o.quantity for o in lines if o.price.flash_id == flash)
                bought = self.flash_bought(flash, pid), self.flash_bought(flash)
                if refused := _over(self.flashes[flash], bought, asked):
                    return Refused("limit_reached", _named(lines, line.sku, **refused.detail))
            if code := line.coupon:
                asked = sum(o.quantity for o in lines if o.coupon == code)
                bought = self.coupon_bought(code, pid), self.coupon_bought(code)
                if refused := _over(self.coupons[code], bought, asked):
                    named = {"coupon": code} if refused.code == "limit_reached" else {}
                    return Refused(refused.code, _named(lines, line.sku, **refused.detail, **named))
        for line in lines:
            pieces = self.pieces(line.sku).items()
            short = [free(sku) // n for sku, n in pieces if free(sku) < asked_of[sku]]
            if short:
                return Refused("sold_out", _named(lines, line.sku, left=max(0, min(short))))
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
        """Start attempt n, or join the one with the same token. An open order takes its units now."""
        self.advance(ts)
        if order.state == "paid":
            return "paid"
        if order.state in ("expired", "refund_due"):
            return Refused("hold_expired")
        if order.state not in PENDING:
            return Refused("illegal_transition", {"state": order.state})
        opened = order.state == "open"
        if opened and (refused := self._not_selling(order.pid, order.lines)):
            return refused
        if opened and (refused := self._no_room(order.pid, order.lines)):
            return refused
        if order.state == "paying":
            return "paying" if order.attempts[-1] == token else Refused("payment_in_progress")
        if not order.extended:
            order.extended = True
            order.expires_sale_ms += self.extension_ms
        order.attempts.append(token)
        order.state = "paying"
        if opened:
            self._end_if_used_up(ts, order)
            self.give_turns(ts)
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
                order.state = "open" if order.pays_first else "held"
            self.give_turns(ts)
            return order.state
        if order.paid_by or order.state not in (*PENDING, "expired"):
            return "surplus"
        order.paid_by = attempt
        if order.state in HOLDING:
            order.state = "paid"
        elif order.flashes & self.undone or self._no_room(order.pid, order.lines):
            order.state = "refund_due"
            order.refunds.append((order.left_minor, [0] * len(order.lines)))
        else:
            order.state = "paid"
            self._end_if_used_up(ts, order)
            self.give_turns(ts)
        return order.state

    def cancel(self, ts: int, order: Order) -> str | Refused:
        self.advance(ts)
        if order.state == "paying":
            return Refused("payment_in_progress")
        if order.state not in ("held", "open"):
            return Refused("illegal_transition", {"state": order.state})
        order.state = "cancelled"
        self.give_turns(ts)
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
        self.give_turns(ts)
        return order.state

    def refunded(self, order: Order, asked: int) -> str:
        """The gateway has given the money of the first `asked` refunds back: booked when those are all."""
        if asked == len(order.refunds):
            order.returned = asked
            order.state = "refunded" if order.state == "refund_due" else order.state
        return order.state

    def join(self, ts: int, pid: str, sku: str, key: str) -> str | Refused:
        """Stand in line for one unit of what is sold out; `key` is that of the order that follows."""
        self.advance(ts)
        if sku not in self.products:
            return Refused("unknown_sku")
        if pid in self.banned:
            return Refused("banned")
        if self.state not in ("live", "paused"):
            return Refused("show_closed")
        if sku in self.off:
            return Refused("not_for_sale")
        if self.products[sku].policy == "lottery":
            return Refused("lottery_only")
        if self.products[sku].parts:
            return Refused("bundle_has_no_stock")
        line = self.waiting.setdefault(sku, {})
        if pid not in line:
            refused = self._no_room(pid, (self._unit(sku, ts),))
            if refused is None or refused.code != "sold_out":
                return refused or Refused("in_stock")
            line[pid] = key
        return f"place {list(line).index(pid) + 1} of {len(line)}"

    def leave(self, sku: str, pid: str) -> None:
        self.waiting.get(sku, {}).pop(pid, None)

    def give_turns(self, ts: int) -> None:
        """What is free goes to those in line, one unit each, the first first: a hold of TURN_MS at the price
        in force. Who may not have it leaves the line.
        """
        if self.state != "live" or self.sales_paused:
            return
        for sku, line in self.waiting.items():
            while line and self.left(sku) > 0 and sku not in self.off:
                pid = next(iter(line))
                key, lines = line.pop(pid), (self._unit(sku, ts),)
                if pid not in self.banned and not self._no_room(pid, lines, in_turn=True):
                    self.orders[pid, key] = order = Order(pid, lines, self.sale_ms(ts) + TURN_MS)
                    self._end_if_used_up(ts, order)

    def _unit(self, sku: str, ts: int) -> Line:
        """One unit, whose buyer sees the price in force."""
        price = self._price(sku, ts)
        return Line(sku, 1, price.price_minor, price)

    def restock(self, ts: int, sku: str, delta: int) -> str | Refused:
        answer = super().restock(ts, sku, delta)
        self.give_turns(ts)
        return answer

    def go_on_undoing(self, ts: int, flashes: set[str]) -> None:
        super().go_on_undoing(ts, flashes)
        self.give_turns(ts)


def _over(terms: FlashTerms | Coupon, bought: tuple[int, int], asked: int) -> Refused | None:
    """Whether a viewer's share, or the whole, of a flash price or a coupon does not reach. `bought`: by the
    viewer, and in all.
    """
    mine, used = bought
    if terms.per_viewer_max is not None and mine + asked > terms.per_viewer_max:
        return Refused("limit_reached", {"limit": terms.per_viewer_max})
    if terms.quantity is not None and used + asked > terms.quantity:
        return Refused("coupon_used_up", {"limit": terms.quantity - used})
    return None


def _named(lines: Sequence[Wanted | Line], sku: str, **detail: object) -> dict[str, object]:
    """What a refusal says: of several lines it names the one."""
    return {"sku": sku, **detail} if len(lines) > 1 else detail
