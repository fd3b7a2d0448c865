"""What the model (`model.py`) sums up: what is left, held, sold and bought. Pure."""

from dataclasses import dataclass, field

from server.commerce.model_records import (
    COUNTED,
    HOLDING,
    CampaignTerms,
    FlashTerms,
    Order,
    Product,
    Reduction,
    ShowTerms,
)
from server.commerce.pricing import Instant, sale_time_ms


@dataclass
class Shelf:
    """One show. Orders are known by (pid, idempotency key)."""

    hold_ms: int
    extension_ms: int
    state: str = "live"
    sales_paused: bool = False
    frozen_since_ms: int = 0
    frozen_total_ms: int = 0
    products: dict[str, Product] = field(default_factory=dict[str, Product])
    flashes: dict[str, FlashTerms] = field(default_factory=dict[str, FlashTerms])
    orders: dict[tuple[str, str], Order] = field(default_factory=dict[tuple[str, str], Order])
    banned: set[str] = field(default_factory=set[str])
    undone: set[str] = field(default_factory=set[str])
    show_flash: ShowTerms | None = None
    campaign: CampaignTerms | None = None
    reductions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Kind and id of every reduction of the whole show that there was."""
    price_steps: int = 0
    """Starts and ends of the reductions of the whole show that are over."""
    pin: str = ""
    off: set[str] = field(default_factory=set[str])
    """Products that are not in the bag; `products` has its order, then theirs."""
    waiting: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Who stands in line for a product, the first first: pid → the key of the order that they get."""

    def sale_ms(self, ts: int) -> int:
        return sale_time_ms(ts, self.frozen_since_ms, self.frozen_total_ms)

    def at(self, ts: int) -> Instant:
        return Instant(ts, self.sale_ms(ts))

    @property
    def of_show(self) -> tuple[Reduction, ...]:
        """The reductions of the whole show that are announced or running; the last goes first."""
        return tuple(each for each in (self.campaign, self.show_flash) if each)

    def pieces(self, sku: str) -> dict[str, int]:
        """What a unit of a product takes from the shelf."""
        return self.products[sku].parts or {sku: 1}

    def _taken(self, order: Order, sku: str) -> int:
        """The units of a product that an order has, itself or in bundles."""
        return sum(
            n * self.pieces(line.sku).get(sku, 0) for n, line in zip(order.units, order.lines, strict=True)
        )

    def held(self, sku: str) -> int:
        return sum(self._taken(o, sku) for o in self.orders.values() if o.state in HOLDING)

    def sold(self, sku: str) -> int:
        return sum(self._taken(o, sku) for o in self.orders.values() if o.state == "paid")

    def left(self, sku: str) -> int:
        if parts := self.products[sku].parts:
            return min(self.left(part) // n for part, n in parts.items())
        return self.products[sku].stock - self.held(sku) - self.sold(sku)

    def free(self, sku: str) -> int:
        """What is left for whom nobody has been waiting before."""
        if parts := self.products[sku].parts:
            return min(self.free(part) // n for part, n in parts.items())
        return self.left(sku) - len(self.waiting.get(sku, ()))

    def bought(self, sku: str, pid: str) -> int:
        mine = [o for o in self.orders.values() if o.pid == pid and o.state in COUNTED]
        if self.products[sku].parts:
            units = (zip(o.units, o.lines, strict=True) for o in mine)
            return sum(n for pairs in units for n, line in pairs if line.sku == sku)
        return sum(self._taken(o, sku) for o in mine)

    def flash_bought(self, flash: str, pid: str | None = None) -> int:
        counted = (o for o in self.orders.values() if o.state in COUNTED)
        return sum(o.units_at(flash) for o in counted if pid in (None, o.pid))
