"""Rules for the price record: what a reduction may be shown against. Pure."""

from msgspec import UNSET

from server.commerce.price_record import RECORD_DAYS, day_of, reference_price
from server.verify.bodies import FlashPrice, PriceEnded, ProductUpdated
from server.verify.replay import Replay, Step
from server.verify.rule import rule


@rule(44, "The reference price is the lowest of the last 30 days")
def reference_follows_from_the_record(step: Step, before: Replay) -> str | None:
    """What was in force on offer and no more, and what is in force now; with a flash price, when it was
    announced; null when that is nothing. What comes from other shows (`earlier_prices`) is of those days.
    Entries of servers that kept no record tell none and are not judged.
    """
    body = step.body
    match body:
        case ProductUpdated(price_reason=None):
            return None
        case ProductUpdated():
            earlier, listed = body.earlier_prices, body.list_price_minor
        case FlashPrice(reference_price_minor=told) if told is not UNSET:
            earlier, listed = body.earlier_prices, before.products[body.sku].list_price_minor
        case PriceEnded(reference_price_minor=told) if told is not UNSET:
            earlier, listed = (), before.products[body.sku].list_price_minor
        case _:
            return None
    today = day_of(step.entry.ts)
    if wrong := [until for _, until in earlier if not today - RECORD_DAYS <= until <= today]:
        return f"a price of another show ended on day {wrong[0]}, today is {today}"
    old = before.products.get(body.sku)
    if isinstance(body, ProductUpdated) and old and old.flash:
        announced = before.flashes[old.flash.id].reference_price_minor
        due = None if announced is UNSET else announced
    else:
        now = listed if before.is_on_offer else None
        due = reference_price(before.record_after(step, body), now, today)
    told = body.reference_price_minor
    return None if told == due else f"it is told as {told}, must be {due}"


RULES = (reference_follows_from_the_record,)
