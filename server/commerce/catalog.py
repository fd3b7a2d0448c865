"""What is for sale: products, stock, the pin and flash prices. Each call is one script; no rule stands here.

`ProductSpec` and `FlashSpec` are the contract's request bodies with their bounds, so that the edge decodes
straight into them; whoever builds them otherwise is checked by `problems`.
"""

from typing import Annotated, Final, Literal

import msgspec

from server.commerce.asking import run_for
from server.commerce.model_records import HoldPolicy
from server.commerce.money import STOCK_MAX, CommissionBps, PriceMinor, Quantity, Stock
from server.commerce.price_history import PriceHistory
from server.ids import is_sku, new_id
from server.store.outcome import Refused
from server.store.resp import Arg
from server.store.store import Store
from server.tokens import Principal

PRODUCTS_MAX: Final = 500  # a snapshot carries them all
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=280)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many units of another product, in each unit of a bundle."""

    sku: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=100)]


PARTS_MAX: Final = 20
OPTIONS_MAX: Final = 5
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[^;=]+$")]


class ProductSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product as its seller describes it.

    `stock` only when it is new; `seller` is a pid (default: the owner). With `parts` it is a bundle: it has
    the stock of its parts and none of its own; they never change. Products of one `group` are variants of one
    thing, and `options` says which each is. `hold_policy`: whether an order reserves its units at once, when
    its buyer begins to pay, or is never taken, because they go by lottery.
    """

    title: Text
    price_minor: PriceMinor
    stock: Stock | None = None
    per_viewer_max: Quantity | None = None
    floor_minor: PriceMinor | None = None
    cost_minor: PriceMinor | None = None
    seller: str | None = None
    commission_bps: CommissionBps = 0
    disclosure: Text | None = None
    stock_display: Literal["exact", "bucket", "hidden"] = "exact"
    image_url: Url | None = None
    description: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=PARTS_MAX)] | None = None
    group: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    options: Annotated[dict[Word, Word], msgspec.Meta(min_length=1, max_length=OPTIONS_MAX)] | None = None
    hold_policy: HoldPolicy = "hold"


class RepeatSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flash price in several windows: `times` in all, from start to start `every_s` of the sale clock."""

    every_s: Annotated[int, msgspec.Meta(ge=6, le=86_400)]
    times: Annotated[int, msgspec.Meta(ge=2, le=100)]


class FlashSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A flash price: for how long, from when, how many in all and for one viewer.

    It is a price or a percentage off the list price, one of the two. `confirm`: what it may cost is known.
    `repeat`: every window is a flash price of its own, announced when the one before it has ended, with a
    quantity of its own; from start to start is at least `starts_in_s`, `duration_s` and one second.
    """

    sku: str
    price_minor: PriceMinor | None = None
    percent_off: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None
    duration_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)]
    starts_in_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 0
    quantity: Annotated[int, msgspec.Meta(ge=1, le=STOCK_MAX)] | None = None
    per_viewer_max: Quantity | None = None
    repeat: RepeatSpec | None = None
    confirm: bool = False


class ProductPut(msgspec.Struct, frozen=True):
    """The product stands. `json` is what staff may see of it."""

    is_new: bool
    json: bytes


class Restocked(msgspec.Struct, frozen=True):
    """`json` is `{sku, left, held, sold}`."""

    json: bytes


class Pinned(msgspec.Struct, frozen=True):
    """`json` is the data of `product.pinned`."""

    json: bytes


class Unpinned(msgspec.Struct, frozen=True):
    """Nothing is pinned."""


class FlashStarted(msgspec.Struct, frozen=True):
    """`json` is the data of `price.flash`."""

    json: bytes


class FlashStopped(msgspec.Struct, frozen=True):
    """The flash price is over."""


class Catalog:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history = PriceHistory(store)

    async def put_product(
        self, show: str, principal: Principal, sku: str, spec: ProductSpec, *, idempotency_key: str = ""
    ) -> ProductPut | Refused:
        """Create or change a product.

        Refusals: bad_request, forbidden, use_restock, below_floor, too_many_products, flash_running (the
        price cannot change under an announced flash price), bad_part, bundle_is_fixed, policy_pinned.
        """
        if refused := problems(spec) or (None if is_sku(sku) else Refused("bad_request", {"field": "sku"})):
            return refused
        if wrong := contradiction(spec):
            return Refused("bad_request", {"field": wrong})
        earlier = await self._history.elsewhere(show, principal, "edit_product", {sku: spec.seller or ""})
        if isinstance(earlier, Refused):
            return earlier
        asked = (*product_args(sku, spec), PRODUCTS_MAX, earlier.get(sku, ""))
        reply = await run_for(
            self._store, "product_put", show, principal, asked, idempotency_key=idempotency_key
        )
        return reply if isinstance(reply, Refused) else ProductPut(reply[1] == 1, reply[2])

    async def restock(
        self, show: str, principal: Principal, sku: str, delta: int, *, idempotency_key: str
    ) -> Restocked | Refused:
        """Add `delta` units to what is left (negative: take away).

        Refusals: idempotency_key_required, bad_request, forbidden, unknown_sku, stock_underflow.
        """
        if not idempotency_key:
            return Refused("idempotency_key_required")
        if not -STOCK_MAX <= delta <= STOCK_MAX:
            return Refused("bad_request", {"field": "delta"})
        reply = await run_for(
            self._store, "restock", show, principal, (sku, delta, STOCK_MAX), idempotency_key=idempotency_key
        )
        return reply if isinstance(reply, Refused) else Restocked(reply[2])

    async def pin(
        self, show: str, principal: Principal, sku: str, *, press_ms: float | None = None
    ) -> Pinned | Refused:
        """Pin a product. Refusals: forbidden, unknown_sku, not_for_sale."""
        reply = await run_for(self._store, "pin", show, principal, (sku,), press_ms=press_ms)
        return reply if isinstance(reply, Refused) else Pinned(reply[2])

    async def unpin(
        self, show: str, principal: Principal, *, press_ms: float | None = None
    ) -> Unpinned | Refused:
        """Take the pin away. Refusal: forbidden."""
        reply = await run_for(self._store, "unpin", show, principal, (), press_ms=press_ms)
        return reply if isinstance(reply, Refused) else Unpinned()

    async def flash(
        self,
        show: str,
        principal: Principal,
        spec: FlashSpec,
        *,
        idempotency_key: str = "",
        press_ms: float | None = None,
    ) -> FlashStarted | Refused:
        """Announce a flash price.

        Refusals: bad_request, forbidden, unknown_sku, show_closed (it has ended), not_for_sale,
        flash_running, below_floor, confirm_required (it takes more than 70 % off, or is below cost) with what
        it may cost.
        """
        if refused := problems(spec):
            return refused
        if (spec.price_minor is None) == (spec.percent_off is None):
            return Refused("bad_request", {"reason": "either price_minor or percent_off"})
        repeat = spec.repeat
        if repeat and repeat.every_s < spec.starts_in_s + spec.duration_s + 1:
            return Refused("bad_request", {"reason": "every_s is at least starts_in_s + duration_s + 1"})
        earlier = await self._history.elsewhere(show, principal, "flash", {spec.sku: None})
        if isinstance(earlier, Refused):
            return earlier
        asked = (
            spec.sku,
            *_optional(spec.price_minor),
            spec.duration_s * 1000,
            spec.starts_in_s * 1000,
            *_optional(spec.quantity, spec.per_viewer_max),
            new_id("f"),
            *_optional(spec.percent_off),
            "1" if spec.confirm else "",
            earlier.get(spec.sku, ""),
            *(_optional(repeat.times, repeat.every_s * 1000) if repeat else ("", "")),
        )
        reply = await run_for(
            self._store, "flash", show, principal, asked, idempotency_key=idempotency_key, press_ms=press_ms
        )
        return reply if isinstance(reply, Refused) else FlashStarted(reply[2])

    async def stop_flash(self, show: str, principal: Principal, flash_id: str) -> FlashStopped | Refused:
        """End a flash price now, and the windows that would follow, whichever of them is named.

        One that is over stays over. Refusals: forbidden, unknown_flash.
        """
        reply = await run_for(self._store, "flash_stop", show, principal, (flash_id,))
        return reply if isinstance(reply, Refused) else FlashStopped()


def product_args(sku: str, spec: ProductSpec) -> tuple[Arg, ...]:
    """A product as the scripts take it."""
    parts = spec.parts or ()
    attributes: dict[str, object] = {
        "title": spec.title,
        "disclosure": spec.disclosure,
        "image_url": spec.image_url,
        "stock_display": spec.stock_display,
        "description": spec.description,
        "group": spec.group,
        "options": spec.options,
        "hold_policy": spec.hold_policy,
    }
    if parts:
        attributes["parts"] = parts
    return (
        sku,
        spec.price_minor,
        *_optional(spec.stock, spec.per_viewer_max, spec.floor_minor, spec.cost_minor),
        spec.seller or "",
        spec.commission_bps,
        msgspec.json.encode(attributes),
        " ".join(f"{part.sku}:{part.quantity}" for part in parts),
        "" if spec.hold_policy == "hold" else spec.hold_policy,
    )


def contradiction(spec: ProductSpec) -> str | None:
    """The field in which a product contradicts itself.

    A bundle has no stock of its own and each part once; a group and options go together.
    """
    if (spec.group is None) != (spec.options is None):
        return "options"
    if spec.parts is None:
        return None
    if spec.stock:
        return "stock"
    return "parts" if len({part.sku for part in spec.parts}) < len(spec.parts) else None


def problems(spec: ProductSpec | FlashSpec) -> Refused | None:
    """What is out of bounds in a spec that was not decoded from JSON: bad_request with the reason."""
    try:
        msgspec.convert(msgspec.to_builtins(spec), type=type(spec))
    except msgspec.ValidationError as error:
        return Refused("bad_request", {"reason": str(error)})
    return None


def _optional(*numbers: int | None) -> tuple[Arg, ...]:
    return tuple("" if number is None else number for number in numbers)
