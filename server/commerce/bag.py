"""What a buyer wants, before the sale is asked: lines within their bounds, each product once. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.commerce.money import PRICE_MAX_MINOR, QUANTITY_MAX, TOTAL_MAX_MINOR
from server.store.outcome import Refused

LINES_MAX: Final = 20
"""Lines of one order: its script costs the store about five times as much as that of one line."""


class Wanted(NamedTuple):
    """One line of a bag: `price_minor` is the unit price that the buyer saw."""

    sku: str
    quantity: int
    price_minor: int


def merged(lines: Sequence[Wanted]) -> Sequence[Wanted] | Refused:
    """The lines with each sku once: quantities summed, at the lowest price seen.

    Refusal: bad_request (no line or more than LINES_MAX, or a quantity, a price or the sum out of bounds).
    """
    if len(lines) == 1:
        return _problem(lines[0]) or lines
    if not 1 <= len(lines) <= LINES_MAX:
        return Refused("bad_request", {"field": "lines"})
    by_sku: dict[str, Wanted] = {}
    for line in lines:
        same = by_sku.get(line.sku, Wanted(line.sku, 0, line.price_minor))
        both = Wanted(line.sku, same.quantity + line.quantity, min(same.price_minor, line.price_minor))
        if refused := _problem(line) or _problem(both):
            return Refused(refused.code, {"sku": line.sku, **refused.detail})
        by_sku[line.sku] = both
    if sum(line.quantity * line.price_minor for line in by_sku.values()) > TOTAL_MAX_MINOR:
        return Refused("bad_request", {"field": "lines", "limit_minor": TOTAL_MAX_MINOR})
    return tuple(by_sku.values())


def _problem(line: Wanted) -> Refused | None:
    if not 1 <= line.quantity <= QUANTITY_MAX:
        return Refused("bad_request", {"field": "quantity"})
    if not 0 <= line.price_minor <= PRICE_MAX_MINOR:
        return Refused("bad_request", {"field": "price_minor"})
    return None
