"""Coupons: a code that takes something off the price in force, within limits. Each call is one script.

What a coupon makes of a price is decided in `lua/_sale_coupons.lua` and specified in `pricing.py`
(`with_coupon`). A coupon never changes; ended, it stays known by its code.
"""

import re
from typing import Annotated, Final, cast

import msgspec

from server.commerce.asking import run_for
from server.commerce.bags import Sku
from server.commerce.catalog import PRODUCTS_MAX
from server.commerce.money import PriceMinor
from server.commerce.pricing import COUPON_MS, COUPONS_MAX
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

_CODE: Final = re.compile(r"[A-Z0-9_-]{3,32}")
Units = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class CouponSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A coupon as its seller makes it: a percentage, or an amount, off each unit of some products or all.

    `quantity` units in all and `per_viewer_max` for one viewer may be bought with it, for `expires_in_s`.
    """

    percent_off: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None
    amount_off_minor: PriceMinor | None = None
    skus: Annotated[list[Sku], msgspec.Meta(min_length=1, max_length=PRODUCTS_MAX)] | None = None
    quantity: Units | None = None
    per_viewer_max: Units | None = None
    expires_in_s: Annotated[int, msgspec.Meta(ge=COUPON_MS[0] // 1000, le=COUPON_MS[1] // 1000)] | None = None
    confirm: bool = False


class CouponTold(msgspec.Struct, frozen=True):
    """A coupon as whoever knows its code may see it. `skus` null: all products."""

    code: str
    percent_off: int | None
    amount_off_minor: int | None
    skus: list[str] | None
    per_viewer_max: int | None
    expires_at_ms: int | None
    over: bool


class CouponView(CouponTold, frozen=True):
    """A coupon for staff: how many units may be bought with it (null: any), and how many are."""

    quantity: int | None
    used: int


def as_code(text: str) -> str | None:
    """A coupon's code as it is kept, whatever case it is typed in; None when it can be none."""
    code = text.strip().upper()
    return code if _CODE.fullmatch(code) else None


class Coupons:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def make(
        self, show: str, principal: Principal, code: str, spec: CouponSpec
    ) -> CouponView | Refused:
        """Make a coupon; to ask for the very same again changes nothing.

        Refusals: bad_request (not one of both reductions, or a code that is none), forbidden, show_closed (it
        has ended), coupon_exists, unknown_sku, confirm_required (it takes more than 70 % off a list price, or
        is below cost) with what it may cost, too_many_coupons.
        """
        kept = as_code(code)
        if kept is None:
            return Refused("bad_request", {"field": "code"})
        if (spec.percent_off is None) == (spec.amount_off_minor is None):
            return Refused("bad_request", {"reason": "either percent_off or amount_off_minor"})
        asked = (
            kept,
            _or_empty(spec.percent_off),
            _or_empty(spec.amount_off_minor),
            " ".join(dict.fromkeys(spec.skus or ())),
            _or_empty(spec.quantity),
            _or_empty(spec.per_viewer_max),
            "" if spec.expires_in_s is None else spec.expires_in_s * 1000,
            "1" if spec.confirm else "",
            COUPONS_MAX,
        )
        reply = await run_for(self._store, "coupon_put", show, principal, asked)
        return reply if isinstance(reply, Refused) else msgspec.json.decode(reply[1], type=CouponView)

    async def end(self, show: str, principal: Principal, code: str) -> CouponView | Refused:
        """Nobody buys with it any more; holds stay. Refusals: forbidden, unknown_coupon."""
        reply = await run_for(self._store, "coupon_end", show, principal, (as_code(code) or "",))
        return reply if isinstance(reply, Refused) else msgspec.json.decode(reply[1], type=CouponView)

    async def coupon(self, show: str, principal: Principal, code: str) -> CouponTold | Refused:
        """A coupon, for whoever knows its code. Refusal: unknown_coupon."""
        asked = (show, principal.pid, principal.role_on(show), as_code(code) or "")
        reply = await self._store.read_scripts.run("coupon_get", *asked)
        if isinstance(reply, Refused):
            return reply
        return msgspec.json.decode(cast("bytes", reply[1]), type=CouponTold)

    async def coupons(self, show: str, principal: Principal) -> list[CouponView] | Refused:
        """All coupons of a show by their codes. Refusal: forbidden."""
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("coupon_list", show, principal.pid, role)
        if isinstance(reply, Refused):
            return reply
        found = [msgspec.json.decode(cast("bytes", each), type=CouponView) for each in reply[1:]]
        return sorted(found, key=lambda each: each.code)


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
