"""What the entries of orders say, as far as a rule looks at it. Pure."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from server.commerce.bag import LINES_MAX
from server.commerce.model_records import COUNTED, HOLDING
from server.log.entries import Entry
from server.verify.shapes import Count, Level, PriceReason

MOVING: Final = frozenset({"state", "expires_at_ms", "expires_sale_ms", "remaining_ms", "refunds", "seq"})
"""The members of an order that change during its life."""

ORDER_KINDS: Final = {
    "order.held": "held",
    "order.opened": "open",
    "order.paying": "paying",
    "order.declined": "held",
    "order.reopened": "open",
    "order.paid": "paid",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
    "order.part_refund_due": "paid",
    "order.part_refunded": "paid",
    "order.refund_due": "refund_due",
    "order.refunded": "refunded",
}
"""What an order's entry is called, and the state it leads to."""


class Line(msgspec.Struct, frozen=True):
    """`commission_bps` is told in an order of several lines, whose own is null when they differ."""

    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    unit_price_minor: Count
    price_version: Count
    flash: str | None
    price_reason: PriceReason | None = None  # not told by servers before rule 45
    lot: str | None = None
    draw: str | None = None
    coupon: str | None = None
    waited: Count | None = None
    commission_bps: Count | None = None


class Returned(msgspec.Struct, frozen=True):
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class Refund(msgspec.Struct, frozen=True):
    """`quantity` units came back with it; of an order of several lines `lines` says which."""

    id: str
    amount_minor: Count
    quantity: Count
    restock: bool
    due_at_ms: Count
    done_at_ms: Count | None
    lines: tuple[Returned, ...] = ()


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """`sku`, `quantity` and `unit_price_minor` are told of an order of one line only."""

    id: str
    show: str
    seller: str
    creator: str
    lines: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    sku: str | None = None
    quantity: int | None = None
    unit_price_minor: int | None = None
    goods_minor: Count
    shipping_minor: Count
    tax_minor: Count
    total_minor: Count
    commission_bps: Count | None
    commission_minor: Count
    currency: str
    placed_at_ms: Count
    pay_first: bool = False
    state: str
    expires_at_ms: Count | None
    expires_sale_ms: int | None
    refunds: list[Refund]
    seq: int

    @property
    def lot(self) -> str | None:
        """The lot where it was won: such an order has one line."""
        return self.lines[0].lot

    @property
    def waited(self) -> int | None:
        """The seq at which its buyer joined the waitlist: such an order has one line."""
        return self.lines[0].waited

    @property
    def draw(self) -> str | None:
        """The draw where it was won: such an order has one line."""
        return self.lines[0].draw

    @property
    def has_own_price(self) -> bool:
        """Whether it was won: at a price of its lot or draw, not at the price in force."""
        return self.lot is not None or self.draw is not None

    @property
    def was_asked_for(self) -> bool:
        """Whether the buyer asked for it; else it was won, or made when their turn had come."""
        return not self.has_own_price and self.waited is None

    def returned(self, refund: Refund) -> list[int]:
        """The units of each line that came back with a refund."""
        if len(self.lines) == 1:
            return [refund.quantity]
        by_sku = {line.sku: line.quantity for line in refund.lines}
        return [by_sku.get(line.sku, 0) for line in self.lines]


class OrderChange(msgspec.Struct, frozen=True):
    """Any entry of kind `order.…`. `terms` is a digest of everything in it that never changes.

    The prices seen are those of its lines, `stock` that of what they take from the shelf, in their order.
    """

    order: OrderView
    stock: Annotated[list[Level], msgspec.Meta(min_length=1)]
    attempt: Count
    paid_by: Count
    seen_price_minor: Count | None = None
    seen_prices_minor: list[Count] | None = None
    terms: bytes = b""

    @property
    def seen_minor(self) -> list[int | None]:
        """The price seen of each line."""
        return [*self.seen_prices_minor] if self.seen_prices_minor is not None else [self.seen_price_minor]


def complete(body: OrderChange, entry: Entry) -> OrderChange:
    """The change with its `terms`. Raises msgspec.ValidationError when its lists do not fit its lines."""
    if wrong := _misshaped(body):
        raise msgspec.ValidationError(wrong)
    frozen = {name: value for name, value in entry.body["order"].items() if name not in MOVING}
    seen = body.seen_price_minor if len(body.order.lines) == 1 else body.seen_prices_minor
    terms = msgspec.json.encode([seen, frozen])
    return msgspec.structs.replace(body, terms=blake2b(terms, digest_size=16).digest())


def _misshaped(body: OrderChange) -> str | None:
    """What of an order's lists does not fit its lines."""
    lines, order = body.order.lines, body.order
    skus = [line.sku for line in lines]
    if len(set(skus)) < len(skus):
        return "a product has two lines"
    if (body.seen_price_minor is None) == (len(skus) == 1) or len(body.seen_minor) != len(skus):
        return "it does not tell one price seen of each line"
    if len(skus) == 1:
        return "refunds of one line name lines" if any(refund.lines for refund in order.refunds) else None
    if (order.sku, order.quantity, order.unit_price_minor) != (None, None, None):
        return "an order of several lines has a sku, quantity or price of its own"
    given = any(line.lot or line.draw or line.waited for line in lines)
    if given or any(line.commission_bps is None for line in lines):
        return "one of several lines was won or waited for, or tells no commission"
    for refund in order.refunds:
        named = [line.sku for line in refund.lines]
        told = sum(line.quantity for line in refund.lines)
        if len(set(named)) < len(named) or not set(named) <= set(skus) or told != refund.quantity:
            return "the units of a refund are not those of its lines"
    return None


def state_named(kind: str) -> str:
    """The state that an order's entry of this kind leads to."""
    return ORDER_KINDS[kind]


def units_back(order: OrderView, refunds: Iterable[Refund]) -> list[int]:
    """The units of each line that came back with these refunds."""
    back = [order.returned(refund) for refund in refunds]
    return [sum(units[at] for units in back) for at in range(len(order.lines))]


def counted_units(order: OrderView, state: str, refunds: Iterable[Refund]) -> list[int]:
    """The units of each line that count against caps and quotas."""
    if state not in COUNTED:
        return [0] * len(order.lines)
    return [line.quantity - n for line, n in zip(order.lines, units_back(order, refunds), strict=True)]


def place_of(state: str) -> str:
    """Where an order's units are while it is in this state."""
    if state in HOLDING:
        return "held"
    return "sold" if state == "paid" else "left"
