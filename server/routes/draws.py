"""Draws: lotteries and giveaways."""

from typing import Final

from server.commerce.lotteries import DrawSpec, OwnDraw
from server.log.state import DrawView
from server.routes.answers import Answer, problem_of
from server.routes.auctions import CancelCommand
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("draws")

DRAWS: Final = "/api/v1/shows/{show}/draws"


@endpoints.command(
    "POST",
    DRAWS,
    body=DrawSpec,
    answers={201: DrawView},
    problems=(
        "unknown_show",
        "unknown_sku",
        "show_closed",
        "not_for_sale",
        "bundle_has_no_stock",
        "below_floor",
        "confirm_required",
        "too_many_draws",
        "sold_out",
    ),
)
async def open_draw(call: Call[DrawSpec]) -> Answer:
    """Draw units of a product among all who enter: at a price, or at 0 for nothing."""
    press_ms = call.press_ms()
    found = await call.services.lotteries.open(
        call.show, call.principal, call.body, idempotency_key=call.key, press_ms=press_ms
    )
    return _draw(found, 201)


@endpoints.get(
    DRAWS + "/{draw}", answers={200: OwnDraw}, problems=("unknown_show", "unknown_draw"), auth="optional"
)
async def get_draw(call: Call[None]) -> Answer:
    """Read a draw: once it is drawn, its seed and who won; and whether one has entered it."""
    return _draw(await call.services.lotteries.draw(call.show, call.path["draw"], call.principal.pid))


@endpoints.command(
    "POST",
    DRAWS + "/{draw}/entries",
    body=Nothing,
    answers={201: DrawView},
    problems=(
        "unknown_show",
        "unknown_draw",
        "banned",
        "own_draw",
        "show_closed",
        "sales_paused",
        "draw_closed",
        "limit_reached",
        "draw_full",
    ),
    kind="orders",
)
async def enter(call: Call[Nothing]) -> Answer:
    """Enter a draw: once a person, however often one asks."""
    found = await call.services.lotteries.enter(call.show, call.principal, call.path["draw"])
    return _draw(found, 201)


@endpoints.command(
    "POST",
    DRAWS + "/{draw}/cancel",
    body=CancelCommand,
    answers={200: DrawView},
    problems=("unknown_show", "unknown_draw", "draw_closed"),
)
async def cancel_draw(call: Call[CancelCommand]) -> Answer:
    """Take a draw back that is not drawn yet; nobody wins."""
    draw, reason = call.path["draw"], call.body.reason
    return _draw(
        await call.services.lotteries.cancel(
            call.show, call.principal, draw, reason, idempotency_key=call.key
        )
    )


def _draw(found: DrawView | Refused, status: int = 200) -> Answer:
    if isinstance(found, Refused):
        raise problem_of(found)
    return Answer(status, found)
