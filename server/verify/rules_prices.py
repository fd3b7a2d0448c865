"""Rules for the catalogue: products, what is pinned, flash prices. Pure."""

from typing import Final

from server.commerce.model_records import PLACED
from server.commerce.pricing import Instant, PriceInForce, Reason, is_deep, price_in_force, server_time_ms
from server.verify.bodies import DrawOpened, LotBid, LotOpened, Pinned, ProductUpdated, Restocked, Unpinned
from server.verify.order_bodies import Line, OrderChange
from server.verify.price_bodies import FlashPrice, PriceEnded, PriceUndone, ShowFlash
from server.verify.records import Step
from server.verify.repeats import end_goes_on, window_is_due
from server.verify.replay import Replay
from server.verify.rule import rule, rule_for

FLASH_AHEAD_MAX_MS: Final = 300_000
FLASH_MS: Final = (5_000, 86_400_000)


@rule(16, "What an entry names exists")
def names_exist(step: Step, before: Replay) -> str | None:
    """Pins, prices, restocks, lots and orders name a product in the log, orders and what is undone a flash
    price in it."""
    match step.body:
        case (
            Restocked(sku=sku)
            | Pinned(sku=sku)
            | FlashPrice(sku=sku)
            | PriceEnded(sku=sku)
            | LotOpened(sku=sku)
        ):
            flash = None
        case PriceUndone(sku=sku, id=flash):
            pass
        case OrderChange(order=order):
            named = (_missing(line.sku, line.flash, before) for line in order.lines)
            return next(filter(None, named), None)
        case _:
            return None
    return _missing(sku, flash, before)


def _missing(sku: str, flash: str | None, before: Replay) -> str | None:
    if sku not in before.products:
        return f"there is no product {sku!r}"
    return None if flash is None or flash in before.flashes else f"there is no flash price {flash!r}"


@rule_for(ProductUpdated, 17, "A changed list price is a new version, and what is told is in force")
def product_tells_its_price(step: Step, body: ProductUpdated, before: Replay) -> str | None:
    """A new product has version 1; a new list price the next one, and never while a reduction is announced.

    The price and version told are those in force at that moment (`commerce/pricing.py`).
    """
    old = before.products.get(body.sku)
    is_reduced = old and (old.flash or any(body.sku in terms.prices for terms in before.of_show))
    if old and is_reduced and body.list_price_minor != old.list_price_minor:
        return "the list price changes under a reduction"
    due = price_in_force(before.prices_after(body), step.at)
    told = (body.price_minor, body.price_version)
    return None if told == due[:2] else f"(price, version) is {told}, in force is {due[:2]}"


@rule(18, "A flash price is announced once, ahead, for a bounded window, or for several")
def flash_is_announced(step: Step, before: Replay) -> str | None:
    """One at a time for a product, in a show that is not over, under the next version.

    It starts at most 300 s ahead and never in the past, and lasts 5 s to 24 h of the sale clock. When a
    window of several ends, and goes on (19), the next entry announces the next one: the first whose start is
    not past, of those that lie `every_s` from start to start, on the same terms and with a whole quota.
    Windows never meet.
    """
    if isinstance(step.body, FlashPrice):
        return _announced(step, step.body, before) or window_is_due(step, step.body, before)
    return f"the next window of {before.going_on} is not announced" if before.going_on else None


def _announced(step: Step, body: FlashPrice, before: Replay) -> str | None:
    product = before.products[body.sku]
    ahead_ms, lasts_ms = body.starts_sale_ms - step.sale_ms, body.ends_sale_ms - body.starts_sale_ms
    if before.life.state == "ended":
        return "the show is over"
    if product.flash or body.id in before.flashes:
        return f"there is one already: {product.flash.id if product.flash else body.id}"
    told = (body.list_price_minor, body.price_version)
    if told != (product.list_price_minor, before.price_at(body.sku, step.at).version + 1):
        return f"(list price, version) is {told}"
    ahead_max_ms = FLASH_MS[1] if body.repeat and body.repeat.n > 1 else FLASH_AHEAD_MAX_MS
    if not 0 <= ahead_ms <= ahead_max_ms or not FLASH_MS[0] <= lasts_ms <= FLASH_MS[1]:
        return f"it starts in {ahead_ms} ms and lasts {lasts_ms} ms"
    return None if body.quantity_left == body.quantity else "its quota does not begin whole"


@rule_for(FlashPrice, 43, "A flash price that takes more than 70 % off was confirmed")
def deep_flash_is_confirmed(step: Step, body: FlashPrice, before: Replay) -> str | None:  # noqa: ARG001
    """`confirmed` tells just that; entries of servers that did not ask yet have none."""
    deep = is_deep(body.list_price_minor, body.price_minor)
    return None if body.confirmed in (None, deep) else f"confirmed is {body.confirmed}"


@rule_for(
    PriceEnded, 19, "A flash price ends when its window is over, its quota is used up, or it is stopped"
)
def flash_ends(step: Step, body: PriceEnded, before: Replay) -> str | None:
    """What is in force without it returns under the version reserved for it, for the reason that is told.

    A window of several says in `repeat` whether the next one follows: none does after the last, nor in a show
    that is over, nor when it was stopped, or withdrawn because its seller allows that price no more.
    """
    product = before.products[body.sku]
    flash = product.flash
    if flash is None or flash.id != body.id:
        return f"{body.id} is not the product's flash price"
    told = (body.price_minor, body.price_version)
    if told != price_after_flash(before, body.sku, step.at)[:2]:
        return f"(price, version) is {told}"
    over = step.sale_ms >= flash.ends_sale_ms
    quantity = before.flashes[flash.id].quantity
    used_up = quantity is not None and before.flash_used[flash.id] >= quantity
    is_true = {"window": over, "stopped": not over, "quantity": used_up}
    if not is_true[body.reason]:
        return f"it did not end by {body.reason}"
    return end_goes_on(step, body, before)


def price_after_flash(before: Replay, sku: str, at: Instant) -> PriceInForce:
    """What is in force when a product's flash price has just ended."""
    return price_in_force(before.prices(sku).after("flash"), at)


@rule(45, "A price says why it is the price")
def reason_is_true(step: Step, before: Replay) -> str | None:
    """`price_reason` of a product, of what follows a flash price and of an order's line is the rule that gave
    the price in force, with its id; of what was won the lot or the draw,
    with a coupon its code.

    Entries of servers that gave no reason are not judged.
    """
    match step.body:
        case ProductUpdated(sku=sku, price_reason=told):
            old = before.products.get(sku)
            reasons = [(told, before.price_at(sku, step.at).reason if old else Reason())]
        case PriceEnded(sku=sku, price_reason=told):
            reasons = [(told, price_after_flash(before, sku, step.at).reason)]
        case OrderChange(order=order) if step.entry.kind in PLACED:
            reasons = [(line.price_reason, _reason_of(line, step.at, before)) for line in order.lines]
        case _:
            return None
    for told, due in reasons:
        if told is not None and (told.rule, told.id) != due:
            return f"the reason told is {(told.rule, told.id)}, must be {tuple(due)}"
    return None


def _reason_of(line: Line, at: Instant, before: Replay) -> Reason:
    if line.coupon:
        return Reason("coupon", line.coupon)
    if line.lot:
        return Reason("lot", line.lot)
    return Reason("draw", line.draw) if line.draw else before.price_at(line.sku, at).reason


@rule(20, "Deadlines are told on the server's clock")
def deadlines_are_derived(step: Step, before: Replay) -> str | None:
    """`…_at_ms` is the sale-clock deadline on the server's clock, and null while the sale clock stands. A
    campaign lies on the server's clock itself.
    """
    since, total = before.life.frozen_since_ms or 0, before.life.frozen_total_ms
    match step.body:
        case FlashPrice() | ShowFlash() as flash:
            pairs = [(flash.starts_sale_ms, flash.starts_at_ms), (flash.ends_sale_ms, flash.ends_at_ms)]
        case LotOpened() | LotBid() | DrawOpened() as lot:
            pairs = [(lot.ends_sale_ms, lot.ends_at_ms)]
        case OrderChange(order=order) if order.expires_sale_ms is not None:
            pairs = [(order.expires_sale_ms, order.expires_at_ms)]
        case _:
            return None
    for sale_ms, told in pairs:
        due = server_time_ms(sale_ms, since, total)
        if told != due:
            return f"a deadline is told as {told}, is {due}"
    return None


@rule(21, "What is pinned is told at its price")
def pin_tells_the_price(step: Step, before: Replay) -> str | None:
    """`product.pinned` tells the price in force, and only what is pinned can be unpinned."""
    match step.body:
        case Pinned(sku=sku, price_minor=told):
            due = before.price_at(sku, step.at).price_minor
            return None if told == due else f"the price told is {told}, in force is {due}"
        case Unpinned(sku=sku):
            return None if sku == before.pin else f"{sku!r} was not pinned"
        case _:
            return None


@rule_for(Restocked, 22, "A restock changes what is left, by its difference")
def restock_is_what_it_says(step: Step, body: Restocked, before: Replay) -> str | None:  # noqa: ARG001
    """left grows by `delta`, is never below zero, and held and sold stay."""
    left, held, sold = before.products[body.sku].stock
    due = (left + body.delta, held, sold)
    told = (body.left, body.held, body.sold)
    return (
        None
        if told == due and body.left >= 0
        else f"(left, held, sold) is {told}, must be {due} and not below 0"
    )


@rule(42, "A bundle is made of products, and has the stock of its parts")
def bundle_is_fixed(step: Step, before: Replay) -> str | None:
    """Its parts are other products, none of them a bundle, each once; they never change, and it is never
    restocked itself.
    """
    match step.body:
        case ProductUpdated(sku=sku, parts=parts):
            told = tuple((part.sku, part.quantity) for part in parts)
            if sku in before.products and before.products[sku].parts != told:
                return f"{sku} was made of {before.products[sku].parts}"
            wrong = [part for part, _ in told if part not in before.products or before.products[part].parts]
            twice = len({part for part, _ in told}) < len(told)
            return f"{wrong or told} cannot be its parts" if wrong or twice else None
        case Restocked(sku=sku, delta=delta):
            return f"{sku} is a bundle" if delta and before.products[sku].parts else None
        case _:
            return None


RULES = (
    names_exist,
    bundle_is_fixed,
    product_tells_its_price,
    flash_is_announced,
    deep_flash_is_confirmed,
    flash_ends,
    reason_is_true,
    deadlines_are_derived,
    pin_tells_the_price,
    restock_is_what_it_says,
)
