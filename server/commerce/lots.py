"""The rules of an auction, in plain Python: a lot, its bids, and what it costs whom at any moment.

A lot is one unit of a product, taken off the shelf while it is open. A bid names the most that somebody would
pay; the price is what the highest bidder must pay to beat the second highest, by one step of the lot's own
table (a proxy auction with a second price). Deadlines lie on the sale clock. The scripts `lot_*.lua` decide;
this module says what they must decide, for their tests and for `vendue verify`. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from server.store.outcome import Refused

DURATION_MS: Final = (10_000, 86_400_000)
SOFT_CLOSE_MAX_MS: Final = 120_000
EXTENSION_MAX_MS: Final = 1_800_000
"""All soft closes together lengthen a lot by half an hour at most: nobody can keep it open for ever."""
BIDS_MAX: Final = 50_000
"""A lot's bids are numbered in the low 16 bits of a score, beside a maximum of up to 10^11."""
STEPS_MAX: Final = 16

Steps = tuple[tuple[int, int], ...]
"""(from price, step) rows, ascending, the first from 0: at a price, the last row not above it counts."""


def step_at(steps: Steps, price_minor: int) -> int:
    """By how much the next bid must be above this price."""
    return next(step for start, step in reversed(steps) if start <= price_minor)


def are_steps(steps: Iterable[tuple[int, int]]) -> bool:
    """Whether these rows are a table of steps: 1 to `STEPS_MAX`, from 0, ascending, no step below 1."""
    rows = tuple(steps)
    starts = [start for start, _ in rows]
    ascending = all(before < after for before, after in pairwise(starts))
    return 1 <= len(rows) <= STEPS_MAX and starts[0] == 0 and ascending and all(step >= 1 for _, step in rows)


class Standing(NamedTuple):
    """Where a lot stands: who leads (None: no bids), at which price, and the least that a next bid may be."""

    leader: str | None
    price_minor: int | None
    next_minor: int


def standing(start_minor: int, steps: Steps, maxima: Iterable[tuple[str, int]]) -> Standing:
    """Where a lot stands after these bidders' maxima, the earlier first among equals."""
    ranked = sorted(maxima, key=lambda bid: -bid[1])  # stable: the earlier of two equals stays first
    if not ranked:
        return Standing(None, None, start_minor)
    (leader, most), price = ranked[0], start_minor
    if len(ranked) > 1:
        second = ranked[1][1]
        price = min(most, second + step_at(steps, second))
    return Standing(leader, price, price + step_at(steps, price))


@dataclass
class Lot:
    """One lot. `soft_close_ms` 0 is sudden death; `latest_sale_ms` bounds all soft closes together."""

    sku: str
    start_minor: int
    steps: Steps
    ends_sale_ms: int
    latest_sale_ms: int
    soft_close_ms: int
    bids: int = 0
    is_open: bool = True
    maxima: dict[str, int] = field(default_factory=dict[str, int])
    """pid → maximum, in the order in which they were set."""

    def standing(self, banned: Iterable[str] = ()) -> Standing:
        """Where it stands; who is banned does not count."""
        counted = [(pid, most) for pid, most in self.maxima.items() if pid not in banned]
        return standing(self.start_minor, self.steps, counted)

    def bid(self, pid: str, max_minor: int, sale_ms: int, banned: Iterable[str] = ()) -> Refused | None:
        """Take a bid; None when it counts. Only above one's own maximum while one leads."""
        if not self.is_open or sale_ms >= self.ends_sale_ms:
            return Refused("lot_closed")
        now = self.standing(banned)
        least = self.maxima[pid] + 1 if pid == now.leader else now.next_minor
        if max_minor < least:
            return Refused("bid_too_low", {"next_minor": least})
        if self.bids >= BIDS_MAX:
            return Refused("limit_reached", {"limit": BIDS_MAX})
        self.maxima.pop(pid, None)
        self.maxima[pid] = max_minor
        self.bids += 1
        if self.ends_sale_ms - sale_ms < self.soft_close_ms:
            longer = min(sale_ms + self.soft_close_ms, self.latest_sale_ms)
            self.ends_sale_ms = max(self.ends_sale_ms, longer)
        return None
