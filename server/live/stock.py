"""Stock as viewers hear of it: the newest level of each product, at most four times a second, sold out at
once.

Pure; it keeps one level a product, so a thousand purchases a second cost the viewers no more than four.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from server.live.limits import STOCK_INTERVAL_MS
from server.log.state import ShowSnapshot, stock_view


class Level(NamedTuple):
    """The stock of a product as of a log entry."""

    sku: str
    as_of: int
    left: int
    held: int
    sold: int
    waiting: int = 0
    """How many stand in line for it."""
    moved: bool = False
    """Whether the line has moved since viewers were told, though it may be as long again as it was then."""

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """What a viewer could see of it."""
        return self.left, self.held, self.sold, self.waiting


class StockBoard:
    """Newest levels of one show's products, and when each may be told again."""

    def __init__(self) -> None:
        self._levels: dict[str, Level] = {}
        self._told: dict[str, tuple[int, int, int, int]] = {}
        self._next_ms: dict[str, int] = {}
        self._untold: set[str] = set()

    def note(self, level: Level, *, told: bool = False) -> None:
        """Take a level from the log; an older one than the known is ignored. `told`: viewers know it
        already.
        """
        known = self._levels.get(level.sku)
        if known is not None and known.as_of >= level.as_of:
            return
        moved = not told and known is not None and (known.moved or known.waiting != level.waiting)
        self._levels[level.sku] = level._replace(moved=moved)
        if told:
            self._told[level.sku] = level.amounts
        if self._told.get(level.sku) == level.amounts and not moved:
            self._untold.discard(level.sku)
        else:
            self._untold.add(level.sku)

    def due(self, now_ms: int, *, only_sold_out: bool = False) -> list[Level]:
        """The levels to tell now; they count as told."""
        ready = [sku for sku in self._untold if now_ms >= self._due_ms(sku)]
        if only_sold_out:
            ready = [sku for sku in ready if self._levels[sku].left == 0]
        for sku in ready:
            self._untold.discard(sku)
            self._told[sku] = self._levels[sku].amounts
            # Sold out does not wait, but what follows it waits longer: four a second on average.
            self._next_ms[sku] = max(self._next_ms.get(sku, 0), now_ms) + STOCK_INTERVAL_MS
        due = [self._levels[sku] for sku in ready]
        self._levels.update((level.sku, level._replace(moved=False)) for level in due)
        return due

    def next_due_ms(self) -> int | None:
        """When `due` will have something (maybe in the past), or None."""
        return min((self._due_ms(sku) for sku in self._untold), default=None)

    def since(self, seq: int) -> list[Level]:
        """The levels that a viewer with everything up to `seq` has not seen."""
        return [level for level in self._levels.values() if level.as_of > seq]

    def _due_ms(self, sku: str) -> int:
        told = self._told.get(sku)
        sold_out_now = self._levels[sku].left == 0 and (told is None or told[0] > 0)
        return 0 if sold_out_now else self._next_ms.get(sku, 0)


class PublicStock:
    """What viewers may know of each product's stock, and what they were told last.

    A level that looks to them like the one before is no news: told again and again, it would let anybody
    count the sales of a product whose numbers are hidden. Unless people stand in line: who does asks where
    when it has moved.
    """

    def __init__(self) -> None:
        self._displays: dict[str, str] = {}
        self._told: dict[str, dict[str, Any]] = {}

    def show_as(self, sku: str, display: str) -> None:
        """Take a product's `stock_display`."""
        self._displays[sku] = display

    def learn(self, snapshot: ShowSnapshot) -> None:
        """Take the displays from a snapshot. Its reader may know another level than the one told last, so
        that the next one is news even when it only goes back to that.
        """
        for product in snapshot.products:
            self.show_as(product.sku, product.stock_display)
            known = (product.left or 0, product.held or 0, product.sold or 0)
            view = stock_view(product.sku, *known, product.stock_display, waiting=product.waiting)
            if self._told.get(product.sku) != view:
                self._told.pop(product.sku, None)

    def view(self, level: Level) -> dict[str, Any]:
        """The data of a viewer's `stock` update."""
        display = self._displays.get(level.sku, "exact")
        return stock_view(level.sku, level.left, level.held, level.sold, display, waiting=level.waiting)

    def news(self, levels: Iterable[Level]) -> list[Level]:
        """Those that look different from what was told last, or whose line has moved; they count as told."""
        fresh = [level for level in levels if level.moved or self._told.get(level.sku) != self.view(level)]
        self._told.update((level.sku, self.view(level)) for level in fresh)
        return fresh
