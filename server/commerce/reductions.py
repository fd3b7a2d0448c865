"""Reductions that are no product's own flash price. Each call is one script; no rule stands here.

They stand below a flash price: see `pricing.py` for which goes before which.
"""

from typing import Annotated

import msgspec

from server.commerce.asking import run_for
from server.commerce.catalog import PRODUCTS_MAX, FlashStopped
from server.commerce.money import PriceMinor
from server.commerce.price_history import PriceHistory
from server.commerce.pricing import CAMPAIGN_AHEAD_MAX_MS, CAMPAIGN_LATE_MAX_MS, CAMPAIGN_MS
from server.ids import is_sku, new_id
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

ServerMs = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Whole in JavaScript, too."""


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


class CampaignPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one product costs in a campaign."""

    sku: str
    price_minor: PriceMinor


class CampaignSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reduced prices between two instants of the server's clock, for 60 s to 31 days from within 90 days.

    Either a percentage off the list prices (of all products, or those of `skus`), which stops at a product's
    floor, or prices. A start that is past by up to a minute is now. `title` is for everybody to read;
    `confirm`: what it may cost is known.
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    percent_off: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None
    prices: Annotated[list[CampaignPrice], msgspec.Meta(min_length=1, max_length=PRODUCTS_MAX)] | None = None
    skus: Annotated[list[str], msgspec.Meta(min_length=1, max_length=PRODUCTS_MAX)] | None = None
    starts_at_ms: ServerMs
    ends_at_ms: ServerMs
    confirm: bool = False

    def problem(self) -> Refused | None:
        """What contradicts itself."""
        if (self.percent_off is None) == (self.prices is None):
            return Refused("bad_request", {"reason": "either percent_off or prices"})
        if self.prices is not None and self.skus is not None:
            return Refused("bad_request", {"field": "skus"})
        skus = [each.sku for each in self.prices or ()]
        return Refused("bad_request", {"field": "prices"}) if len(set(skus)) < len(skus) else None


class CampaignStarted(msgspec.Struct, frozen=True):
    """`json` is the data of `price.campaign`."""

    json: bytes


class CampaignStopped(msgspec.Struct, frozen=True):
    """The campaign is over."""


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
        earlier = await self._earlier(show, principal, skus)
        if isinstance(earlier, Refused):
            return earlier
        asked = (
            spec.percent_off,
            spec.duration_s * 1000,
            spec.starts_in_s * 1000,
            new_id("sf"),
            " ".join(skus),
            "1" if spec.confirm else "",
            earlier,
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

    async def start_campaign(
        self, show: str, principal: Principal, spec: CampaignSpec, *, idempotency_key: str = ""
    ) -> CampaignStarted | Refused:
        """Announce a campaign, one at a time.

        Refusals: bad_request, forbidden, show_closed (it has ended), campaign_running, unknown_sku,
        nothing_reduced (no product would be cheaper, or the one named), below_floor, confirm_required (as for
        a flash price of the show).
        """
        if problem := spec.problem():
            return problem
        prices = {each.sku: each.price_minor for each in spec.prices or ()}
        skus = list(prices or dict.fromkeys(spec.skus or ()))
        earlier = await self._earlier(show, principal, skus)
        if isinstance(earlier, Refused):
            return earlier
        asked = (
            spec.percent_off or "",
            spec.starts_at_ms,
            spec.ends_at_ms,
            new_id("ca"),
            " ".join(f"{sku}:{prices[sku]}" if prices else sku for sku in skus),
            "1" if spec.confirm else "",
            earlier,
            spec.title,
            CAMPAIGN_AHEAD_MAX_MS,
            CAMPAIGN_LATE_MAX_MS,
            *CAMPAIGN_MS,
        )
        reply = await run_for(
            self._store, "campaign", show, principal, asked, idempotency_key=idempotency_key
        )
        return reply if isinstance(reply, Refused) else CampaignStarted(reply[2])

    async def stop_campaign(
        self, show: str, principal: Principal, campaign: str
    ) -> CampaignStopped | Refused:
        """End it now; one that is over stays over. Refusals: forbidden, unknown_campaign."""
        reply = await run_for(self._store, "campaign_stop", show, principal, (campaign,))
        return reply if isinstance(reply, Refused) else CampaignStopped()

    async def _earlier(self, show: str, principal: Principal, skus: list[str]) -> bytes | Refused:
        """What the sellers' other shows say of these products (none: of all), for the script."""
        if wrong := next((sku for sku in skus if not is_sku(sku)), None):
            return Refused("unknown_sku", {"sku": wrong})
        earlier = await self._history.elsewhere(show, principal, "flash", dict.fromkeys(skus))
        return earlier if isinstance(earlier, Refused) else msgspec.json.encode(earlier)
