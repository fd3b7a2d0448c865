"""The reductions of a whole show in the model (`model.py`): flash prices of the show, and campaigns. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.commerce.model_prices import PricedShelf
from server.commerce.model_records import CampaignTerms, ShowTerms
from server.commerce.price_record import Low, day_of, with_prices
from server.commerce.pricing import (
    CAMPAIGN_AHEAD_MAX_MS,
    CAMPAIGN_LATE_MAX_MS,
    CAMPAIGN_MS,
    Kind,
    is_deep,
    show_price,
)
from server.store.outcome import Refused


@dataclass
class ReducedShelf(PricedShelf):
    """How they begin, and are stopped; by time they end in `advance`."""

    def start_show_flash(
        self,
        ts: int,
        flash_id: str,
        percent: int,
        skus: Sequence[str],
        *,
        in_ms: int,
        for_ms: int,
        confirm: bool,
        earlier: Mapping[str, Sequence[Low]],
    ) -> str | Refused:
        """Announce a percentage off all products, or some, as far as their floors allow."""
        self.advance(ts)
        if self.state == "ended":
            return Refused("show_closed")
        if self.show_flash:
            return Refused("flash_running")
        prices = self._show_prices(percent, skus)
        if isinstance(prices, Refused):
            return prices
        starts = self.sale_ms(ts) + in_ms
        terms = ShowTerms(flash_id, prices, starts, starts + for_ms)
        return self._start_reduction(ts, terms, percent, earlier, confirm=confirm)

    def start_campaign(
        self,
        ts: int,
        campaign_id: str,
        off: int | Mapping[str, int],
        skus: Sequence[str],
        *,
        window_ms: tuple[int, int],
        confirm: bool,
        earlier: Mapping[str, Sequence[Low]],
    ) -> str | Refused:
        """Announce a percentage off all products, or some, or else prices, from when until when on the
        server's clock.
        """
        self.advance(ts)
        starts, ends = max(window_ms[0], ts), window_ms[1]
        if not ts - CAMPAIGN_LATE_MAX_MS <= window_ms[0] <= ts + CAMPAIGN_AHEAD_MAX_MS:
            return Refused("bad_request", {"field": "starts_at_ms"})
        if not CAMPAIGN_MS[0] <= ends - starts <= CAMPAIGN_MS[1]:
            return Refused("bad_request", {"field": "ends_at_ms"})
        if self.state == "ended":
            return Refused("show_closed")
        if self.campaign:
            return Refused("campaign_running")
        percent = off if isinstance(off, int) else None
        prices = self._show_prices(off, skus) if isinstance(off, int) else self._named_prices(off)
        if isinstance(prices, Refused):
            return prices
        terms = CampaignTerms(campaign_id, prices, starts, ends)
        return self._start_reduction(ts, terms, percent, earlier, confirm=confirm)

    def _show_prices(self, percent: int, skus: Sequence[str]) -> dict[str, int] | Refused:
        """What so much off makes of these products, or all; what would be no reduction is left out."""
        if unknown := [sku for sku in skus if sku not in self.products]:
            return Refused("unknown_sku", {"sku": unknown[0]})
        prices: dict[str, int] = {}
        for sku in skus or self.products:
            product = self.products[sku]
            price = show_price(product.list_price_minor, percent, product.floor_minor)
            if price is not None:
                prices[sku] = price
        return prices or Refused("nothing_reduced")

    def _named_prices(self, asked: Mapping[str, int]) -> dict[str, int] | Refused:
        """These prices, if each is a reduction that its product's floor allows."""
        for sku, price in asked.items():
            if sku not in self.products:
                return Refused("unknown_sku", {"sku": sku})
            floor = self.products[sku].floor_minor
            if floor is not None and price < floor:
                return Refused("below_floor", {"sku": sku, "floor_minor": floor})
            if price >= self.products[sku].list_price_minor:
                return Refused("nothing_reduced", {"sku": sku})
        return dict(asked)

    def _start_reduction(
        self,
        ts: int,
        terms: ShowTerms | CampaignTerms,
        percent: int | None,
        earlier: Mapping[str, Sequence[Low]],
        *,
        confirm: bool,
    ) -> str | Refused:
        if not confirm and (costs := self._reduction_costs(terms.prices)):
            return Refused("confirm_required", {"percent_off": percent, **costs})
        for sku in terms.prices:
            self._end_flash_if_over(ts, sku)
            product = self.products[sku]
            product.record = with_prices(product.record, earlier.get(sku, ()), day_of(ts))
        match terms:
            case ShowTerms():
                self.show_flash = terms
            case CampaignTerms():
                self.campaign = terms
        self.reductions.add((terms.kind, terms.id))
        return "ok"

    def _reduction_costs(self, prices: Mapping[str, int]) -> dict[str, object]:
        """What it may cost, when some price of it has to be confirmed."""
        units = given_up = 0
        losses: list[int] = []
        risky = False
        for sku, price in prices.items():
            product = self.products[sku]
            parts = self.pieces(sku)
            all_of_it = min((self.left(part) + self.held(part)) // n for part, n in parts.items())
            units += all_of_it
            given_up += all_of_it * (product.list_price_minor - price)
            risky = risky or is_deep(product.list_price_minor, price)
            if product.cost_minor is not None:
                losses.append(all_of_it * max(0, product.cost_minor - price))
                risky = risky or price < product.cost_minor
        loss = sum(losses) if losses else None
        return {"units": units, "given_up_minor": given_up, "loss_minor": loss} if risky else {}

    def stop_reduction(self, ts: int, kind: Kind, reduction_id: str) -> str | Refused:
        """End a reduction of the whole show now."""
        self.advance(ts)
        if (kind, reduction_id) not in self.reductions:
            return Refused("unknown_flash" if kind == "show_flash" else "unknown_campaign")
        for terms in self.of_show:
            if terms.id == reduction_id:
                self._end_reduction(ts, terms)
        return "ok"
