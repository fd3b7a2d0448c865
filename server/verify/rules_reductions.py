"""Rules for reductions of the whole show: its flash prices, and campaigns. Pure."""

from typing import Final

from server.commerce.pricing import CAMPAIGN_AHEAD_MAX_MS, CAMPAIGN_MS, Kind, is_deep, price_in_force, reduced
from server.verify.price_bodies import Campaign, CampaignEnded, ShowFlash, ShowFlashEnded, ShowFlashPrice
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule
from server.verify.rules_prices import FLASH_AHEAD_MAX_MS, FLASH_MS

BOUNDS_MS: Final[dict[Kind, tuple[int, tuple[int, int]]]] = {
    "show_flash": (FLASH_AHEAD_MAX_MS, FLASH_MS),
    "campaign": (CAMPAIGN_AHEAD_MAX_MS, CAMPAIGN_MS),
}
"""How far ahead each is announced at most, and how short and long it may be, on its clock."""


@rule(46, "A reduction of the whole show is what it says, for every product that it names")
def show_reduction_is_what_it_says(step: Step, before: Replay) -> str | None:
    """One flash price of the show and one campaign at a time, in a show that is not over. The first is ahead
    and lasts as a flash price (18), a campaign begins within 90 days and lasts 60 s to 31 days of the
    server's clock. Each price is below the list price: by the percentage told, or by less where a floor stops
    it; `confirmed` tells whether one takes more than 70 % off. It ends by its window, before that because it
    is stopped or its show is over, and what is in force without it is told of each of its products.
    """
    match step.body:
        case ShowFlash() | Campaign() as body:
            return _announced(step, body, before)
        case ShowFlashEnded() | CampaignEnded() as body:
            return _ended(step, body, before)
        case _:
            return None


def _announced(step: Step, body: ShowFlash | Campaign, before: Replay) -> str | None:
    terms = body.terms
    there = next((each for each in before.of_show if each.kind == terms.kind), None)
    if before.life.state == "ended" or there:
        return f"the show is over, or {there} is announced"
    now = step.at.server_ms if terms.kind == "campaign" else step.at.sale_ms
    ahead_max_ms, (shortest_ms, longest_ms) = BOUNDS_MS[terms.kind]
    starts_ms, ends_ms = terms.window
    if not 0 <= starts_ms - now <= ahead_max_ms or not shortest_ms <= ends_ms - starts_ms <= longest_ms:
        return f"it starts in {starts_ms - now} ms and lasts {ends_ms - starts_ms} ms"
    if len(terms.prices) < len(body.prices) or not set(terms.prices) <= set(before.products):
        return "it names a product twice, or one that there is not"
    for each in body.prices:
        if wrong := _wrong_price(each, body.percent_off, before.products[each.sku].list_price_minor):
            return wrong
    deep = any(is_deep(each.list_price_minor, each.price_minor) for each in body.prices)
    return None if body.confirmed == deep else f"confirmed is {body.confirmed}"


def _wrong_price(told: ShowFlashPrice, percent_off: int | None, listed: int) -> str | None:
    least = 1 if percent_off is None else reduced(listed, percent_off)
    if told.list_price_minor == listed and least <= told.price_minor < listed:
        return None
    return f"{told.sku} is told at {told.price_minor} of {told.list_price_minor}, listed at {listed}"


def _ended(step: Step, body: ShowFlashEnded | CampaignEnded, before: Replay) -> str | None:
    terms = next((each for each in before.of_show if each.kind == body.kind), None)
    if terms is None or terms.id != body.id:
        return f"{body.id} is not announced"
    over, show_over = terms.begun(step.at) == 2, before.life.state == "ended"
    if not {"window": over, "stopped": not over, "show_ended": show_over and not over}[body.reason]:
        return f"it did not end by {body.reason}"
    if sorted(each.sku for each in body.prices) != sorted(terms.prices):
        return "it does not tell of the products that were in it"
    for each in body.prices:
        due = price_in_force(before.prices(each.sku).after(body.kind), step.at)
        reason = (each.price_reason.rule, each.price_reason.id)
        if (each.price_minor, each.price_version, reason) != due:
            return f"{each.sku} is told as {(each.price_minor, each.price_version, reason)}, must be {due}"
    return None


RULES = (show_reduction_is_what_it_says,)
