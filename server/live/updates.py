"""What each update carries: the `data` of the envelope, by type. Pure declarations.

The updates that this side makes itself are built from these types. Those that come from the log pass
through as the scripts wrote them (only `moderation` is reduced); for them the types here are the promise,
which a test holds against real entries. The AsyncAPI document is generated from this module.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from server.live.chat_feed import ChatLine
from server.log.price_views import CampaignView, PriceReason, RepeatView, ShowFlashView
from server.log.state import DrawView, LotView, PartView, ShowSnapshot


class Hello(msgspec.Struct, frozen=True):
    """The first update of a connection. `subject` and `pid` are null for one who only watches.

    `may` lists what the viewer may do here (`chat`, `react`, `buy`); `resumed`: the entries after the
    place that the viewer named follow, else a snapshot does.
    """

    version: int
    subject: str | None
    pid: str | None
    role: str
    name: str | None
    may: list[str]
    tick_ms: int
    limits: dict[str, int]
    server_ms: int
    resumed: bool


class Snapshot(ShowSnapshot, frozen=True, kw_only=True):
    """The show's whole state, as `GET /api/v1/shows/{show}`, and the last chat lines, oldest first."""

    chat: list[ChatLine]


class ShowState(msgspec.Struct, frozen=True):
    """The show's life and flags. The sale clock stands still while `frozen`."""

    state: Literal["scheduled", "live", "paused", "ended"]
    sales_paused: bool
    video_blanked: bool
    frozen: bool
    host_away: bool
    frozen_total_ms: int
    frozen_since_ms: int | None
    reason: str | UnsetType = UNSET


class ProductPinned(msgspec.Struct, frozen=True):
    """The product that is shown."""

    sku: str
    title: str | None
    price_minor: int
    image_url: str | None
    disclosure: str | None
    hold_policy: str = "hold"


class ProductUnpinned(msgspec.Struct, frozen=True):
    """No product is shown any more; this one was."""

    sku: str


class BagChanged(msgspec.Struct, frozen=True):
    """The products that are for sale from now on, in order; those that are not named are not."""

    skus: list[str]


class PriceFlash(msgspec.Struct, frozen=True):
    """A flash price: in force from `starts` (inclusive) to `ends` (exclusive) on the sale clock.

    When it is announced, `confirmed` tells that it takes more than 70 % off the list price, on purpose.
    """

    id: str
    sku: str
    price_minor: int
    list_price_minor: int
    price_version: int
    starts_at_ms: int | None
    ends_at_ms: int | None
    starts_sale_ms: int
    ends_sale_ms: int
    remaining_ms: int | None
    quantity: int | None
    quantity_left: int | None
    per_viewer_max: int | None
    reference_price_minor: int | None
    """The lowest price of the 30 days before: the only one that may be struck through."""
    confirmed: bool | None = None
    earlier_prices: list[tuple[int, int]] | UnsetType = UNSET
    repeat: RepeatView | UnsetType | None = UNSET
    """Null: it is not one of several windows."""


class ShowFlashPrice(msgspec.Struct, frozen=True):
    """What one product costs in a reduction of the whole show, or in a campaign."""

    sku: str
    price_minor: int
    list_price_minor: int
    reference_price_minor: int | None
    earlier_prices: list[tuple[int, int]] | UnsetType = UNSET


class PriceShowFlash(ShowFlashView, frozen=True, kw_only=True):
    """A reduction of the whole show: where a product has no flash price of its own, in force from `starts`
    (inclusive) to `ends` (exclusive) on the sale clock.
    """

    confirmed: bool
    prices: list[ShowFlashPrice]


class PriceCampaign(CampaignView, frozen=True, kw_only=True):
    """A campaign: where no flash price, of a product or of the show, goes before it, in force from
    `starts_at_ms` (inclusive) to `ends_at_ms` (exclusive), whether the show is frozen or not.
    """

    confirmed: bool
    prices: list[ShowFlashPrice]


class PriceAfter(msgspec.Struct, frozen=True):
    """What a product costs from now on."""

    sku: str
    price_minor: int
    price_version: int
    price_reason: PriceReason
    reference_price_minor: int | None


class PriceShowEnded(msgspec.Struct, frozen=True):
    """A reduction of the whole show, or a campaign, is over; `show_ended`: the show was over before."""

    id: str
    reason: Literal["window", "stopped", "show_ended"]
    prices: list[PriceAfter]


class PriceEnded(msgspec.Struct, frozen=True):
    """A flash price is over; `price_minor` is the price from now on, `reference_price_minor` the lowest
    of the last 30 days.
    """

    id: str
    sku: str
    price_minor: int
    price_version: int
    price_reason: PriceReason
    reference_price_minor: int | None
    reason: str | UnsetType = UNSET
    repeat: Literal["goes_on", "done", "stopped", "show_ended", "withdrawn"] | UnsetType = UNSET
    """Of a flash price in several windows: the next entry announces the next one, or why there is none."""


class LotClosed(msgspec.Struct, frozen=True):
    """A lot's time is over: `winner` (a pid) has it at `price_minor`, and an order to pay; both null without
    a bid.
    """

    id: str
    sku: str
    winner: str | None
    price_minor: int | None
    bids: int


class LotCancelled(msgspec.Struct, frozen=True):
    """A lot was taken back; nobody buys it."""

    id: str
    sku: str
    reason: str


class DrawClosed(msgspec.Struct, frozen=True):
    """Nobody enters any more: so many have. The seed follows."""

    id: str
    sku: str
    entries: int


class DrawDrawn(msgspec.Struct, frozen=True):
    """A draw's seed, and the pids that it called: those who have one now, and those passed over."""

    id: str
    sku: str
    seed: str
    winners: list[str]
    passed: list[str]


class DrawCancelled(msgspec.Struct, frozen=True):
    """A draw was taken back; nobody wins."""

    id: str
    sku: str
    reason: str


class DrawEntered(msgspec.Struct, frozen=True):
    """One has entered a draw oneself."""

    id: str
    sku: str


class Stock(msgspec.Struct, frozen=True):
    """A product's stock, as far as its `stock_display` shows it: numbers, a bucket, or only whether it is
    sold out.
    """

    sku: str
    sold_out: bool
    left: int | UnsetType = UNSET
    held: int | UnsetType = UNSET
    sold: int | UnsetType = UNSET
    bucket: Literal["in_stock", "low", "sold_out"] | UnsetType = UNSET
    waiting: int | UnsetType = UNSET
    """How many stand in line for it; missing when nobody does."""


class Moderation(msgspec.Struct, frozen=True):
    """An act of moderation. `subject` (a pid), `reason` and `until_ms` reach staff and the target only, and
    `actor` staff alone.
    """

    action: str
    message_ids: list[str] | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    seconds: int | UnsetType = UNSET
    mode: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    actor: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    until_ms: int | UnsetType = UNSET


class Tick(msgspec.Struct, frozen=True):
    """`head` is the newest public seq: one who has less has lost something. Reactions are those since the
    last tick.
    """

    head: int
    viewers: int
    reactions: dict[str, int]
    chat: list[ChatLine]
    chat_skipped: int


class Clock(msgspec.Struct, frozen=True):
    """This frame of this publication has this server time; the same for all its viewers."""

    publication: str
    rtp_timestamp: int
    server_ms: int


class Drain(msgspec.Struct, frozen=True):
    """The server is about to stop: come back after this time, plus some chance."""

    reconnect_after_ms: int


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that the viewer sent was not done."""

    code: str
    message: str
    cid: str = ""
    retry_after_ms: int = 0


class Pong(msgspec.Struct, frozen=True):
    """The answer to `ping`."""

    t: int | float
    server_ms: int


class ProductUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A product was made or changed; without its stock, which `stock` tells.

    `earlier_prices`: of the seller's other shows, each with its last day (since 1970, UTC), where the price
    record has them from now on.
    """

    sku: str
    title: str
    price_minor: int
    list_price_minor: int
    reference_price_minor: int | None
    price_version: int
    price_reason: PriceReason
    per_viewer_max: int | None
    flash: PriceFlash | None
    seller: str
    commission_bps: int
    disclosure: str | UnsetType | None = UNSET
    image_url: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    hold_policy: str = "hold"
    stock_display: str | UnsetType = UNSET
    parts: list[PartView] | UnsetType = UNSET
    """Of a bundle."""
    group: str | UnsetType | None = UNSET
    options: dict[str, str] | UnsetType | None = UNSET
    earlier_prices: list[tuple[int, int]] | UnsetType = UNSET


class WaitlistJoined(msgspec.Struct, frozen=True):
    """One's own place in line for a product: when its turn has come, an `order` follows."""

    sku: str
    place: int


class WaitlistLeft(msgspec.Struct, frozen=True):
    """One stands in line no more: one asked for it, has all that one may have (`limit`), or is banned."""

    sku: str
    reason: Literal["asked", "limit", "banned"]


Order = dict[str, Any]
"""As the orders API answers."""

UPDATES: Final[dict[str, Any]] = {
    "hello": Hello,
    "snapshot": Snapshot,
    "show.state": ShowState,
    "product.updated": ProductUpdated,
    "product.pinned": ProductPinned,
    "product.unpinned": ProductUnpinned,
    "bag.changed": BagChanged,
    "price.flash": PriceFlash,
    "price.ended": PriceEnded,
    "price.show_flash": PriceShowFlash,
    "price.show_ended": PriceShowEnded,
    "price.campaign": PriceCampaign,
    "price.campaign_ended": PriceShowEnded,
    "lot.opened": LotView,
    "lot.bid": LotView,
    "lot.closed": LotClosed,
    "lot.cancelled": LotCancelled,
    "stock": Stock,
    "draw.opened": DrawView,
    "draw.closed": DrawClosed,
    "draw.drawn": DrawDrawn,
    "draw.cancelled": DrawCancelled,
    "order": Order,
    "waitlist.joined": WaitlistJoined,
    "waitlist.left": WaitlistLeft,
    "draw.entered": DrawEntered,
    "moderation": Moderation,
    "tick": Tick,
    "clock": Clock,
    "drain": Drain,
    "error": Failure,
    "pong": Pong,
}
"""Every type of update that has a promise. Others may be added: a page ignores what it does not know."""
CHAINED: Final = frozenset(
    {
        "show.state",
        "product.updated",
        "product.pinned",
        "product.unpinned",
        "bag.changed",
        "price.flash",
        "price.ended",
        "price.show_flash",
        "price.show_ended",
        "price.campaign",
        "price.campaign_ended",
        "lot.opened",
        "lot.bid",
        "lot.closed",
        "lot.cancelled",
        "draw.opened",
        "draw.closed",
        "draw.drawn",
        "draw.cancelled",
        "moderation",
    }
)
"""Those that are public log entries: with `seq`, `prev` and `at_ms`."""
