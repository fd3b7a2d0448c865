"""The part of the model (`model.py`) that is about coupons. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from server.commerce.model_catalogue import Catalogue
from server.commerce.model_records import COUNTED, Line
from server.commerce.pricing import is_deep, price_in_force, with_coupon
from server.store.outcome import Refused


@dataclass
class Coupon:
    """What a coupon takes off, of what, how often and until when."""

    percent_off: int | None
    amount_off_minor: int | None
    skus: tuple[str, ...]
    quantity: int | None
    per_viewer_max: int | None
    expires_ms: int | None
    lasts_s: int | None = None
    ended: bool = False

    def is_as(self, other: "Coupon") -> bool:
        """Whether the very same was asked for, now or before."""
        return replace(self, ended=False, expires_ms=None) == replace(other, ended=False, expires_ms=None)

    def price(self, price_minor: int, floor_minor: int | None) -> int | None:
        """A price with the coupon; None where that would be no less, or below the floor."""
        price = with_coupon(price_minor, self.percent_off, self.amount_off_minor)
        return None if price == price_minor or price < (floor_minor or 0) else price


@dataclass
class Coupons(Catalogue):
    """The catalogue and its coupons."""

    coupons: dict[str, Coupon] = field(default_factory=dict[str, Coupon])

    def make_coupon(self, ts: int, code: str, coupon: Coupon, *, confirm: bool) -> str | Refused:
        self.advance(ts)
        if self.state == "ended":
            return Refused("show_closed")
        if code in self.coupons:
            return "ok" if self.coupons[code].is_as(coupon) else Refused("coupon_exists")
        if unknown := [sku for sku in coupon.skus if sku not in self.products]:
            return Refused("unknown_sku", {"sku": unknown[0]})
        if not confirm and any(self._is_risky(ts, sku, coupon) for sku in coupon.skus or self.products):
            return Refused("confirm_required")
        self.coupons[code] = coupon
        return "ok"

    def _is_risky(self, ts: int, sku: str, coupon: Coupon) -> bool:
        product = self.products[sku]
        now = price_in_force(self.prices(sku), self.at(ts)).price_minor
        price = coupon.price(min(now, product.list_price_minor), product.floor_minor)
        if price is None:
            return False
        below_cost = product.cost_minor is not None and price < product.cost_minor
        return below_cost or is_deep(product.list_price_minor, price)

    def end_coupon(self, code: str) -> str | Refused:
        if code not in self.coupons:
            return Refused("unknown_coupon")
        self.coupons[code].ended = True
        return "ok"

    def with_coupon(self, ts: int, lines: Sequence[Line], code: str) -> tuple[Line, ...] | Refused:
        """The lines at the prices that the coupon makes of those in force."""
        coupon = self.coupons.get(code)
        if coupon is None:
            return Refused("unknown_coupon")
        if coupon.ended or (coupon.expires_ms is not None and coupon.expires_ms <= ts):
            return Refused("coupon_over")
        out: list[Line] = []
        for line in lines:
            covered = not coupon.skus or line.sku in coupon.skus
            floor = self.products[line.sku].floor_minor
            price = coupon.price(line.price.price_minor, floor) if covered else None
            out.append(line if price is None else replace(line, coupon=code, coupon_price_minor=price))
        return tuple(out) if any(line.coupon for line in out) else Refused("coupon_not_for")

    def coupon_bought(self, code: str, pid: str | None = None) -> int:
        """Units that are bought, or held, with a coupon: in all or by one viewer."""
        counted = (o for o in self.orders.values() if o.state in COUNTED and pid in (None, o.pid))
        return sum(
            n for o in counted for n, line in zip(o.units, o.lines, strict=True) if line.coupon == code
        )
