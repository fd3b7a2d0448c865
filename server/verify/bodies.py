"""What the entries of each kind say, as far as a rule looks at it. Pure.

Fields that no rule needs are left out here and ignored when they come: a newer server may say more.
"""

from hashlib import blake2b
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from server.commerce.bag import LINES_MAX
from server.log.entries import Entry

Count = Annotated[int, msgspec.Meta(ge=0)]


class ShowCreated(msgspec.Struct, frozen=True):
    id: str
    currency: str
    owner: str
    epoch: str


class ShowState(msgspec.Struct, frozen=True):
    state: Literal["scheduled", "live", "paused", "ended"]
    sales_paused: bool
    video_blanked: bool
    host_away: bool
    frozen: bool
    frozen_total_ms: Count
    frozen_since_ms: Count | None


class EpochChanged(msgspec.Struct, frozen=True):
    epoch: str
    previous: str


class Part(msgspec.Struct, frozen=True):
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class PriceReason(msgspec.Struct, frozen=True):
    rule: str
    id: str | None


class ProductUpdated(msgspec.Struct, frozen=True):
    """`parts`: of a bundle."""

    sku: str
    price_minor: Count
    list_price_minor: Count
    price_version: Count
    per_viewer_max: Count | None
    seller: str
    commission_bps: Count
    parts: tuple[Part, ...] = ()
    price_reason: PriceReason | None = None  # not told by servers before rule 45
    reference_price_minor: Count | None = None
    earlier_prices: tuple[tuple[Count, Count], ...] = ()


class Restocked(msgspec.Struct, frozen=True):
    sku: str
    delta: int
    left: int
    held: int
    sold: int


class Pinned(msgspec.Struct, frozen=True):
    sku: str
    price_minor: Count


class Unpinned(msgspec.Struct, frozen=True):
    sku: str


class BagChanged(msgspec.Struct, frozen=True):
    skus: tuple[str, ...]


class FlashPrice(msgspec.Struct, frozen=True):
    id: str
    sku: str
    price_minor: Count
    list_price_minor: Count
    price_version: Count
    starts_at_ms: Count | None
    ends_at_ms: Count | None
    starts_sale_ms: int
    ends_sale_ms: int
    quantity: Count | None
    quantity_left: Count | None
    per_viewer_max: Count | None
    confirmed: bool | None = None  # not told by servers before rule 43
    reference_price_minor: Count | UnsetType | None = UNSET  # nor this before rule 44
    earlier_prices: tuple[tuple[Count, Count], ...] = ()


class ShowFlashPrice(msgspec.Struct, frozen=True):
    """One product's price in a reduction of the whole show."""

    sku: str
    price_minor: Count
    list_price_minor: Count
    reference_price_minor: Count | None
    earlier_prices: tuple[tuple[Count, Count], ...] = ()


class ShowFlash(msgspec.Struct, frozen=True):
    id: str
    percent_off: Annotated[int, msgspec.Meta(ge=1, le=99)]
    starts_at_ms: Count | None
    ends_at_ms: Count | None
    starts_sale_ms: int
    ends_sale_ms: int
    confirmed: bool
    prices: Annotated[tuple[ShowFlashPrice, ...], msgspec.Meta(min_length=1)]


class PriceAfter(msgspec.Struct, frozen=True):
    sku: str
    price_minor: Count
    price_version: Count
    price_reason: PriceReason
    reference_price_minor: Count | None


class ShowFlashEnded(msgspec.Struct, frozen=True):
    id: str
    reason: Literal["window", "stopped"]
    prices: tuple[PriceAfter, ...]


class PriceEnded(msgspec.Struct, frozen=True):
    id: str
    sku: str
    price_minor: Count
    price_version: Count
    reason: Literal["window", "stopped", "quantity"]
    price_reason: PriceReason | None = None
    reference_price_minor: Count | UnsetType | None = UNSET


class PriceUndone(msgspec.Struct, frozen=True):
    id: str
    sku: str


class Moderation(msgspec.Struct, frozen=True):
    action: str
    subject: str = ""


class Level(msgspec.Struct, frozen=True):
    sku: str
    left: int
    held: int
    sold: int


Levels = Annotated[list[Level], msgspec.Meta(min_length=1, max_length=1)]


class LotTold(msgspec.Struct, frozen=True):
    """Where a lot stands, as all are told."""

    id: str
    sku: str
    start_minor: Count
    steps: list[tuple[Count, Count]]
    soft_close_ms: Count
    price_minor: Count | None
    leader: str | None
    next_minor: Count
    bids: Count
    ends_sale_ms: int
    latest_sale_ms: int
    ends_at_ms: Count | None


class LotBid(LotTold, frozen=True):
    pass


class LotOpened(LotTold, frozen=True):
    stock: Levels


class LotMax(msgspec.Struct, frozen=True):
    id: str
    max_minor: Count


class LotClosed(msgspec.Struct, frozen=True):
    id: str
    sku: str
    winner: str | None
    price_minor: Count | None
    bids: Count
    stock: Levels


class LotCancelled(msgspec.Struct, frozen=True):
    id: str
    sku: str
    stock: Levels


class Line(msgspec.Struct, frozen=True):
    """`commission_bps` is told in an order of several lines, whose own is null when they differ."""

    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    unit_price_minor: Count
    price_version: Count
    flash: str | None
    price_reason: PriceReason | None = None  # not told by servers before rule 45
    lot: str | None = None
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
    state: str
    expires_at_ms: Count | None
    expires_sale_ms: int | None
    refunds: list[Refund]
    seq: int

    @property
    def lot(self) -> str | None:
        """The lot where it was won: such an order has one line."""
        return self.lines[0].lot

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


Body: TypeAlias = (
    ShowCreated
    | ShowState
    | EpochChanged
    | ProductUpdated
    | Restocked
    | Pinned
    | Unpinned
    | BagChanged
    | FlashPrice
    | PriceEnded
    | PriceUndone
    | ShowFlash
    | ShowFlashEnded
    | LotOpened
    | LotMax
    | LotBid
    | LotClosed
    | LotCancelled
    | Moderation
    | OrderChange
)

MOVING: Final = frozenset({"state", "expires_at_ms", "expires_sale_ms", "remaining_ms", "refunds", "seq"})
"""The members of an order that change during its life."""

ORDER_KINDS: Final = {
    "order.held": "held",
    "order.paying": "paying",
    "order.declined": "held",
    "order.paid": "paid",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
    "order.part_refund_due": "paid",
    "order.part_refunded": "paid",
    "order.refund_due": "refund_due",
    "order.refunded": "refunded",
}
"""What an order's entry is called, and the state it leads to."""

_KINDS: Final[dict[str, type[Body]]] = {
    "show.created": ShowCreated,
    "show.state": ShowState,
    "epoch": EpochChanged,
    "product.updated": ProductUpdated,
    "product.restocked": Restocked,
    "product.pinned": Pinned,
    "product.unpinned": Unpinned,
    "bag.changed": BagChanged,
    "price.flash": FlashPrice,
    "price.ended": PriceEnded,
    "price.undone": PriceUndone,
    "price.show_flash": ShowFlash,
    "price.show_ended": ShowFlashEnded,
    "lot.opened": LotOpened,
    "lot.max": LotMax,
    "lot.bid": LotBid,
    "lot.closed": LotClosed,
    "lot.cancelled": LotCancelled,
    "moderation": Moderation,
    **dict.fromkeys(ORDER_KINDS, OrderChange),
}
SILENT_KINDS: Final = frozenset({"member.set", "clock.offset", "lot.signal", "set.put", "set.dropped"})
"""Kinds that are known and bound by the rules for all entries only."""


def is_known(kind: str) -> bool:
    """Whether a rule may say something about entries of this kind."""
    return kind in _KINDS or kind in SILENT_KINDS


def read(entry: Entry) -> Body | None:
    """The body of an entry of a kind in the table; None for another. Raises msgspec.ValidationError."""
    kind = _KINDS.get(entry.kind)
    if kind is None:
        return None
    body = msgspec.convert(entry.body, kind)
    if isinstance(body, OrderChange):
        if wrong := _misshaped(body):
            raise msgspec.ValidationError(wrong)
        frozen = {name: value for name, value in entry.body["order"].items() if name not in MOVING}
        seen = body.seen_price_minor if len(body.order.lines) == 1 else body.seen_prices_minor
        terms = msgspec.json.encode([seen, frozen])
        return msgspec.structs.replace(body, terms=blake2b(terms, digest_size=16).digest())
    return body


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
    if any(line.lot for line in lines) or any(line.commission_bps is None for line in lines):
        return "one of several lines was won in an auction, or tells no commission"
    for refund in order.refunds:
        named = [line.sku for line in refund.lines]
        told = sum(line.quantity for line in refund.lines)
        if len(set(named)) < len(named) or not set(named) <= set(skus) or told != refund.quantity:
            return "the units of a refund are not those of its lines"
    return None
