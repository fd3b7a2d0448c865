"""What the model of a sale (`model.py`) keeps: products, flash prices, orders and their lines. Pure."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from server.commerce.price_record import Record
from server.commerce.pricing import Flash, Instant, Kind, PriceInForce, Repeat, ShowReduction

HOLDING = ("held", "paying")
PENDING = ("open", *HOLDING)  # what runs out
PLACED = frozenset({"order.held", "order.opened"})  # entries with which an order begins
COUNTED = ("held", "paying", "paid")  # what counts against caps and quotas
HoldPolicy = Literal["hold", "pay_first", "lottery"]
TURN_MS = 60_000
"""How long the private hold of the next in line lasts, before its buyer begins to pay."""


def shortened(hold_ms: int, ran_out: int) -> int:
    """How long a hold lasts for one whose last `ran_out` orders ran out unpaid.

    One is forgiven; from the second on half as long each, by four at most, and 15 s at least.
    """
    if ran_out < 2:
        return hold_ms
    return min(hold_ms, max(15_000, hold_ms // 2 ** (min(ran_out, 4) - 1)))


@dataclass
class FlashTerms:
    """What a flash price promises beside the price: how many in all, and how many for one viewer.

    `repeat`: when it is one window of several.
    """

    sku: str
    quantity: int | None
    per_viewer_max: int | None
    repeat: Repeat | None = None


@dataclass
class Reduction:
    """A reduction of the whole show that is announced or running: the price of each product in it."""

    kind: ClassVar[Kind]

    id: str
    prices: dict[str, int]

    @property
    def window(self) -> tuple[int, int]:
        """From when (inclusive) and until when (exclusive) it is in force, on the clock of its kind."""
        raise NotImplementedError

    def of(self, sku: str) -> ShowReduction:
        """As one product sees it."""
        return ShowReduction(self.kind, self.id, self.prices.get(sku), *self.window)

    def begun(self, at: Instant) -> int:
        """See `ShowReduction`."""
        return self.of("").begun(at)


@dataclass
class ShowTerms(Reduction):
    """A flash price of the whole show. (The fields' names and order are in the digests of checkpoints.)"""

    kind: ClassVar[Kind] = "show_flash"

    starts_sale_ms: int
    ends_sale_ms: int

    @property
    def window(self) -> tuple[int, int]:
        return self.starts_sale_ms, self.ends_sale_ms


@dataclass
class CampaignTerms(Reduction):
    """A campaign."""

    kind: ClassVar[Kind] = "campaign"

    starts_at_ms: int
    ends_at_ms: int

    @property
    def window(self) -> tuple[int, int]:
        return self.starts_at_ms, self.ends_at_ms


@dataclass
class Product:
    """`stock` is all there ever was less what was written off: left + held + sold; a bundle has none.

    `parts`: units of other products in each unit of a bundle; they never change. `record`: see
    `price_record.py`; `reference_minor` is what was told with the newest flash price.
    """

    list_price_minor: int
    stock: int
    per_viewer_max: int | None
    floor_minor: int | None
    cost_minor: int | None = None
    version: int = 1
    flash: Flash | None = None
    parts: dict[str, int] = field(default_factory=dict[str, int])
    record: Record = ()
    reference_minor: int | None = None
    policy: HoldPolicy = "hold"


@dataclass(frozen=True)
class Line:
    """One product of an order, at the price that was in force."""

    sku: str
    quantity: int
    seen_price_minor: int
    price: PriceInForce
    coupon: str = ""
    """The code of the coupon that makes it cost `coupon_price_minor`."""
    coupon_price_minor: int = 0

    @property
    def unit_minor(self) -> int:
        """What one unit costs."""
        return self.coupon_price_minor if self.coupon else self.price.price_minor


@dataclass
class Order:
    """An order; each of its lines has another sku.

    `attempts` is the token of each attempt to pay. `refunds` is (minor units, units of each line that came
    back) of each refund, the first `returned` of which are done.
    """

    pid: str
    lines: tuple[Line, ...]
    expires_sale_ms: int
    state: str = "held"
    extended: bool = False
    attempts: list[str] = field(default_factory=list[str])
    paid_by: int = 0
    refunds: list[tuple[int, list[int]]] = field(default_factory=list[tuple[int, list[int]]])
    returned: int = 0
    coupon: str = ""
    """The code that was given with it."""
    pays_first: bool = False
    """It reserves nothing while it is open."""

    @property
    def left_minor(self) -> int:
        """Of the money, what has not been given back."""
        total = self.price_of([line.quantity for line in self.lines])
        return total - sum(amount for amount, _ in self.refunds)

    @property
    def units(self) -> list[int]:
        """Of each line's units, those that have not come back."""
        return [
            line.quantity - sum(units[at] for _, units in self.refunds) for at, line in enumerate(self.lines)
        ]

    def price_of(self, units: list[int]) -> int:
        return sum(n * line.unit_minor for n, line in zip(units, self.lines, strict=True))

    def units_at(self, flash_id: str) -> int:
        return sum(
            n for n, line in zip(self.units, self.lines, strict=True) if line.price.flash_id == flash_id
        )

    @property
    def flashes(self) -> set[str]:
        return {line.price.flash_id for line in self.lines if line.price.flash_id}
