"""Rules for the moment of a sale: is the show open, at what price, is there enough, is it too many. Pure."""

from collections import Counter

from server.commerce.model_records import PLACED
from server.verify.order_bodies import OrderChange, OrderView
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule_for


def _is_asked(step: Step, body: OrderChange, before: Replay) -> bool:
    """Whether somebody asks for something: an order is placed, or one that is open begins to pay."""
    opened = step.entry.kind == "order.paying" and before.state_of(body.order.id) == "open"
    return opened or step.entry.kind in PLACED


@rule_for(OrderChange, 29, "Nothing is sold unless the show is live and sales are open")
def show_is_open(step: Step, body: OrderChange, before: Replay) -> str | None:
    """Holds are taken in state `live` without `sales_paused`, and so are the units of an order that pays
    first when it begins to; paying for what is held and cancelling work at all times.

    A lot that was bid for then ends at its time, and so does a draw.
    """
    if not _is_asked(step, body, before) or body.order.has_own_price:
        return None
    if before.life.state != "live":
        return f"the show is {before.life.state}"
    return "sales are paused" if before.life.sales_paused else None


@rule_for(OrderChange, 30, "Who is banned buys nothing")
def buyer_is_not_banned(step: Step, body: OrderChange, before: Replay) -> str | None:
    """No hold is taken by a pid between its ban and its unban."""
    banned = _is_asked(step, body, before) and step.audience_pid in before.banned
    return f"{step.audience_pid} is banned" if banned else None


@rule_for(OrderChange, 31, "The price charged is the price in force")
def price_is_in_force(step: Step, body: OrderChange, before: Replay) -> str | None:
    """Unit price, version and flash price of each line are those in force at that entry (`pricing.py`).

    A lot (40) and a draw (49) have a price of their own, and a coupon (50) takes something off.
    """
    if step.entry.kind not in PLACED or body.order.has_own_price:
        return None
    for line in body.order.lines:
        now = before.price_at(line.sku, step.at)
        price = line.unit_price_minor if line.coupon else now.price_minor
        charged = (line.unit_price_minor, line.price_version, line.flash)
        due = (price, now.version, now.flash_id)
        if charged != due:
            return f"charged {charged} for {line.sku}, in force is {due}"
    return None


@rule_for(OrderChange, 32, "Nobody is charged more than they saw")
def price_is_not_above_the_seen(step: Step, body: OrderChange, before: Replay) -> str | None:  # noqa: ARG001
    """The unit price is at most `seen_price_minor`, the price that the buyer's page showed and asked for.

    Of several lines each is at most its own in `seen_prices_minor`.
    """
    for line, seen in zip(body.order.lines, body.seen_minor, strict=True):
        if seen is None or line.unit_price_minor > seen:
            return f"charged {line.unit_price_minor} for {line.sku}, saw {seen}"
    return None


@rule_for(OrderChange, 33, "An order adds up")
def order_adds_up(step: Step, body: OrderChange, before: Replay) -> str | None:
    """goods = Σ quantity × unit price, total = goods + shipping + tax, and each line's commission is rounded
    half up.

    Show, creator and currency are the show's; seller and commission rate the products' when it was held. An
    order has one seller.
    """
    order, show = body.order, before.show
    if step.entry.kind not in PLACED or show is None:
        return None
    products = [before.products[line.sku] for line in order.lines]
    rates = [product.commission_bps for product in products]
    rate = rates[0] if len(set(rates)) == 1 else None
    told = (order.show, order.creator, order.currency, order.commission_bps, order.placed_at_ms)
    terms = (show.id, show.owner, show.currency, rate, step.entry.ts)
    if told != terms:
        return f"(show, creator, currency, commission_bps, placed_at_ms) is {told}, must be {terms}"
    sellers = {product.seller for product in products}
    if sellers != {order.seller}:
        return f"the seller is {order.seller}, must be {sellers}"
    line = order.lines[0]
    if len(order.lines) > 1:
        if [line.commission_bps for line in order.lines] != rates:
            return f"the lines' commission_bps must be {rates}"
    elif (order.sku, order.quantity, order.unit_price_minor) != (
        line.sku,
        line.quantity,
        line.unit_price_minor,
    ):
        return "the order and its line differ"
    return _sums(order, rates)


def _sums(order: OrderView, rates: list[int]) -> str | None:
    minor = [line.quantity * line.unit_price_minor for line in order.lines]
    goods = sum(minor)
    total = goods + order.shipping_minor + order.tax_minor
    commission = sum((part * bps + 5_000) // 10_000 for part, bps in zip(minor, rates, strict=True))
    told = (order.goods_minor, order.total_minor, order.commission_minor)
    due = (goods, total, commission)
    return None if told == due else f"(goods, total, commission) is {told}, must be {due}"


@rule_for(OrderChange, 34, "Stock is conserved, and nothing is sold that was not there")
def stock_is_conserved(step: Step, body: OrderChange, before: Replay) -> str | None:  # noqa: ARG001
    """left + held + sold changes by restocks and written-off refunds only, and no part is ever below zero.

    What an entry tells of the stock is what the orders before it sum to.
    """
    due = [(sku, *stock) for sku, stock in before.stock_after(body).items()]
    if any(min(left, held, sold) < 0 for _, left, held, sold in due):
        return f"(sku, left, held, sold) would be {due}"
    told = [(level.sku, level.left, level.held, level.sold) for level in body.stock]
    return None if told == due else f"the stock told is {told}, must be {due}"


@rule_for(OrderChange, 35, "Nobody gets more than the product's cap")
def cap_is_kept(step: Step, body: OrderChange, before: Replay) -> str | None:
    """held, paying and paid units of one pid stay within `per_viewer_max` whenever units are taken.

    What was won in an auction does not count; units in bundles count for the bundle and for each part.
    """
    if body.order.lot is not None or not before.takes_units(body):
        return None
    asked = Counter[str]()
    for line in body.order.lines:
        for sku, n in before.counted(line.sku, line.quantity):
            asked[sku] += n
    for sku, n in asked.items():
        cap, units = before.products[sku].per_viewer_max, before.bought[sku, step.audience_pid] + n
        if cap is not None and units > cap:
            return f"{units} units of {sku} for one viewer, {cap} at most"
    return None


@rule_for(OrderChange, 36, "A flash price keeps its quota and its cap")
def quota_is_kept(step: Step, body: OrderChange, before: Replay) -> str | None:
    """Units at a flash price stay within its `quantity`, and those of one pid within its `per_viewer_max`."""
    if not before.takes_units(body):
        return None
    asked = Counter[str]()
    for line in body.order.lines:
        if line.flash:
            asked[line.flash] += line.quantity
    for flash, quantity in asked.items():
        terms, used = before.flashes[flash], before.flash_used[flash] + quantity
        mine = before.flash_bought[flash, step.audience_pid] + quantity
        if terms.quantity is not None and used > terms.quantity:
            return f"{used} units at {flash}, {terms.quantity} at most"
        if terms.per_viewer_max is not None and mine > terms.per_viewer_max:
            return f"{mine} units at {flash} for one viewer, {terms.per_viewer_max} at most"
    return None


RULES = (
    show_is_open,
    buyer_is_not_banned,
    price_is_in_force,
    price_is_not_above_the_seen,
    order_adds_up,
    stock_is_conserved,
    cap_is_kept,
    quota_is_kept,
)
