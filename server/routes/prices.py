"""Reductions of a whole show."""

from typing import Final

import msgspec

from server.commerce.reductions import ShowFlashSpec
from server.log.state import ShowFlashView
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("prices")

SHOW: Final = "/api/v1/shows/{show}"


class ShowFlashPrice(msgspec.Struct, frozen=True):
    """What one product costs in it."""

    sku: str
    price_minor: int
    list_price_minor: int
    reference_price_minor: int | None


class ShowFlashAnnounced(ShowFlashView, frozen=True, kw_only=True):
    """A reduction as announced."""

    prices: list[ShowFlashPrice]


@endpoints.command(
    "POST",
    SHOW + "/show_flash",
    body=ShowFlashSpec,
    answers={201: ShowFlashAnnounced},
    problems=(
        "unknown_show",
        "unknown_sku",
        "show_closed",
        "flash_running",
        "nothing_reduced",
        "confirm_required",
    ),
)
async def start_show_flash(call: Call[ShowFlashSpec]) -> Answer:
    """Announce a percentage off all products of the show, or off those named.

    A product's own flash price goes before it. A price never falls below the product's floor. More than 70 %
    off or below cost is refused with what it may cost, until it is asked for with `confirm`.
    """
    started = await call.services.reductions.start_show_flash(
        call.show, call.principal, call.body, idempotency_key=call.key, press_ms=call.press_ms()
    )
    if isinstance(started, Refused):
        raise problem_of(started)
    return Answer(201, msgspec.Raw(started.json))


@endpoints.command(
    "DELETE",
    SHOW + "/show_flash/{flash}",
    body=Nothing,
    answers={204: None},
    problems=("unknown_show", "unknown_flash"),
)
async def stop_show_flash(call: Call[Nothing]) -> Answer:
    """End a reduction of the whole show now."""
    stopped = await call.services.reductions.stop_show_flash(call.show, call.principal, call.path["flash"])
    if isinstance(stopped, Refused):
        raise problem_of(stopped)
    return Answer(204)
