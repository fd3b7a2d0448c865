"""A show's state as the contract shows it: built from one run of the snapshot script. Pure.

Deadlines are stored on the sale clock. `…_at_ms` here are server time and null while the show is frozen, when
`remaining_ms` says what is left; `…_sale_ms` are always there, so that a page can follow a freeze by itself.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from server.log.hashes import number, optional
from server.log.price_views import (
    CampaignView,
    FlashView,
    Now,
    PriceReason,
    ShowFlashView,
    campaign_view,
    flash_view,
    prices_in_reductions,
    reference_price,
    show_flash_view,
)

LOW_STOCK_UNITS = 10
"""From here down a product that shows its stock as a bucket says `low`."""


class SaleClock(msgspec.Struct, frozen=True):
    """Server time less all frozen time; it stands still while the show is frozen. Deadlines are stored on it.

    `frozen_since_ms` is server time, None while it runs. The prelude's `refreeze` does the same.
    """

    frozen_total_ms: int = 0
    frozen_since_ms: int | None = None

    def at(self, server_ms: int) -> int:
        """The sale time at a server time not before the last `turn`."""
        until_ms = server_ms if self.frozen_since_ms is None else self.frozen_since_ms
        return until_ms - self.frozen_total_ms

    def turn(self, server_ms: int, *, frozen: bool) -> "SaleClock":
        """Frozen or running from `server_ms` on; sale time itself does not change by that."""
        if frozen and self.frozen_since_ms is None:
            return SaleClock(self.frozen_total_ms, server_ms)
        if not frozen and self.frozen_since_ms is not None:
            return SaleClock(self.frozen_total_ms + server_ms - self.frozen_since_ms)
        return self


def is_frozen(state: str, *, sales_paused: bool, video_blanked: bool, host_away: bool) -> bool:
    """Does the sale clock stand still? An ended show's runs on, or its holds would never expire."""
    return state == "paused" or (state == "live" and (sales_paused or video_blanked or host_away))


class PartView(msgspec.Struct, frozen=True):
    """So many units of another product, in each unit of a bundle."""

    sku: str
    quantity: int


class ProductView(msgspec.Struct, frozen=True):
    """A product. `left + held + sold` are None and `bucket` is set where its `stock_display` hides the
    numbers. A bundle has `parts`; `left` is how many of it there can be, and it has no `held` and `sold`.
    """

    sku: str
    title: str
    price_minor: int
    list_price_minor: int
    reference_price_minor: int | None
    price_version: int
    price_reason: PriceReason
    left: int | None
    held: int | None
    sold: int | None
    sold_out: bool
    bucket: str | None
    per_viewer_max: int | None
    flash: FlashView | None
    show_flash_price_minor: int | None
    """In the reduction of the whole show; None: not in it, or there is none."""
    campaign_price_minor: int | None
    """In the campaign, likewise."""
    seller: str | None
    commission_bps: int
    disclosure: str | None
    image_url: str | None
    description: str | None
    stock_display: str
    parts: tuple[PartView, ...] | None = None
    group: str | None = None
    options: dict[str, str] | None = None
    listed: bool = True
    """Whether it is in the show's bag: for sale, and seen."""
    waiting: int = 0
    """How many stand in line for it."""
    hold_policy: str = "hold"
    """When its units are reserved: with the order, with its payment, or by lottery."""


class LotView(msgspec.Struct, frozen=True):
    """A lot of an auction. `leader` (a pid) pays `price_minor` if nobody bids `next_minor` or more before its
    end; both are None without a bid. `steps` are rows of (from price, step).
    """

    id: str
    sku: str
    state: str
    start_minor: int
    steps: tuple[tuple[int, int], ...]
    soft_close_ms: int
    price_minor: int | None
    leader: str | None
    next_minor: int
    bids: int
    ends_sale_ms: int
    latest_sale_ms: int
    ends_at_ms: int | None
    remaining_ms: int | None


class DrawView(msgspec.Struct, frozen=True):
    """A draw: `units` for those whom a seed calls. `seed` and `winners` (pids) are told when it is drawn.

    `state` is `open`, `closed` (nobody enters any more), `drawn` or `cancelled`; `price_minor` 0: a giveaway.
    """

    id: str
    sku: str
    state: str
    units: int
    price_minor: int
    commitment: str
    entries: int
    seed: str | None
    winners: tuple[str, ...] | None
    ends_sale_ms: int
    ends_at_ms: int | None
    remaining_ms: int | None


class ShowSnapshot(msgspec.Struct, frozen=True):
    """A show at one instant. `seq` is the log's head at the read, `public_seq` the newest public entry's."""

    id: str
    title: str
    currency: str
    owner: str
    guests: str
    state: str
    sales_paused: bool
    video_blanked: bool
    host_away: bool
    frozen: bool
    frozen_total_ms: int
    frozen_since_ms: int | None
    starts_at_ms: int | None
    pin: str | None
    products: tuple[ProductView, ...]
    show_flash: ShowFlashView | None
    campaign: CampaignView | None
    lots: tuple[LotView, ...]
    draws: tuple[DrawView, ...]
    viewers: int
    chat_mode: str
    slow_mode_s: int
    pinned_message: str | None
    test_mode: bool
    epoch: str
    seq: int
    public_seq: int
    server_ms: int
    sale_ms: int
    clock_offset_ms: int

    def for_public(self) -> "ShowSnapshot":
        """The same with stock numbers only where the product shows them."""
        return msgspec.structs.replace(self, products=tuple(public_product(view) for view in self.products))


def stock_view(
    sku: str, left: int, held: int, sold: int, stock_display: str, *, waiting: int = 0
) -> dict[str, Any]:
    """What a viewer may know of a product's stock, as the data of a `stock` update.

    `exact`: the numbers; `bucket`: `in_stock`, `low` or `sold_out`; `hidden`: only whether it is sold out.
    """
    view: dict[str, Any] = {"sku": sku, "sold_out": left <= 0}
    if stock_display == "exact":
        view.update(left=left, held=held, sold=sold)
    elif stock_display == "bucket":
        view["bucket"] = bucket_of(left)
    if waiting:
        view["waiting"] = waiting
    return view


def bucket_of(left: int) -> str:
    """`sold_out`, `low` or `in_stock`."""
    if left <= 0:
        return "sold_out"
    return "low" if left <= LOW_STOCK_UNITS else "in_stock"


def public_product(view: ProductView) -> ProductView:
    """The product as a viewer may see it."""
    if view.stock_display == "exact" or view.left is None:
        return view
    bucket = bucket_of(view.left) if view.stock_display == "bucket" else None
    return msgspec.structs.replace(view, left=None, held=None, sold=None, bucket=bucket)


def build(reply: Sequence[Any]) -> ShowSnapshot:
    """The snapshot script's reply (after its status) as a snapshot with every number in it."""
    now, show = Now(int(reply[0]), int(reply[1])), _fields(reply[2])
    ts, sale_ms = now
    products = tuple(
        product_view(_fields(reply[i]), reply[i + 1 : i + 5], show, now) for i in range(5, len(reply), 5)
    )
    frozen_since_ms = number(show, "frozen_since_ms") or None
    return ShowSnapshot(
        id=show["id"],
        title=show["title"],
        currency=show["currency"],
        owner=show["owner"],
        guests=show["guests"],
        state=show["state"],
        sales_paused=show["sales_paused"] == "1",
        video_blanked=show["video_blanked"] == "1",
        host_away=show["host_away"] == "1",
        frozen=frozen_since_ms is not None,
        frozen_total_ms=number(show, "frozen_total_ms"),
        frozen_since_ms=frozen_since_ms,
        starts_at_ms=optional(show, "starts_at_ms"),
        pin=show.get("pin") or None,
        products=_with_parts(products),
        show_flash=show_flash_view(show, now),
        campaign=campaign_view(show, now),
        lots=tuple(_lot_view(lot.decode(), _fields(fields), show, sale_ms) for lot, fields in reply[3]),
        draws=tuple(
            _draw_view(draw.decode(), _fields(fields), entries, show, sale_ms)
            for draw, fields, entries in reply[4]
        ),
        viewers=0,
        chat_mode=show["chat_mode"],
        slow_mode_s=number(show, "slow_mode_s"),
        pinned_message=show.get("pinned_message") or None,
        test_mode=show.get("test_mode") == "1",
        epoch=show["epoch"],
        seq=number(show, "seq"),
        public_seq=number(show, "prev_public"),
        server_ms=ts,
        sale_ms=sale_ms,
        clock_offset_ms=number(show, "clock_offset_ms"),
    )


def product_view(
    product: dict[str, str], in_force: Sequence[Any], show: dict[str, str], now: Now
) -> ProductView:
    """One product's hash, and the price in force with its version, its reason (JSON) and what reductions are
    taken off, as a view.
    """
    price_minor, version, reason, below_minor = in_force
    attributes: dict[str, Any] = msgspec.json.decode(product.get("attrs") or "{}")
    left = number(product, "left")
    flash = flash_view(product, show, now)
    of_show = prices_in_reductions(product, show, now)
    return ProductView(
        sku=product["sku"],
        title=str(attributes.get("title", product["sku"])),
        price_minor=int(price_minor),
        list_price_minor=number(product, "list_price_minor"),
        reference_price_minor=reference_price(product, show, now, flash, int(below_minor)),
        price_version=int(version),
        price_reason=msgspec.json.decode(reason, type=PriceReason),
        left=left,
        held=number(product, "held"),
        sold=number(product, "sold"),
        sold_out=left <= 0,
        bucket=None,
        per_viewer_max=optional(product, "per_viewer_max"),
        flash=flash,
        show_flash_price_minor=of_show.show_flash,
        campaign_price_minor=of_show.campaign,
        seller=product.get("seller") or None,
        commission_bps=number(product, "commission_bps"),
        disclosure=attributes.get("disclosure"),
        image_url=attributes.get("image_url"),
        description=attributes.get("description"),
        stock_display=str(attributes.get("stock_display") or "exact"),
        parts=msgspec.convert(attributes.get("parts"), tuple[PartView, ...] | None),
        group=attributes.get("group"),
        options=attributes.get("options"),
        listed=not product.get("off"),
        waiting=number(product, "waiting"),
        hold_policy=product.get("hold_policy") or "hold",
    )


def _with_parts(products: tuple[ProductView, ...]) -> tuple[ProductView, ...]:
    """Bundles with what their parts leave of them."""
    left = {view.sku: view.left or 0 for view in products}

    def filled(view: ProductView) -> ProductView:
        if not view.parts:
            return view
        least = min(left.get(part.sku, 0) // part.quantity for part in view.parts)
        return msgspec.structs.replace(view, left=least, sold_out=least <= 0)

    return tuple(filled(view) for view in products)


def _lot_view(lot: str, fields: dict[str, str], show: dict[str, str], sale_ms: int) -> LotView:
    ends_sale_ms = number(fields, "ends")
    frozen = number(show, "frozen_since_ms") > 0
    return LotView(
        id=lot,
        sku=fields["sku"],
        state=fields["state"],
        start_minor=number(fields, "start_minor"),
        steps=msgspec.json.decode(fields["steps"], type=tuple[tuple[int, int], ...]),
        soft_close_ms=number(fields, "soft_close_ms"),
        price_minor=optional(fields, "price_minor"),
        leader=fields.get("leader") or None,
        next_minor=number(fields, "next_minor"),
        bids=number(fields, "bids"),
        ends_sale_ms=ends_sale_ms,
        latest_sale_ms=number(fields, "latest"),
        ends_at_ms=None if frozen else ends_sale_ms + number(show, "frozen_total_ms"),
        remaining_ms=ends_sale_ms - sale_ms if frozen else None,
    )


def _draw_view(
    draw: str, fields: dict[str, str], entries: int, show: dict[str, str], sale_ms: int
) -> DrawView:
    """One that is open or about to be drawn: there are no winners yet."""
    ends_sale_ms = number(fields, "ends")
    frozen = number(show, "frozen_since_ms") > 0
    return DrawView(
        id=draw,
        sku=fields["sku"],
        state=fields["state"],
        units=number(fields, "units"),
        price_minor=number(fields, "price_minor"),
        commitment=fields["commitment"],
        entries=entries,
        seed=None,
        winners=None,
        ends_sale_ms=ends_sale_ms,
        ends_at_ms=None if frozen else ends_sale_ms + number(show, "frozen_total_ms"),
        remaining_ms=max(0, ends_sale_ms - sale_ms) if frozen else None,
    )


def _fields(flat: Sequence[bytes]) -> dict[str, str]:
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
