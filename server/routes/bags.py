"""The show's bag, and the sets of products that are kept for it."""

from typing import Final

import msgspec

from server.commerce.bags import BagSpec, BagView, ProductSet, SetSpec
from server.errors import Problem
from server.ids import is_sku
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("products")

SHOW: Final = "/api/v1/shows/{show}"


class ProductSets(msgspec.Struct, frozen=True):
    """All sets of a show."""

    sets: list[ProductSet]


@endpoints.command(
    "PUT",
    SHOW + "/bag",
    body=BagSpec,
    answers={200: BagView},
    problems=("unknown_show", "unknown_set", "unknown_sku", "flash_running"),
)
async def put_bag(call: Call[BagSpec]) -> Answer:
    """Say which products are for sale and in what order: the whole bag at once, or nothing of it changes."""
    bag = await call.services.bags.put(call.show, call.principal, call.body, idempotency_key=call.key)
    if isinstance(bag, Refused):
        raise problem_of(bag)
    return Answer(200, bag)


@endpoints.command(
    "PUT",
    SHOW + "/sets/{set}",
    body=SetSpec,
    answers={200: ProductSet, 201: ProductSet},
    problems=("unknown_show", "unknown_sku", "too_many_sets"),
)
async def put_set(call: Call[SetSpec]) -> Answer:
    """Keep a set of products under a name."""
    name = call.path["set"]
    if not is_sku(name):
        raise Problem("bad_request", extra={"field": "set"})
    kept = await call.services.bags.keep_set(
        call.show, call.principal, name, call.body, idempotency_key=call.key
    )
    if isinstance(kept, Refused):
        raise problem_of(kept)
    return Answer(201 if kept.is_new else 200, kept.set)


@endpoints.command(
    "DELETE", SHOW + "/sets/{set}", body=Nothing, answers={204: None}, problems=("unknown_show",)
)
async def drop_set(call: Call[Nothing]) -> Answer:
    """Forget a set; its products stay."""
    refused = await call.services.bags.drop_set(call.show, call.principal, call.path["set"])
    if refused:
        raise problem_of(refused)
    return Answer(204)


@endpoints.get(SHOW + "/sets", answers={200: ProductSets}, problems=("unknown_show", "forbidden"))
async def list_sets(call: Call[None]) -> Answer:
    """The sets of a show, by title."""
    sets = await call.services.bags.sets(call.show, call.principal)
    if isinstance(sets, Refused):
        raise problem_of(sets)
    return Answer(200, ProductSets(sets))
