"""The rule for coupons: what they take off, for whom, how often and until when. Pure."""

from collections import Counter

from server.commerce.model_records import PLACED
from server.commerce.pricing import COUPON_MS, COUPONS_MAX, with_coupon
from server.verify.bodies import CouponEnded, CouponMade
from server.verify.order_bodies import Line, OrderChange
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule


@rule(50, "A coupon takes off what it says, within its limits")
def coupon_is_kept(step: Step, before: Replay) -> str | None:
    """A coupon is a percentage or an amount off each unit of the products that it names; it never changes.
    A show has 100 at the most; one that ends by itself does so after 60 s to 30 days.

    A line whose `price_reason` is a coupon costs the price in force less that. It is bought while the coupon
    is not ended and not past its time, within its units in all and for one viewer, counted as those of a
    flash price are.
    """
    match step.body:
        case CouponMade() as made:
            return _wrong_coupon(step, made, before)
        case CouponEnded(code=code):
            known = before.coupons.get(code)
            return None if known and not known.ended else f"there is no coupon {code!r} to be ended"
        case OrderChange(order=order) as change:
            is_new = step.entry.kind in PLACED
            wrong = (_wrong_line(step, line, before) for line in order.lines if line.coupon and is_new)
            took = before.takes_units(change)
            return next(filter(None, wrong), None) or (_over_limits(step, change, before) if took else None)
        case _:
            return None


def _wrong_coupon(step: Step, made: CouponMade, before: Replay) -> str | None:
    one = (made.percent_off is None) != (made.amount_off_minor is None)
    new = made.code not in before.coupons
    unknown = [sku for sku in made.skus or () if sku not in before.products]
    if not one or not new or unknown:
        return "it is made twice, of two kinds, or for no product"
    if len(before.coupons) >= COUPONS_MAX:
        return f"the show has {COUPONS_MAX} coupons already"
    lasts_ms = None if made.expires_at_ms is None else made.expires_at_ms - step.entry.ts
    if lasts_ms is not None and not COUPON_MS[0] <= lasts_ms <= COUPON_MS[1]:
        return f"it lasts {lasts_ms} ms"
    return None


def _wrong_line(step: Step, line: Line, before: Replay) -> str | None:
    coupon = before.coupons.get(line.coupon or "")
    if coupon is None or coupon.ended:
        return f"there is no coupon {line.coupon!r}, or it is ended"
    made = coupon.made
    if made.expires_at_ms is not None and made.expires_at_ms <= step.entry.ts:
        return f"{made.code} was for use until {made.expires_at_ms}"
    if made.skus is not None and line.sku not in made.skus:
        return f"{made.code} is not for {line.sku}"
    price = before.price_at(line.sku, step.at).price_minor
    due = with_coupon(price, made.percent_off, made.amount_off_minor)
    return None if line.unit_price_minor == due else f"charged {line.unit_price_minor}, with it is {due}"


def _over_limits(step: Step, change: OrderChange, before: Replay) -> str | None:
    asked = Counter[str]()
    for line in change.order.lines:
        if line.coupon:
            asked[line.coupon] += line.quantity
    for code, units in asked.items():
        made, pid = before.coupons[code].made, step.audience_pid
        used, mine = before.coupon_used[code] + units, before.coupon_bought[code, pid] + units
        if made.quantity is not None and used > made.quantity:
            return f"{used} units with {code}, {made.quantity} at most"
        if made.per_viewer_max is not None and mine > made.per_viewer_max:
            return f"{mine} units with {code} for one viewer, {made.per_viewer_max} at most"
    return None


RULES = (coupon_is_kept,)
