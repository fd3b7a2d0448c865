"""Auctions: a lot is one unit of a product, sold to the highest bidder. Each call is one script.

What a lot costs whom is decided in `lua/_sale_lots.lua` and specified in `lots.py`. `LotSpec` and `Bid` are
request bodies with their bounds.
"""

from typing import Annotated, Any, Final

import msgspec

from server.commerce.asking import run_for
from server.commerce.buyer_index import BuyerIndex
from server.commerce.lots import BIDS_MAX, EXTENSION_MAX_MS, STEPS_MAX, are_steps
from server.commerce.money import PriceMinor
from server.ids import new_id, order_id
from server.settings import Settings
from server.store.outcome import Refused
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

LOTS_OPEN_MAX: Final = 20
"""Lots of one show at once; a snapshot carries them all."""
DEFAULT_STEPS: Final = ((0, 100), (10_000, 500), (50_000, 1_000), (100_000, 5_000))
"""Steps of 1, 5, 10 and 50 whole units of a currency with two decimals: about 1 to 5 % of the price."""

Price = Annotated[int, msgspec.Meta(ge=0, le=10**11)]


class LotSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A lot as its seller opens it.

    `steps` are rows of (from price, step); a bid in the last `soft_close_s` moves the end so far away again,
    by half an hour at most in all; 0 is sudden death.
    """

    sku: str
    start_minor: PriceMinor
    duration_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)]
    steps: (
        Annotated[list[tuple[Price, PriceMinor]], msgspec.Meta(min_length=1, max_length=STEPS_MAX)] | None
    ) = None
    soft_close_s: Annotated[int, msgspec.Meta(ge=0, le=120)] = 10


class Bid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that somebody would pay for a lot. The price stays at what beats the second highest."""

    max_minor: PriceMinor


class Opened(msgspec.Struct, frozen=True):
    """The lot is open. `json` is a `LotView` (log/state.py)."""

    json: bytes


class Counted(msgspec.Struct, frozen=True):
    """The bid counts. `json` is `{lot, leading, max_minor}`."""

    json: bytes


class Found(msgspec.Struct, frozen=True):
    """A lot as it stands. `json` is a `LotView`."""

    json: bytes


class Auctions:
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
        spec: LotSpec,
        *,
        idempotency_key: str = "",
        press_ms: float | None = None,
    ) -> Opened | Refused:
        """Open a lot; its unit is held from now on.

        Refusals: bad_request, forbidden, unknown_sku, show_closed (it has ended), not_for_sale, below_floor,
        too_many_lots, sold_out.
        """
        steps = spec.steps or DEFAULT_STEPS
        if not are_steps(steps):
            return Refused("bad_request", {"field": "steps"})
        lot = new_id("l")
        asked = (
            spec.sku,
            spec.start_minor,
            spec.duration_s * 1000,
            msgspec.json.encode(steps),
            spec.soft_close_s * 1000,
            EXTENSION_MAX_MS,
            self._hold_ms,
            lot,
            order_id(show, "", lot, self._secret),
            LOTS_OPEN_MAX,
        )
        reply = await run_for(
            self._store,
            "lot_open",
            show,
            principal,
            asked,
            idempotency_key=idempotency_key,
            press_ms=press_ms,
        )
        return reply if isinstance(reply, Refused) else Opened(reply[1])

    async def bid(
        self, show: str, principal: Principal, lot: str, max_minor: int, *, idempotency_key: str
    ) -> Counted | Refused:
        """Bid up to `max_minor`. A key that has had its answer always gets that answer.

        Refusals: idempotency_key_required, unknown_lot, banned, (guests_closed, forbidden,) own_lot (who runs
        or looks after the show), show_closed, sales_paused, lot_closed, bid_too_low, limit_reached.
        """
        if not idempotency_key:
            return Refused("idempotency_key_required")
        asked = (lot, max_minor, BIDS_MAX)
        reply = await run_for(self._store, "lot_bid", show, principal, asked, idempotency_key=idempotency_key)
        if isinstance(reply, Refused):
            return reply
        self._buyers.note(principal.pid, show, reply[1])  # who may win an order here
        return Counted(reply[2])

    async def cancel(
        self, show: str, principal: Principal, lot: str, reason: str, *, idempotency_key: str = ""
    ) -> Found | Refused:
        """Take an open lot back; everybody is told why. Refusals: forbidden, unknown_lot, lot_closed.

        The reason is encrypted with the key of who gives it.
        """
        reason = await self._texts.encrypt(show, principal.pid, "reason", reason, once=idempotency_key)
        asked = (lot, reason)
        reply = await run_for(
            self._store, "lot_cancel", show, principal, asked, idempotency_key=idempotency_key
        )
        return reply if isinstance(reply, Refused) else Found(reply[1])

    async def lot(self, show: str, lot: str) -> Found | Refused:
        """A lot, open or over. Refusal: unknown_lot."""
        reply: Any = await self._store.read_scripts.run("lot_get", show, "", "", lot)
        return reply if isinstance(reply, Refused) else Found(reply[1])
