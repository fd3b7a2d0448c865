"""Rules for the price record: what a reduction may be shown against. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET

from server.commerce.price_record import RECORD_DAYS, Record, day_of, reference_price
from server.commerce.pricing import Flash, price_below
from server.verify.bodies import ProductUpdated
from server.verify.price_bodies import (
    Campaign,
    CampaignEnded,
    FlashPrice,
    PriceEnded,
    ShowFlash,
    ShowFlashEnded,
    ShowReduced,
)
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule


class _Told(NamedTuple):
    """A reference price that an entry tells, and what it follows from."""

    sku: str
    reference_minor: int | None
    record: Record
    price_minor: int
    flash: Flash | None = None
    at_most: int | None = None


@rule(44, "The reference price is the lowest of the last 30 days")
def reference_follows_from_the_record(step: Step, before: Replay) -> str | None:
    """Of what was in force on offer and no more, and of what a reduction, announced or running, is taken off;
    under a flash price as its announcement said, which for its windows after the first is never above its
    price; null when that is nothing. What comes from other shows
    (`earlier_prices`) is of those days. Entries of servers that kept no record tell none and are not judged.
    """
    today = day_of(step.entry.ts)
    match step.body:
        case ProductUpdated(earlier_prices=earlier) | FlashPrice(earlier_prices=earlier):
            pass
        case ShowReduced(prices=prices):
            earlier = tuple(low for each in prices for low in each.earlier_prices)
        case _:
            earlier = ()
    if wrong := [until for _, until in earlier if not today - RECORD_DAYS <= until <= today]:
        return f"a price of another show ended on day {wrong[0]}, today is {today}"
    for told in _told(step, before):
        if told.flash:
            announced = before.flashes[told.flash.id].reference_price_minor
            due = None if announced is UNSET else announced
        else:
            due = reference_price(told.record, told.price_minor if before.is_on_offer else None, today)
            if due is not None and told.at_most is not None:
                due = min(due, told.at_most)
        if told.reference_minor != due:
            return f"of {told.sku} it is told as {told.reference_minor}, must be {due}"
    return None


def _told(step: Step, before: Replay) -> Iterator[_Told]:
    at, body = step.at, step.body
    match body:
        case ProductUpdated() if body.price_reason is not None:
            old = before.products.get(body.sku)
            flash = old.flash if old else None
            price = price_below(before.prices_after(body), at)
            yield _Told(body.sku, body.reference_price_minor, before.record_after(step, body), price, flash)
        case FlashPrice(reference_price_minor=told) if told is not UNSET:
            price = before.price_at(body.sku, at).price_minor
            at_most = body.price_minor if body.repeat and body.repeat.n > 1 else None
            yield _Told(body.sku, told, before.record_after(step, body), price, at_most=at_most)
        case PriceEnded(reference_price_minor=told) if told is not UNSET:
            price = price_below(before.prices(body.sku).without("flash"), at)
            yield _Told(body.sku, told, before.record_after(step, body), price)
        case ShowFlash() | Campaign() | ShowFlashEnded() | CampaignEnded():
            for each in body.prices:
                prices = before.prices(each.sku)
                if isinstance(body, ShowFlash | Campaign):
                    prices = prices.reduced_by(body.terms.of(each.sku))
                else:
                    prices = prices.without(body.kind)
                record = before.show_record_after(step, each.sku)
                is_over = prices.flash is None or prices.flash.ends_sale_ms <= at.sale_ms
                flash = None if is_over else prices.flash
                yield _Told(each.sku, each.reference_price_minor, record, price_below(prices, at), flash)
        case _:
            pass


RULES = (reference_follows_from_the_record,)
