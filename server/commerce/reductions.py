"""Reductions that are no product's own flash price. Each call is one script; no rule stands here.

They stand below a flash price: see `pricing.py` for which goes before which.
"""

from typing import Annotated

import msgspec

from server.commerce.asking import run_for
from server.commerce.catalog import FlashStopped
from server.commerce.price_history import PriceHistory
from server.ids import is_sku, new_id
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal


class ShowFlashSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A percentage off the list prices of a show's products (all, or those of `skus`), for how long, from
    when.

    Where a product's floor is higher, its price is the floor. `confirm`: what it may cost is known.
    """

    percent_off: Annotated[int, msgspec.Meta(ge=1, le=99)]
    duration_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)]
    starts_in_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 0
    skus: Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)] | None = None
    confirm: bool = False


class ShowFlashStarted(msgspec.Struct, frozen=True):
    """`json` is the data of `price.show_flash`."""

    json: bytes


class Reductions:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history = PriceHistory(store)

    async def start_show_flash(
        self,
        show: str,
        principal: Principal,
        spec: ShowFlashSpec,
        *,
        idempotency_key: str = "",
        press_ms: float | None = None,
    ) -> ShowFlashStarted | Refused:
        """Announce a reduction of the whole show, one at a time.

        Refusals: bad_request, forbidden, show_closed (it has ended), flash_running, unknown_sku,
        nothing_reduced (no product would be cheaper), confirm_required (it takes more than 70 % off
        something, or is below its cost) with what all of it may cost.
        """
        skus = list(dict.fromkeys(spec.skus or ()))
        if wrong := next((sku for sku in skus if not is_sku(sku)), None):
            return Refused("unknown_sku", {"sku": wrong})
        earlier = await self._history.elsewhere(show, principal, "flash", dict.fromkeys(skus))
        if isinstance(earlier, Refused):
            return earlier
        asked = (
            spec.percent_off,
            spec.duration_s * 1000,
            spec.starts_in_s * 1000,
            new_id("sf"),
            " ".join(skus),
            "1" if spec.confirm else "",
            msgspec.json.encode(earlier),
        )
        reply = await run_for(
            self._store,
            "show_flash",
            show,
            principal,
            asked,
            idempotency_key=idempotency_key,
            press_ms=press_ms,
        )
        return reply if isinstance(reply, Refused) else ShowFlashStarted(reply[2])

    async def stop_show_flash(self, show: str, principal: Principal, flash: str) -> FlashStopped | Refused:
        """End it now; one that is over stays over. Refusals: forbidden, unknown_flash."""
        reply = await run_for(self._store, "show_flash_stop", show, principal, (flash,))
        return reply if isinstance(reply, Refused) else FlashStopped()
