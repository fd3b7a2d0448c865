"""Products, their stock, the pin and flash prices."""

from typing import Annotated, Final

import msgspec

from server.commerce.catalog import FlashSpec, ProductSpec
from server.commerce.ledger import REASON_MAX_CHARS
from server.commerce.money import StockDelta
from server.commerce.orders import Undone
from server.log.price_views import FlashView
from server.log.state import ProductView
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("products")

SHOW: Final = "/api/v1/shows/{show}"


class RestockCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/restock`: units to add, or, when negative, to take away."""

    delta: StockDelta


class PinCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT …/pin`."""

    sku: str


class StockView(msgspec.Struct, frozen=True):
    """A product's units."""

    sku: str
    left: int
    held: int
    sold: int


class PinView(msgspec.Struct, frozen=True):
    """The product that is pinned now."""

    sku: str
    title: str
    price_minor: int
    image_url: str | None
    disclosure: str | None


class UndoCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/flash/{flash}/refund_all`."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX_CHARS)]


class FlashAnnounced(FlashView, frozen=True):
    """A flash price as announced."""

    sku: str
    list_price_minor: int
    quantity: int | None


@endpoints.command(
    "PUT",
    SHOW + "/products/{sku}",
    body=ProductSpec,
    answers={200: ProductView, 201: ProductView},
    problems=(
        "unknown_show",
        "use_restock",
        "below_floor",
        "flash_running",
        "too_many_products",
        "bad_part",
        "bundle_is_fixed",
        "policy_pinned",
    ),
)
async def put_product(call: Call[ProductSpec]) -> Answer:
    """Create a product, or change it."""
    spec = call.body
    if spec.seller:  # the log knows nobody by name
        spec = msgspec.structs.replace(spec, seller=await call.services.pids.resolve(spec.seller))
    put = await call.services.catalog.put_product(
        call.show, call.principal, call.path["sku"], spec, idempotency_key=call.key
    )
    if isinstance(put, Refused):
        raise problem_of(put)
    return Answer(201 if put.is_new else 200, msgspec.Raw(put.json))


@endpoints.command(
    "POST",
    SHOW + "/products/{sku}/restock",
    body=RestockCommand,
    answers={200: StockView},
    problems=(
        "idempotency_key_required",
        "unknown_show",
        "unknown_sku",
        "stock_underflow",
        "bundle_has_no_stock",
    ),
    key="required",
)
async def restock(call: Call[RestockCommand]) -> Answer:
    """Add units to what is left, or take them away."""
    restocked = await call.services.catalog.restock(
        call.show, call.principal, call.path["sku"], call.body.delta, idempotency_key=call.key
    )
    if isinstance(restocked, Refused):
        raise problem_of(restocked)
    return Answer(200, msgspec.Raw(restocked.json))


@endpoints.command(
    "PUT",
    SHOW + "/pin",
    body=PinCommand,
    answers={200: PinView},
    problems=("unknown_show", "unknown_sku", "not_for_sale"),
)
async def pin(call: Call[PinCommand]) -> Answer:
    """Pin a product, in place of the one before."""
    pinned = await call.services.catalog.pin(
        call.show, call.principal, call.body.sku, press_ms=call.press_ms()
    )
    if isinstance(pinned, Refused):
        raise problem_of(pinned)
    return Answer(200, msgspec.Raw(pinned.json))


@endpoints.command("DELETE", SHOW + "/pin", body=Nothing, answers={204: None}, problems=("unknown_show",))
async def unpin(call: Call[Nothing]) -> Answer:
    """Take the pin away."""
    unpinned = await call.services.catalog.unpin(call.show, call.principal, press_ms=call.press_ms())
    if isinstance(unpinned, Refused):
        raise problem_of(unpinned)
    return Answer(204)


@endpoints.command(
    "POST",
    SHOW + "/flash",
    body=FlashSpec,
    answers={201: FlashAnnounced},
    problems=(
        "unknown_show",
        "unknown_sku",
        "show_closed",
        "not_for_sale",
        "flash_running",
        "below_floor",
        "confirm_required",
    ),
)
async def start_flash(call: Call[FlashSpec]) -> Answer:
    """Announce a flash price: a price or a percentage off.

    One that takes more than 70 % off the list price or is below cost is refused with what it may cost, until
    it is asked for with `confirm`.
    """
    started = await call.services.catalog.flash(
        call.show, call.principal, call.body, idempotency_key=call.key, press_ms=call.press_ms()
    )
    if isinstance(started, Refused):
        raise problem_of(started)
    return Answer(201, msgspec.Raw(started.json))


@endpoints.command(
    "POST",
    SHOW + "/flash/{flash}/refund_all",
    body=UndoCommand,
    answers={200: Undone},
    problems=("unknown_show", "unknown_flash"),
)
async def refund_all(call: Call[UndoCommand]) -> Answer:
    """Take back everything sold at a flash price; call again, with or without the same key, until `done`."""
    undone = await call.services.ledger.undo_flash(
        call.show, call.principal, call.path["flash"], call.body.reason
    )
    if isinstance(undone, Refused):
        raise problem_of(undone)
    return Answer(200, undone)


@endpoints.command(
    "DELETE",
    SHOW + "/flash/{flash}",
    body=Nothing,
    answers={204: None},
    problems=("unknown_show", "unknown_flash"),
)
async def stop_flash(call: Call[Nothing]) -> Answer:
    """End a flash price now."""
    stopped = await call.services.catalog.stop_flash(call.show, call.principal, call.path["flash"])
    if isinstance(stopped, Refused):
        raise problem_of(stopped)
    return Answer(204)
