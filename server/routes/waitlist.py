"""The waitlist: standing in line for what is sold out."""

from typing import Final

from server.commerce.waitlist import Lines, Place
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("waitlist")

SHOW: Final = "/api/v1/shows/{show}"
LINE: Final = SHOW + "/products/{sku}/waitlist"


@endpoints.command(
    "POST",
    LINE,
    body=Nothing,
    answers={201: Place},
    problems=(
        "idempotency_key_required",
        "unknown_show",
        "unknown_sku",
        "banned",
        "show_closed",
        "not_for_sale",
        "lottery_only",
        "bundle_has_no_stock",
        "limit_reached",
        "in_stock",
        "waitlist_full",
    ),
    key="required",
    kind="orders",
)
async def join(call: Call[Nothing]) -> Answer:
    """Stand in line for what is sold out: the next unit that comes free is held for the first in line."""
    place = await call.services.waitlist.join(
        call.show, call.principal, call.path["sku"], idempotency_key=call.key
    )
    if isinstance(place, Refused):
        raise problem_of(place)
    return Answer(201, place)


@endpoints.command(
    "DELETE", LINE, body=Nothing, answers={204: None}, problems=("unknown_show", "unknown_sku")
)
async def leave(call: Call[Nothing]) -> Answer:
    """Give one's place in line up."""
    if refused := await call.services.waitlist.leave(call.show, call.principal, call.path["sku"]):
        raise problem_of(refused)
    return Answer(204)


@endpoints.get(SHOW + "/waitlist", answers={200: Lines}, problems=("unknown_show",))
async def lines(call: Call[None]) -> Answer:
    """How many people wait for what, and where one stands in line."""
    found = await call.services.waitlist.lines(call.show, call.principal)
    if isinstance(found, Refused):
        raise problem_of(found)
    return Answer(200, found)
