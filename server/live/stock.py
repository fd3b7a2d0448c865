"""Stock as viewers hear of it: the newest level of each product, at most four times a second, sold out at
once.

Pure; it keeps one level a product, so a thousand purchases a second cost the viewers no more than four.
"""

from typing import NamedTuple

from server.live.limits import STOCK_INTERVAL_MS


class Level(NamedTuple):
    """The stock of a product as of a log entry."""

    sku: str
    as_of: int
    left: int
    held: int
    sold: int

    @property
    def amounts(self) -> tuple[int, int, int]:
        """What a viewer could see of it."""
        return self.left, self.held, self.sold


class StockBoard:
    """Newest levels of one show's products, and when each may be told again."""

    def __init__(self) -> None:
        self._levels: dict[str, Level] = {}
        self._told: dict[str, tuple[int, int, int]] = {}
        self._next_ms: dict[str, int] = {}
        self._untold: set[str] = set()

    def note(self, level: Level, *, told: bool = False) -> None:
        """Take a level from the log; an older one than the known is ignored. `told`: viewers know it
        already.
        """
        known = self._levels.get(level.sku)
        if known is not None and known.as_of >= level.as_of:
            return
        self._levels[level.sku] = level
        if told:
            self._told[level.sku] = level.amounts
        if self._told.get(level.sku) == level.amounts:
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
        return [self._levels[sku] for sku in ready]

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
