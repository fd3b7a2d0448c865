"""The price record of a product: what the reference price of a reduction follows from. Pure.

A reduction may be shown against the lowest price of the 30 days before it (Directive 98/6/EC, article 6a) and
against nothing else. A record keeps of each price that was in force, and is so no more, the last day of it;
one that a lower price of the same day or later covers is left out, so a record has at most a price a day.
Days are whole (UTC): a price counts through the 30th day after its last one, never for less than 30 · 24 h.
The twin in `lua/_price_record.lua` decides what is told; this one serves the model, `vendue verify`, and
whoever carries a record from one show to another. Its text form is `price:day price:day …`.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

RECORD_DAYS: Final = 30
DAY_MS: Final = 86_400_000

Low: TypeAlias = tuple[int, int]
"""A price in minor units, and the last day on which it was in force (days since 1970, UTC)."""
Record: TypeAlias = tuple[Low, ...]


def day_of(server_ms: int) -> int:
    """The day of a server time."""
    return server_ms // DAY_MS


def with_prices(record: Record, prices: Iterable[Low], today: int) -> Record:
    """The record with these prices in it, and without those that are too old or covered by lower ones."""
    found = {low for low in (*record, *prices) if low[1] >= today - RECORD_DAYS}
    return tuple(sorted(low for low in found if not any(_covers(other, low) for other in found)))


def _covers(other: Low, low: Low) -> bool:
    return other != low and other[0] <= low[0] and other[1] >= low[1]


def lowest(record: Record, today: int) -> int | None:
    """The lowest price of the last 30 days that is in force no more; None when there was none."""
    return min((price for price, until in record if until >= today - RECORD_DAYS), default=None)


def reference_price(record: Record, now_minor: int | None, today: int) -> int | None:
    """The reference of a reduction that begins now: what is in force so far counts (None: nothing is)."""
    past = lowest(record, today)
    return min((price for price in (past, now_minor) if price is not None), default=None)


def read(text: str) -> Record:
    """A record from its text form."""
    pairs = (pair.split(":") for pair in text.split())
    return tuple((int(price), int(day)) for price, day in pairs)


def written(record: Record) -> str:
    """A record in its text form."""
    return " ".join(f"{price}:{day}" for price, day in record)
