"""What a replay keeps of products, coupons and orders, and the step that a rule judges. Pure."""

from dataclasses import dataclass

from msgspec import UNSET

from server.commerce import price_record
from server.commerce.pricing import Flash, Instant
from server.log.entries import Entry
from server.verify.bodies import (
    Body,
    CouponMade,
    ProductUpdated,
)
from server.verify.order_bodies import Refund
from server.verify.price_bodies import (
    FlashPrice,
    PriceEnded,
)
from server.verify.shapes import PriceReason

Stock = tuple[int, int, int]
"""left, held, sold."""
PriceBody = ProductUpdated | FlashPrice | PriceEnded
"""What changes a product's price record."""


@dataclass
class Product:
    """`version` is that of the list price; a flash price has its own (see pricing.py)."""

    list_price_minor: int
    version: int
    per_viewer_max: int | None
    seller: str
    commission_bps: int
    flash: Flash | None = None
    stock: Stock = (0, 0, 0)
    parts: tuple[tuple[str, int], ...] = ()
    """Of a bundle: what a unit of it takes from the shelf."""
    record: price_record.Record = ()
    """Prices that were in force and are so no more."""
    hold_policy: str = ""
    """"" is `hold`, so that a digest is that of older logs."""


@dataclass
class Coupon:
    """A coupon as it was made, and whether it was ended since."""

    made: CouponMade
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of an order: little, for a log may have millions. No deadline is 0."""

    pid: str
    state: str
    deadline_sale_ms: int
    attempt: int
    paid_by: int
    refunds: tuple[Refund, ...]
    terms: bytes


@dataclass(frozen=True)
class Step:
    """One entry on its way through the rules: what it says, and the sale clock when it was written."""

    entry: Entry
    body: Body | None
    sale_ms: int

    @property
    def at(self) -> Instant:
        return Instant(self.entry.ts, self.sale_ms)

    @property
    def audience_pid(self) -> str:
        return self.entry.subject or ""


def version_after(old: Product | None, body: ProductUpdated) -> int:
    """The version of a product's list price after an update: one more when that price changed."""
    return 1 if old is None else old.version + (body.list_price_minor != old.list_price_minor)


def ended_price(product: Product, step: Step, body: PriceBody) -> int | None:
    """The price that was in force until this entry, where its server kept a record."""
    match body:
        case ProductUpdated(price_reason=PriceReason(), list_price_minor=listed):
            return product.list_price_minor if product.list_price_minor != listed else None
        case PriceEnded(reference_price_minor=told) if told is not UNSET:
            flash = product.flash
            return flash.price_minor if flash and flash.starts_sale_ms <= step.sale_ms else None
        case _:
            return None
