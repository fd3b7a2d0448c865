"""The waitlist: who stands in line for a unit of a product that is sold out. Each call is one script.

A unit that comes free, however that comes about, is held for the first in line in the same script, at the
price in force then and for a minute (`TURN_MS`); nobody else can have it meanwhile. `model.py` is the
specification.
"""

from typing import Any, Final, cast

import msgspec

from server.commerce.asking import run_for
from server.commerce.buyer_index import BuyerIndex
from server.ids import is_sku, order_id
from server.settings import Settings
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

WAITING_MAX: Final = 10_000
"""People who wait for one product; the next is refused (`waitlist_full`)."""


class Place(msgspec.Struct, frozen=True):
    """`place` (1: the next) of `waiting` people in line for a product."""

    sku: str
    place: int
    waiting: int


class Line(msgspec.Struct, frozen=True):
    """How many people wait for a product, and at which `place` who asks is (None: not in line)."""

    sku: str
    waiting: int
    place: int | None


class Lines(msgspec.Struct, frozen=True):
    """All lines of a show in which somebody stands, by sku."""

    lines: list[Line]


class Waitlist:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store, settings: Settings, buyers: BuyerIndex) -> None:
        self._store, self._buyers = store, buyers
        self._secret = settings.auth.secret.encode()

    def order_id(self, show: str, pid: str, idempotency_key: str) -> str:
        """The id of the order that who joined with this key gets when their turn has come."""
        return order_id(show, pid, f"waitlist {idempotency_key}", self._secret)

    async def join(
        self, show: str, principal: Principal, sku: str, *, idempotency_key: str
    ) -> Place | Refused:
        """Stand in line for one unit; who is in line already keeps their place.

        Refusals: idempotency_key_required, unknown_sku, banned, (guests_closed, forbidden,) show_closed,
        not_for_sale, bundle_has_no_stock, limit_reached, in_stock (there is one to buy), waitlist_full.
        """
        if not idempotency_key:
            return Refused("idempotency_key_required")
        if not is_sku(sku):
            return Refused("unknown_sku")
        asked = (sku, self.order_id(show, principal.pid, idempotency_key), WAITING_MAX)
        reply = await run_for(
            self._store, "wait_join", show, principal, asked, idempotency_key=idempotency_key
        )
        if isinstance(reply, Refused):
            return reply
        _, place, waiting, ts = reply
        self._buyers.note(principal.pid, show, ts)  # who may get an order here
        return Place(sku, place, waiting)

    async def leave(self, show: str, principal: Principal, sku: str) -> Refused | None:
        """Give one's place up; nothing happens to who is not in line. Refusal: unknown_sku."""
        if not is_sku(sku):
            return Refused("unknown_sku")
        reply = await run_for(self._store, "wait_leave", show, principal, (sku,))
        return reply if isinstance(reply, Refused) else None

    async def lines(self, show: str, principal: Principal) -> Lines | Refused:
        """How many wait for what, and where one stands. Refusal: unknown_show."""
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("wait_list", show, principal.pid, role)
        if isinstance(reply, Refused):
            return reply
        rows = cast("list[list[Any]]", reply[1:])
        return Lines([Line(sku.decode(), waiting, place or None) for sku, waiting, place in sorted(rows)])
