"""What the entries of each kind say, as far as a rule looks at it. Pure.

Fields that no rule needs are left out here and ignored when they come: a newer server may say more.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from server.log.entries import Entry
from server.verify.order_bodies import ORDER_KINDS, OrderChange, complete
from server.verify.price_bodies import (
    Campaign,
    CampaignEnded,
    FlashPrice,
    PriceEnded,
    PriceUndone,
    ShowFlash,
    ShowFlashEnded,
)
from server.verify.shapes import Count, Level, PriceReason


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
    hold_policy: Literal["hold", "pay_first", "lottery"] = "hold"
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
    hold_policy: str | None = None  # not told by servers before rule 51


class Unpinned(msgspec.Struct, frozen=True):
    sku: str


class BagChanged(msgspec.Struct, frozen=True):
    skus: tuple[str, ...]


class WaitJoined(msgspec.Struct, frozen=True):
    sku: str
    place: Annotated[int, msgspec.Meta(ge=1)]


class WaitLeft(msgspec.Struct, frozen=True):
    sku: str
    reason: Literal["asked", "limit", "banned"]


class Moderation(msgspec.Struct, frozen=True):
    action: str
    subject: str = ""


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


class DrawOpened(msgspec.Struct, frozen=True):
    id: str
    sku: str
    units: Annotated[int, msgspec.Meta(ge=1)]
    price_minor: Count
    commitment: str
    ends_sale_ms: int
    ends_at_ms: Count | None
    stock: Levels


class DrawEntered(msgspec.Struct, frozen=True):
    id: str


class DrawClosed(msgspec.Struct, frozen=True):
    id: str
    entries: Count


class DrawDrawn(msgspec.Struct, frozen=True):
    id: str
    seed: str
    winners: tuple[str, ...]
    passed: tuple[str, ...]
    stock: Levels


class DrawCancelled(msgspec.Struct, frozen=True):
    id: str
    stock: Levels


class CouponMade(msgspec.Struct, frozen=True):
    code: str
    percent_off: Count | None
    amount_off_minor: Count | None
    skus: tuple[str, ...] | None
    quantity: Count | None
    per_viewer_max: Count | None
    expires_at_ms: Count | None


class CouponEnded(msgspec.Struct, frozen=True):
    code: str


DrawBody = DrawOpened | DrawEntered | DrawClosed | DrawDrawn | DrawCancelled

Body: TypeAlias = (
    ShowCreated
    | ShowState
    | EpochChanged
    | ProductUpdated
    | Restocked
    | Pinned
    | Unpinned
    | BagChanged
    | WaitJoined
    | WaitLeft
    | FlashPrice
    | PriceEnded
    | PriceUndone
    | ShowFlash
    | ShowFlashEnded
    | Campaign
    | CampaignEnded
    | LotOpened
    | LotMax
    | LotBid
    | LotClosed
    | LotCancelled
    | DrawBody
    | CouponMade
    | CouponEnded
    | Moderation
    | OrderChange
)

_KINDS: Final[dict[str, type[Body]]] = {
    "show.created": ShowCreated,
    "show.state": ShowState,
    "epoch": EpochChanged,
    "product.updated": ProductUpdated,
    "product.restocked": Restocked,
    "product.pinned": Pinned,
    "product.unpinned": Unpinned,
    "bag.changed": BagChanged,
    "waitlist.joined": WaitJoined,
    "waitlist.left": WaitLeft,
    "price.flash": FlashPrice,
    "price.ended": PriceEnded,
    "price.undone": PriceUndone,
    "price.show_flash": ShowFlash,
    "price.show_ended": ShowFlashEnded,
    "price.campaign": Campaign,
    "price.campaign_ended": CampaignEnded,
    "lot.opened": LotOpened,
    "lot.max": LotMax,
    "lot.bid": LotBid,
    "lot.closed": LotClosed,
    "lot.cancelled": LotCancelled,
    "draw.opened": DrawOpened,
    "draw.entered": DrawEntered,
    "draw.closed": DrawClosed,
    "draw.drawn": DrawDrawn,
    "draw.cancelled": DrawCancelled,
    "coupon.made": CouponMade,
    "coupon.ended": CouponEnded,
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
    return complete(body, entry) if isinstance(body, OrderChange) else body
