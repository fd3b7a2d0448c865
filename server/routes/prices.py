"""Reductions of a whole show: flash prices of all its products, and campaigns."""

from typing import Final

import msgspec

from server.commerce.reductions import CampaignSpec, ShowFlashSpec
from server.log.price_views import CampaignView, ShowFlashView
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


class CampaignAnnounced(CampaignView, frozen=True, kw_only=True):
    """A campaign as announced."""

    confirmed: bool
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


@endpoints.command(
    "POST",
    SHOW + "/campaigns",
    body=CampaignSpec,
    answers={201: CampaignAnnounced},
    problems=(
        "unknown_show",
        "unknown_sku",
        "show_closed",
        "campaign_running",
        "nothing_reduced",
        "below_floor",
        "confirm_required",
    ),
)
async def start_campaign(call: Call[CampaignSpec]) -> Answer:
    """Announce reduced prices between two instants of the calendar, before or during the show.

    They are in force by the server's clock alone: pausing the show neither moves nor lengthens them. Flash
    prices, of a product or of the whole show, go before them. One campaign of a show is announced or running
    at a time.
    """
    started = await call.services.reductions.start_campaign(
        call.show, call.principal, call.body, idempotency_key=call.key
    )
    if isinstance(started, Refused):
        raise problem_of(started)
    return Answer(201, msgspec.Raw(started.json))


@endpoints.command(
    "DELETE",
    SHOW + "/campaigns/{campaign}",
    body=Nothing,
    answers={204: None},
    problems=("unknown_show", "unknown_campaign"),
)
async def stop_campaign(call: Call[Nothing]) -> Answer:
    """End a campaign now, also one that has not begun."""
    stopped = await call.services.reductions.stop_campaign(call.show, call.principal, call.path["campaign"])
    if isinstance(stopped, Refused):
        raise problem_of(stopped)
    return Answer(204)
