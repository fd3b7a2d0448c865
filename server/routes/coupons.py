"""Coupons: codes that take something off."""

from typing import Final

import msgspec

from server.commerce.coupons import CouponSpec, CouponTold, CouponView
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("coupons")

COUPONS: Final = "/api/v1/shows/{show}/coupons"


class CouponList(msgspec.Struct, frozen=True):
    """The coupons of a show."""

    coupons: list[CouponView]


@endpoints.command(
    "PUT",
    COUPONS + "/{code}",
    body=CouponSpec,
    answers={201: CouponView},
    problems=(
        "unknown_show",
        "show_closed",
        "coupon_exists",
        "unknown_sku",
        "confirm_required",
        "too_many_coupons",
    ),
)
async def make_coupon(call: Call[CouponSpec]) -> Answer:
    """Make a coupon; what it is never changes."""
    made = await call.services.coupons.make(call.show, call.principal, call.path["code"], call.body)
    if isinstance(made, Refused):
        raise problem_of(made)
    return Answer(201, made)


@endpoints.command(
    "DELETE",
    COUPONS + "/{code}",
    body=Nothing,
    answers={200: CouponView},
    problems=("unknown_show", "unknown_coupon"),
)
async def end_coupon(call: Call[Nothing]) -> Answer:
    """End a coupon: nobody buys with it any more, and holds that were taken with it stay."""
    ended = await call.services.coupons.end(call.show, call.principal, call.path["code"])
    if isinstance(ended, Refused):
        raise problem_of(ended)
    return Answer(200, ended)


@endpoints.get(COUPONS + "/{code}", answers={200: CouponTold}, problems=("unknown_show", "unknown_coupon"))
async def get_coupon(call: Call[None]) -> Answer:
    """Read a coupon by its code: what it takes off, and for what."""
    found = await call.services.coupons.coupon(call.show, call.principal, call.path["code"])
    if isinstance(found, Refused):
        raise problem_of(found)
    return Answer(200, found)


@endpoints.get(COUPONS, answers={200: CouponList}, problems=("unknown_show", "forbidden"))
async def list_coupons(call: Call[None]) -> Answer:
    """All coupons of a show, with what is bought with them."""
    found = await call.services.coupons.coupons(call.show, call.principal)
    if isinstance(found, Refused):
        raise problem_of(found)
    return Answer(200, CouponList(found))
