"""Auctions: lots and bids."""

from typing import Annotated, Final

import msgspec

from server.commerce.auctions import Bid, Found, LotSpec
from server.log.state import LotView
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints
from server.store.outcome import Refused

endpoints: Final = Endpoints("auctions")

LOTS: Final = "/api/v1/shows/{show}/lots"


class CancelCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/cancel`: why, for everybody to read."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=280)]


class BidCounted(msgspec.Struct, frozen=True):
    """The lot after the bid; `leading`: the bidder leads, and would go up to `max_minor`."""

    lot: LotView
    leading: bool
    max_minor: int


@endpoints.command(
    "POST",
    LOTS,
    body=LotSpec,
    answers={201: LotView},
    problems=(
        "unknown_show",
        "unknown_sku",
        "show_closed",
        "not_for_sale",
        "below_floor",
        "too_many_lots",
        "sold_out",
    ),
)
async def open_lot(call: Call[LotSpec]) -> Answer:
    """Put one unit of a product up for auction."""
    opened = await call.services.auctions.open(
        call.show, call.principal, call.body, idempotency_key=call.key, press_ms=call.press_ms()
    )
    if isinstance(opened, Refused):
        raise problem_of(opened)
    return Answer(201, msgspec.Raw(opened.json))


@endpoints.get(LOTS + "/{lot}", answers={200: LotView}, problems=("unknown_show", "unknown_lot"), auth="none")
async def get_lot(call: Call[None]) -> Answer:
    """Read a lot, open or over."""
    return _lot(await call.services.auctions.lot(call.show, call.path["lot"]))


@endpoints.command(
    "POST",
    LOTS + "/{lot}/bids",
    body=Bid,
    answers={201: BidCounted},
    problems=(
        "idempotency_key_required",
        "unknown_show",
        "unknown_lot",
        "banned",
        "own_lot",
        "show_closed",
        "sales_paused",
        "lot_closed",
        "bid_too_low",
        "limit_reached",
    ),
    key="required",
    kind="orders",
)
async def bid(call: Call[Bid]) -> Answer:
    """Bid for a lot: the most that you would pay."""
    counted = await call.services.auctions.bid(
        call.show, call.principal, call.path["lot"], call.body.max_minor, idempotency_key=call.key
    )
    if isinstance(counted, Refused):
        raise problem_of(counted)
    return Answer(201, msgspec.Raw(counted.json))


@endpoints.command(
    "POST",
    LOTS + "/{lot}/cancel",
    body=CancelCommand,
    answers={200: LotView},
    problems=("unknown_show", "unknown_lot", "lot_closed"),
)
async def cancel_lot(call: Call[CancelCommand]) -> Answer:
    """Take a lot back; nobody buys it."""
    return _lot(
        await call.services.auctions.cancel(
            call.show, call.principal, call.path["lot"], call.body.reason, idempotency_key=call.key
        )
    )


def _lot(found: Found | Refused) -> Answer:
    if isinstance(found, Refused):
        raise problem_of(found)
    return Answer(200, msgspec.Raw(found.json))
