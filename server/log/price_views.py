"""A show's reductions as the contract shows them, built from the hashes of the show and of a product. Pure.

What is announced or running is shown, not what is over and nobody has written yet. Which price is in force is
said by the script that reads the hashes.
"""

from typing import Literal, NamedTuple

import msgspec

from server.log.hashes import number, optional

Hash = dict[str, str]


class Now(NamedTuple):
    """The moment of the read, on the server's clock and on the sale clock."""

    server_ms: int
    sale_ms: int


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

    rule: Literal["list", "campaign", "show_flash", "flash", "lot", "draw", "coupon"]
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


class CampaignView(msgspec.Struct, frozen=True):
    """A campaign that is announced or running, between two instants of server time. `percent_off` None: each
    product says what it costs in it.
    """

    id: str
    title: str
    percent_off: int | None
    starts_at_ms: int
    ends_at_ms: int


def flash_view(product: Hash, show: Hash, now: Now) -> FlashView | None:
    """A product's own flash price."""
    if not product.get("flash_id"):
        return None
    starts_sale_ms = number(product, "flash_starts_sale_ms")
    ends_sale_ms = number(product, "flash_ends_sale_ms")
    if now.sale_ms >= ends_sale_ms:
        return None
    quantity = optional(product, "flash_quantity")
    frozen_total_ms = number(show, "frozen_total_ms")
    frozen = number(show, "frozen_since_ms") > 0
    return FlashView(
        id=product["flash_id"],
        price_minor=number(product, "flash_price_minor"),
        price_version=number(product, "flash_version"),
        starts_sale_ms=starts_sale_ms,
        ends_sale_ms=ends_sale_ms,
        starts_at_ms=None if frozen else starts_sale_ms + frozen_total_ms,
        ends_at_ms=None if frozen else ends_sale_ms + frozen_total_ms,
        remaining_ms=ends_sale_ms - now.sale_ms if frozen else None,
        quantity_left=None if quantity is None else quantity - number(product, "flash_used"),
        per_viewer_max=optional(product, "flash_per_viewer_max"),
        repeat=_repeat_view(product),
    )


def _repeat_view(product: Hash) -> RepeatView | None:
    if not product.get("flash_series"):
        return None
    n, times, every_ms = (number(product, f"flash_{name}") for name in ("n", "times", "every_ms"))
    return RepeatView(product["flash_series"], n, times, every_ms // 1000)


def show_flash_view(show: Hash, now: Now) -> ShowFlashView | None:
    """The flash price of the whole show."""
    ends_sale_ms = number(show, "show_flash_ends_sale_ms")
    if not show.get("show_flash_id") or now.sale_ms >= ends_sale_ms:
        return None
    starts_sale_ms = number(show, "show_flash_starts_sale_ms")
    frozen_total_ms = number(show, "frozen_total_ms")
    frozen = number(show, "frozen_since_ms") > 0
    return ShowFlashView(
        id=show["show_flash_id"],
        percent_off=number(show, "show_flash_percent"),
        starts_sale_ms=starts_sale_ms,
        ends_sale_ms=ends_sale_ms,
        starts_at_ms=None if frozen else starts_sale_ms + frozen_total_ms,
        ends_at_ms=None if frozen else ends_sale_ms + frozen_total_ms,
        remaining_ms=ends_sale_ms - now.sale_ms if frozen else None,
    )


def campaign_view(show: Hash, now: Now) -> CampaignView | None:
    """The campaign."""
    ends_at_ms = number(show, "campaign_ends_ms")
    if not show.get("campaign_id") or now.server_ms >= ends_at_ms:
        return None
    return CampaignView(
        id=show["campaign_id"],
        title=show["campaign_title"],
        percent_off=optional(show, "campaign_percent"),
        starts_at_ms=number(show, "campaign_starts_ms"),
        ends_at_ms=ends_at_ms,
    )


class InReductions(NamedTuple):
    """What a product costs in the reductions of the whole show that it is in."""

    campaign: int | None
    show_flash: int | None


def prices_in_reductions(product: Hash, show: Hash, now: Now) -> InReductions:
    """In those that are announced or running."""
    kept = _kept_prices(product, show)
    return InReductions(
        kept.campaign if campaign_view(show, now) else None,
        kept.show_flash if show_flash_view(show, now) else None,
    )


def _kept_prices(product: Hash, show: Hash) -> InReductions:
    def price(reduction: str, name: str) -> int | None:
        is_in_it = show.get(reduction) and product.get(reduction) == show[reduction]
        return number(product, name) if is_in_it else None

    return InReductions(
        price("campaign_id", "campaign_price_minor"), price("show_flash_id", "show_price_minor")
    )


def reference_price(
    product: Hash, show: Hash, now: Now, flash: FlashView | None, below_minor: int
) -> int | None:
    """As it was told last: of a flash price by its announcement, else with what the reductions are taken off
    (`below_minor`), and what was in force until a window was over, which nobody has written yet; once that
    can be paid.
    """
    told = optional(product, "reference_price_minor")
    if flash is not None or show["state"] == "scheduled":
        return told
    running = prices_in_reductions(product, show, now)
    over = [kept for kept, runs in zip(_kept_prices(product, show), running, strict=True) if runs is None]
    prices = (told, below_minor, optional(product, "flash_price_minor"), *over)
    return min(price for price in prices if price is not None)
