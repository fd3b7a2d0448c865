"""Rules for a reduction of the whole show. Pure."""

from server.commerce.pricing import is_deep, price_in_force, reduced
from server.verify.bodies import ShowFlash, ShowFlashEnded
from server.verify.replay import Replay, Step
from server.verify.rule import rule
from server.verify.rules_prices import FLASH_AHEAD_MAX_MS, FLASH_MS


@rule(46, "A reduction of the whole show is what it says, for every product that it names")
def show_flash_is_what_it_says(step: Step, before: Replay) -> str | None:
    """One at a time, in a show that is not over, ahead and for as long as a flash price (18). Each price is
    below the list price by the percentage told, or by less where a floor stops it; `confirmed` tells whether
    one takes more than 70 % off. When it ends, what is in force without it is told of each of these products.
    """
    match step.body:
        case ShowFlash() as body:
            return _announced(step, body, before)
        case ShowFlashEnded() as body:
            return _ended(step, body, before)
        case _:
            return None


def _announced(step: Step, body: ShowFlash, before: Replay) -> str | None:
    ahead_ms, lasts_ms = body.starts_sale_ms - step.sale_ms, body.ends_sale_ms - body.starts_sale_ms
    if before.life.state == "ended" or before.show_flash:
        return f"the show is over, or {before.show_flash} is announced"
    if not 0 <= ahead_ms <= FLASH_AHEAD_MAX_MS or not FLASH_MS[0] <= lasts_ms <= FLASH_MS[1]:
        return f"it starts in {ahead_ms} ms and lasts {lasts_ms} ms"
    skus = [each.sku for each in body.prices]
    if len(set(skus)) < len(skus) or not set(skus) <= set(before.products):
        return "it names a product twice, or one that there is not"
    for each in body.prices:
        listed = before.products[each.sku].list_price_minor
        if (
            each.list_price_minor != listed
            or not reduced(listed, body.percent_off) <= each.price_minor < listed
        ):
            return f"{each.sku} is told at {each.price_minor} of {each.list_price_minor}, listed at {listed}"
    deep = any(is_deep(each.list_price_minor, each.price_minor) for each in body.prices)
    return None if body.confirmed == deep else f"confirmed is {body.confirmed}"


def _ended(step: Step, body: ShowFlashEnded, before: Replay) -> str | None:
    terms = before.show_flash
    if terms is None or terms.id != body.id:
        return f"{body.id} is not announced"
    if (body.reason == "window") != (step.sale_ms >= terms.ends_sale_ms):
        return f"it did not end by {body.reason}"
    if sorted(each.sku for each in body.prices) != sorted(terms.prices):
        return "it does not tell of the products that were in it"
    for each in body.prices:
        prices = before.prices(each.sku)
        due = price_in_force(prices._replace(show_flash=None, version=prices.version + 2), step.sale_ms)
        reason = (each.price_reason.rule, each.price_reason.id)
        if (each.price_minor, each.price_version, reason) != due:
            return f"{each.sku} is told as {(each.price_minor, each.price_version, reason)}, must be {due}"
    return None


RULES = (show_flash_is_what_it_says,)
