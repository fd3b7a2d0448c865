"""The show's bag: which products are for sale now, and in what order; and the sets that are kept for it.

A show without a bag of its own sells everything in the order in which it was made. Each call is one script.
"""

from collections.abc import Sequence
from typing import Annotated, Final, cast

import msgspec

from server.commerce.asking import run_for
from server.commerce.catalog import PRODUCTS_MAX
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

SETS_MAX: Final = 100
SET_SKUS_MAX: Final = 100
Sku = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
SetId = Sku


class BagSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either the products themselves, in order, or a set that names them."""

    skus: Annotated[list[Sku], msgspec.Meta(max_length=PRODUCTS_MAX)] | None = None
    set: SetId | None = None


class SetSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set of products, in order."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    skus: Annotated[list[Sku], msgspec.Meta(min_length=1, max_length=SET_SKUS_MAX)]


class ProductSet(msgspec.Struct, frozen=True):
    """A set as it is kept."""

    id: str
    title: str
    skus: list[str]


class BagView(msgspec.Struct, frozen=True):
    """What is for sale, in order."""

    skus: list[str]


class SetKept(msgspec.Struct, frozen=True):
    """The set stands."""

    is_new: bool
    set: ProductSet


class Bags:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(
        self, show: str, principal: Principal, spec: BagSpec, *, idempotency_key: str = ""
    ) -> BagView | Refused:
        """Exchange the whole bag, or nothing of it.

        Refusals: bad_request (not one of both, or a sku twice), forbidden, unknown_set, unknown_sku,
        flash_running (of a product that would leave).
        """
        if (spec.skus is None) == (spec.set is None):
            return Refused("bad_request", {"reason": "either skus or set"})
        skus = spec.skus or []
        if _repeats(skus):
            return Refused("bad_request", {"field": "skus"})
        asked = (spec.set or "", *skus)
        reply = await run_for(self._store, "bag_put", show, principal, asked, idempotency_key=idempotency_key)
        return reply if isinstance(reply, Refused) else msgspec.json.decode(reply[2], type=BagView)

    async def keep_set(
        self, show: str, principal: Principal, name: str, spec: SetSpec, *, idempotency_key: str = ""
    ) -> SetKept | Refused:
        """Keep a set. Refusals: bad_request, forbidden, unknown_sku, too_many_sets."""
        if _repeats(spec.skus):
            return Refused("bad_request", {"field": "skus"})
        asked = (name, spec.title, SETS_MAX, *spec.skus)
        reply = await run_for(self._store, "set_put", show, principal, asked, idempotency_key=idempotency_key)
        if isinstance(reply, Refused):
            return reply
        return SetKept(reply[1] == 1, msgspec.json.decode(reply[2], type=ProductSet))

    async def drop_set(self, show: str, principal: Principal, name: str) -> Refused | None:
        """Forget a set; its products stay. Refusal: forbidden."""
        reply = await run_for(self._store, "set_drop", show, principal, (name,))
        return reply if isinstance(reply, Refused) else None

    async def sets(self, show: str, principal: Principal) -> list[ProductSet] | Refused:
        """All sets by their titles. Refusal: forbidden."""
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("set_list", show, principal.pid, role)
        if isinstance(reply, Refused):
            return reply
        found = [msgspec.json.decode(cast("bytes", each), type=ProductSet) for each in reply[1:]]
        return sorted(found, key=lambda each: (each.title, each.id))


def _repeats(skus: Sequence[str]) -> bool:
    return len(set(skus)) < len(skus)
