"""Draws: units of a product for those whom a seed calls that was committed to before anybody entered.

A lottery sells them at a price told in advance, a giveaway is one at 0. Who entered when changes nothing
(`draws.py`, docs/decisions/0029). Each call is one script; once a draw is closed, whoever sweeps the show
reads its entries and awards it.
"""

import asyncio
from typing import Annotated, Any, Final, cast

import msgspec

from server.commerce import draws
from server.commerce.asking import run_for
from server.commerce.buyer_index import BuyerIndex
from server.ids import new_id, order_id
from server.log.state import DrawView
from server.settings import Settings
from server.store.outcome import Refused
from server.store.private_text import PrivateText
from server.store.store import Store
from server.telemetry import get_logger
from server.tokens import Principal

DRAWS_OPEN_MAX: Final = 20
"""Draws of one show at once; a snapshot carries them all."""


class DrawSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draw as its seller opens it.

    `price_minor` is the price in force when it is missing, and 0 makes it a giveaway. One may enter for
    `duration_s`: even the shortest time is many times as long as what the slowest viewer sees late.
    """

    sku: str
    units: Annotated[int, msgspec.Meta(ge=1, le=draws.UNITS_MAX)]
    price_minor: Annotated[int, msgspec.Meta(ge=0, le=10**11)] | None = None
    duration_s: Annotated[int, msgspec.Meta(ge=draws.DURATION_S[0], le=draws.DURATION_S[1])] = 30
    confirm: bool = False


class OwnDraw(DrawView, frozen=True):
    """A draw as one person sees it."""

    entered: bool


class Lotteries:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(
        self, store: Store, settings: Settings, buyers: BuyerIndex, texts: PrivateText | None = None
    ) -> None:
        self._store, self._buyers = store, buyers
        self._texts = texts or PrivateText(store, settings.auth.secret)
        self._secret = settings.auth.secret.encode()
        self._hold_ms = settings.hold.seconds * 1000

    async def open(
        self,
        show: str,
        principal: Principal,
        spec: DrawSpec,
        *,
        idempotency_key: str = "",
        press_ms: float | None = None,
    ) -> DrawView | Refused:
        """Open a draw; its units are held from now on, and its seed is committed to.

        Refusals: forbidden, unknown_sku, show_closed (it has ended), not_for_sale, bundle_has_no_stock,
        below_floor, confirm_required, too_many_draws, sold_out (`left`: fewer than that).
        """
        draw = new_id("d")
        asked = (
            spec.sku,
            spec.units,
            "" if spec.price_minor is None else spec.price_minor,
            spec.duration_s * 1000,
            "1" if spec.confirm else "",
            draw,
            draws.commitment(draw, draws.seed_of(self._secret, show, draw)),
            self._hold_ms,
            DRAWS_OPEN_MAX,
        )
        reply = await run_for(
            self._store,
            "draw_open",
            show,
            principal,
            asked,
            idempotency_key=idempotency_key,
            press_ms=press_ms,
        )
        return reply if isinstance(reply, Refused) else _view(reply)

    async def enter(self, show: str, principal: Principal, draw: str) -> DrawView | Refused:
        """Enter a draw. Who has entered already has done so once.

        Refusals: unknown_draw, banned, (guests_closed, forbidden,) own_draw (who runs or looks after the
        show), show_closed, sales_paused, draw_closed, limit_reached, draw_full.
        """
        reply = await run_for(self._store, "draw_enter", show, principal, (draw, draws.ENTRIES_MAX))
        if isinstance(reply, Refused):
            return reply
        self._buyers.note(principal.pid, show, reply[2])  # who may win an order here
        return _view(reply)

    async def cancel(
        self, show: str, principal: Principal, draw: str, reason: str, *, idempotency_key: str = ""
    ) -> DrawView | Refused:
        """Take a draw back that is not drawn. Refusals: forbidden, unknown_draw, draw_closed.

        The reason is encrypted with the key of who gives it.
        """
        reason = await self._texts.encrypt(show, principal.pid, "reason", reason, once=idempotency_key)
        asked = (draw, reason)
        reply = await run_for(
            self._store, "draw_cancel", show, principal, asked, idempotency_key=idempotency_key
        )
        return reply if isinstance(reply, Refused) else _view(reply)

    async def draw(self, show: str, draw: str, pid: str = "") -> OwnDraw | Refused:
        """A draw as it stands, and whether `pid` has entered it. Refusal: unknown_draw."""
        reply: Any = await self._store.read_scripts.run("draw_get", show, pid, "", draw)
        if isinstance(reply, Refused):
            return reply
        return OwnDraw(**msgspec.structs.asdict(_view(reply)), entered=reply[2] == 1)

    async def award(self, show: str, draw: str) -> int | Refused:
        """Draw what is closed: tell the seed and give the units to whom it calls. → how many got one.

        Of several servers that do so one does it; the others are refused: draw_closed. A seed that was not
        committed to (the server's secret has changed) draws nothing: the draw has to be cancelled.
        """
        reply: Any = await self._store.scripts.run("draw_entries", show, "", "", draw)
        if isinstance(reply, Refused):
            return reply
        _, committed, units, raw = cast("list[Any]", reply)
        seed = draws.seed_of(self._secret, show, draw)
        if not draws.is_revealed(draw, committed.decode(), seed):
            get_logger(__name__).error("draw_without_its_seed", show=show, draw=draw)
            return Refused("draw_closed")
        entries = [pid.decode() for pid in raw]
        called = await asyncio.to_thread(draws.called, draw, seed, entries, units)
        asked = [value for pid in called for value in (pid, self.order_id(show, pid, draw))]
        reply = await self._store.scripts.run("draw_award", show, "", "", draw, seed.hex(), *asked)
        return reply if isinstance(reply, Refused) else int(reply[1])

    def order_id(self, show: str, pid: str, draw: str) -> str:
        """The id of the order that a winner gets."""
        return order_id(show, pid, f"draw {draw}", self._secret)


def _view(reply: list[Any]) -> DrawView:
    return msgspec.json.decode(reply[1], type=DrawView)
