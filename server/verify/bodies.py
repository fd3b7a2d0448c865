"""What the entries of each kind say, as far as a rule looks at it. Pure.

Fields that no rule needs are left out here and ignored when they come: a newer server may say more.
"""

from hashlib import blake2b
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

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


class ProductUpdated(msgspec.Struct, frozen=True):
    sku: str
    price_minor: Count
    list_price_minor: Count
    price_version: Count
    per_viewer_max: Count | None
    seller: str
    commission_bps: Count


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


class PriceEnded(msgspec.Struct, frozen=True):
    id: str
    sku: str
    price_minor: Count
    price_version: Count
    reason: Literal["window", "stopped", "quantity"]


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
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    unit_price_minor: Count
    price_version: Count
    flash: str | None
    lot: str | None = None


class Refund(msgspec.Struct, frozen=True):
    """`quantity` units came back with it."""

    id: str
    amount_minor: Count
    quantity: Count
    restock: bool
    due_at_ms: Count
    done_at_ms: Count | None


class OrderView(msgspec.Struct, frozen=True):
    """An order of one line."""

    id: str
    show: str
    seller: str
    creator: str
    lines: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=1)]
    sku: str
    quantity: int
    unit_price_minor: int
    goods_minor: Count
    shipping_minor: Count
    tax_minor: Count
    total_minor: Count
    commission_bps: Count
    commission_minor: Count
    currency: str
    placed_at_ms: Count
    state: str
    expires_at_ms: Count | None
    expires_sale_ms: int | None
    refunds: list[Refund]
    seq: int

    @property
    def line(self) -> Line:
        return self.lines[0]


class OrderChange(msgspec.Struct, frozen=True):
    """Any entry of kind `order.…`. `terms` is a digest of everything in it that never changes."""

    order: OrderView
    stock: Levels
    seen_price_minor: Count
    attempt: Count
    paid_by: Count
    terms: bytes = b""


Body: TypeAlias = (
    ShowCreated
    | ShowState
    | EpochChanged
    | ProductUpdated
    | Restocked
    | Pinned
    | Unpinned
    | FlashPrice
    | PriceEnded
    | PriceUndone
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
    "price.flash": FlashPrice,
    "price.ended": PriceEnded,
    "price.undone": PriceUndone,
    "lot.opened": LotOpened,
    "lot.max": LotMax,
    "lot.bid": LotBid,
    "lot.closed": LotClosed,
    "lot.cancelled": LotCancelled,
    "moderation": Moderation,
    **dict.fromkeys(ORDER_KINDS, OrderChange),
}
SILENT_KINDS: Final = frozenset({"member.set", "clock.offset", "lot.signal"})
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
        frozen = {name: value for name, value in entry.body["order"].items() if name not in MOVING}
        terms = msgspec.json.encode([body.seen_price_minor, frozen])
        return msgspec.structs.replace(body, terms=blake2b(terms, digest_size=16).digest())
    return body
