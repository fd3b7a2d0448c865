"""A show's state as the contract shows it: built from one run of the snapshot script. Pure.

Deadlines are stored on the sale clock. `…_at_ms` here are server time and null while the show is frozen, when
`remaining_ms` says what is left; `…_sale_ms` are always there, so that a page can follow a freeze by itself.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

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


class RepeatView(msgspec.Struct, frozen=True):
    """A flash price that is the `n`th of `times` windows, from start to start `every_s` of the sale clock;
    `series` is the id of the first.
    """

    series: str
    n: int
    times: int
    every_s: int


class FlashView(msgspec.Struct, frozen=True):
    """A flash price that is announced or running."""

    id: str
    price_minor: int
    price_version: int
    starts_sale_ms: int
    ends_sale_ms: int
    starts_at_ms: int | None
    ends_at_ms: int | None
    remaining_ms: int | None
    quantity_left: int | None
    per_viewer_max: int | None
    repeat: RepeatView | None


class PriceReason(msgspec.Struct, frozen=True):
    """Why a price: the rule that gave it, and which of its kind (the list price: null)."""

    rule: Literal["list", "show_flash", "flash", "lot", "draw", "coupon"]
    id: str | None


class ShowFlashView(msgspec.Struct, frozen=True):
    """A reduction of the whole show that is announced or running; the products say what they cost in it."""

    id: str
    percent_off: int
    starts_sale_ms: int
    ends_sale_ms: int
    starts_at_ms: int | None
    ends_at_ms: int | None
    remaining_ms: int | None


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
    ts, sale_ms, show = int(reply[0]), int(reply[1]), _fields(reply[2])
    products = tuple(
        product_view(_fields(reply[i]), (int(reply[i + 1]), int(reply[i + 2]), reply[i + 3]), show, sale_ms)
        for i in range(5, len(reply), 4)
    )
    frozen_since_ms = _number(show, "frozen_since_ms") or None
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
        frozen_total_ms=_number(show, "frozen_total_ms"),
        frozen_since_ms=frozen_since_ms,
        starts_at_ms=_optional(show, "starts_at_ms"),
        pin=show.get("pin") or None,
        products=_with_parts(products),
        show_flash=_show_flash_view(show, sale_ms),
        lots=tuple(_lot_view(lot.decode(), _fields(fields), show, sale_ms) for lot, fields in reply[3]),
        draws=tuple(
            _draw_view(draw.decode(), _fields(fields), entries, show, sale_ms)
            for draw, fields, entries in reply[4]
        ),
        viewers=0,
        chat_mode=show["chat_mode"],
        slow_mode_s=_number(show, "slow_mode_s"),
        pinned_message=show.get("pinned_message") or None,
        test_mode=show.get("test_mode") == "1",
        epoch=show["epoch"],
        seq=_number(show, "seq"),
        public_seq=_number(show, "prev_public"),
        server_ms=ts,
        sale_ms=sale_ms,
        clock_offset_ms=_number(show, "clock_offset_ms"),
    )


def product_view(
    product: dict[str, str], in_force: tuple[int, int, bytes], show: dict[str, str], sale_ms: int
) -> ProductView:
    """One product's hash, and the price in force with its version and its reason (JSON), as a view."""
    price_minor, version, reason = in_force
    attributes: dict[str, Any] = msgspec.json.decode(product.get("attrs") or "{}")
    left = _number(product, "left")
    flash = _flash_view(product, show, sale_ms)
    return ProductView(
        sku=product["sku"],
        title=str(attributes.get("title", product["sku"])),
        price_minor=price_minor,
        list_price_minor=_number(product, "list_price_minor"),
        reference_price_minor=_reference(product, show, sale_ms, flash),
        price_version=version,
        price_reason=msgspec.json.decode(reason, type=PriceReason),
        left=left,
        held=_number(product, "held"),
        sold=_number(product, "sold"),
        sold_out=left <= 0,
        bucket=None,
        per_viewer_max=_optional(product, "per_viewer_max"),
        flash=flash,
        show_flash_price_minor=_show_flash_price(product, show, sale_ms),
        seller=product.get("seller") or None,
        commission_bps=_number(product, "commission_bps"),
        disclosure=attributes.get("disclosure"),
        image_url=attributes.get("image_url"),
        description=attributes.get("description"),
        stock_display=str(attributes.get("stock_display") or "exact"),
        parts=msgspec.convert(attributes.get("parts"), tuple[PartView, ...] | None),
        group=attributes.get("group"),
        options=attributes.get("options"),
        listed=not product.get("off"),
        waiting=_number(product, "waiting"),
    )


def _reference(
    product: dict[str, str], show: dict[str, str], sale_ms: int, flash: FlashView | None
) -> int | None:
    """As it was told last: of a flash price by its announcement, else with the list price, once that can be
    paid."""
    told = _optional(product, "reference_price_minor")
    if flash is not None or show["state"] == "scheduled":
        return told
    ended = _optional(product, "flash_price_minor")  # its window is over, which nobody has written yet
    in_force = [told, _number(product, "list_price_minor"), ended]
    if show.get("show_flash_id") == product.get("show_flash_id") and _show_flash_view(show, sale_ms) is None:
        in_force.append(_optional(product, "show_price_minor"))  # nor this, if it had begun
    return min(price for price in in_force if price is not None)


def _with_parts(products: tuple[ProductView, ...]) -> tuple[ProductView, ...]:
    """Bundles with what their parts leave of them."""
    left = {view.sku: view.left or 0 for view in products}

    def filled(view: ProductView) -> ProductView:
        if not view.parts:
            return view
        least = min(left.get(part.sku, 0) // part.quantity for part in view.parts)
        return msgspec.structs.replace(view, left=least, sold_out=least <= 0)

    return tuple(filled(view) for view in products)


def _flash_view(product: dict[str, str], show: dict[str, str], sale_ms: int) -> FlashView | None:
    if not product.get("flash_id"):
        return None
    starts_sale_ms = _number(product, "flash_starts_sale_ms")
    ends_sale_ms = _number(product, "flash_ends_sale_ms")
    if sale_ms >= ends_sale_ms:
        return None
    quantity = _optional(product, "flash_quantity")
    frozen_total_ms = _number(show, "frozen_total_ms")
    frozen = _number(show, "frozen_since_ms") > 0
    return FlashView(
        id=product["flash_id"],
        price_minor=_number(product, "flash_price_minor"),
        price_version=_number(product, "flash_version"),
        starts_sale_ms=starts_sale_ms,
        ends_sale_ms=ends_sale_ms,
        starts_at_ms=None if frozen else starts_sale_ms + frozen_total_ms,
        ends_at_ms=None if frozen else ends_sale_ms + frozen_total_ms,
        remaining_ms=ends_sale_ms - sale_ms if frozen else None,
        quantity_left=None if quantity is None else quantity - _number(product, "flash_used"),
        per_viewer_max=_optional(product, "flash_per_viewer_max"),
        repeat=_repeat_view(product),
    )


def _repeat_view(product: dict[str, str]) -> RepeatView | None:
    if not product.get("flash_series"):
        return None
    n, times, every_ms = (_number(product, f"flash_{name}") for name in ("n", "times", "every_ms"))
    return RepeatView(product["flash_series"], n, times, every_ms // 1000)


def _show_flash_view(show: dict[str, str], sale_ms: int) -> ShowFlashView | None:
    ends_sale_ms = _number(show, "show_flash_ends_sale_ms")
    if not show.get("show_flash_id") or sale_ms >= ends_sale_ms:
        return None
    starts_sale_ms = _number(show, "show_flash_starts_sale_ms")
    frozen_total_ms = _number(show, "frozen_total_ms")
    frozen = _number(show, "frozen_since_ms") > 0
    return ShowFlashView(
        id=show["show_flash_id"],
        percent_off=_number(show, "show_flash_percent"),
        starts_sale_ms=starts_sale_ms,
        ends_sale_ms=ends_sale_ms,
        starts_at_ms=None if frozen else starts_sale_ms + frozen_total_ms,
        ends_at_ms=None if frozen else ends_sale_ms + frozen_total_ms,
        remaining_ms=ends_sale_ms - sale_ms if frozen else None,
    )


def _show_flash_price(product: dict[str, str], show: dict[str, str], sale_ms: int) -> int | None:
    is_in_it = _show_flash_view(show, sale_ms) and product.get("show_flash_id") == show["show_flash_id"]
    return _number(product, "show_price_minor") if is_in_it else None


def _lot_view(lot: str, fields: dict[str, str], show: dict[str, str], sale_ms: int) -> LotView:
    ends_sale_ms = _number(fields, "ends")
    frozen = _number(show, "frozen_since_ms") > 0
    return LotView(
        id=lot,
        sku=fields["sku"],
        state=fields["state"],
        start_minor=_number(fields, "start_minor"),
        steps=msgspec.json.decode(fields["steps"], type=tuple[tuple[int, int], ...]),
        soft_close_ms=_number(fields, "soft_close_ms"),
        price_minor=_optional(fields, "price_minor"),
        leader=fields.get("leader") or None,
        next_minor=_number(fields, "next_minor"),
        bids=_number(fields, "bids"),
        ends_sale_ms=ends_sale_ms,
        latest_sale_ms=_number(fields, "latest"),
        ends_at_ms=None if frozen else ends_sale_ms + _number(show, "frozen_total_ms"),
        remaining_ms=ends_sale_ms - sale_ms if frozen else None,
    )


def _draw_view(
    draw: str, fields: dict[str, str], entries: int, show: dict[str, str], sale_ms: int
) -> DrawView:
    """One that is open or about to be drawn: there are no winners yet."""
    ends_sale_ms = _number(fields, "ends")
    frozen = _number(show, "frozen_since_ms") > 0
    return DrawView(
        id=draw,
        sku=fields["sku"],
        state=fields["state"],
        units=_number(fields, "units"),
        price_minor=_number(fields, "price_minor"),
        commitment=fields["commitment"],
        entries=entries,
        seed=None,
        winners=None,
        ends_sale_ms=ends_sale_ms,
        ends_at_ms=None if frozen else ends_sale_ms + _number(show, "frozen_total_ms"),
        remaining_ms=max(0, ends_sale_ms - sale_ms) if frozen else None,
    )


def _fields(flat: Sequence[bytes]) -> dict[str, str]:
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}


def _number(fields: dict[str, str], name: str) -> int:
    return int(fields.get(name) or 0)


def _optional(fields: dict[str, str], name: str) -> int | None:
    value = fields.get(name)
    return int(value) if value else None
