"""The catalogue of the model (`model.py`): products, what is for sale, stock that comes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commerce.model_records import HoldPolicy, Product
from server.commerce.model_reductions import ReducedShelf
from server.commerce.price_record import Low, Record, day_of, with_prices
from server.store.outcome import Refused


@dataclass
class Catalogue(ReducedShelf):
    """What the seller changes."""

    def put_bag(self, ts: int, skus: Sequence[str]) -> str | Refused:
        """Sell these and no others, in this order. What has a flash price announced cannot leave."""
        self.advance(ts)
        if unknown := [sku for sku in skus if sku not in self.products]:
            return Refused("unknown_sku", {"sku": unknown[0]})
        rest = [sku for sku in self.products if sku not in skus]
        if running := [sku for sku in rest if sku not in self.off and self.products[sku].flash]:
            return Refused("flash_running", {"sku": running[0]})
        self.products = {sku: self.products[sku] for sku in (*skus, *rest)}
        self.off = set(rest)
        self.pin = "" if self.pin in self.off else self.pin
        return "ok"

    def put_product(
        self,
        ts: int,
        sku: str,
        price: int,
        *,
        stock: int | None = None,
        per_viewer_max: int | None = None,
        floor: int | None = None,
        parts: dict[str, int] | None = None,
        cost: int | None = None,
        earlier: Sequence[Low] = (),
        policy: HoldPolicy = "hold",
    ) -> str | Refused:
        """`earlier` here and below: what the seller's other shows say of its price."""
        self.advance(ts)
        old = self.products.get(sku)
        if old and stock is not None:
            return Refused("use_restock")
        if floor is not None and price < floor:
            return Refused("below_floor", {"floor_minor": floor})
        if old and (code := self._why_fixed(sku, price, policy)):
            return Refused(code)
        if old and old.parts != (parts or {}):
            return Refused("bundle_is_fixed", {"sku": sku})
        for part in parts or {}:
            if part not in self.products or self.products[part].parts:
                return Refused("bad_part", {"sku": part})
        if old:
            self._end_flash_if_over(ts, sku)
        record: Record = with_prices(old.record if old else (), earlier, day_of(ts))
        if old is None:
            self.products[sku] = Product(
                price,
                stock or 0,
                per_viewer_max,
                floor,
                cost,
                parts=parts or {},
                record=record,
                policy=policy,
            )
            return "ok"
        old.record = record
        if price != old.list_price_minor:
            old.version += 1
            self._note(ts, old, old.list_price_minor)
        old.list_price_minor, old.per_viewer_max = price, per_viewer_max
        old.floor_minor, old.cost_minor, old.policy = floor, cost, policy
        return "ok"

    def _why_fixed(self, sku: str, price: int, policy: HoldPolicy) -> str | None:
        """Why a product cannot get this list price and policy now."""
        product = self.products[sku]
        if price != product.list_price_minor:
            if product.flash or (self.show_flash and sku in self.show_flash.prices):
                return "flash_running"
            if self.campaign and sku in self.campaign.prices:
                return "campaign_running"
        return "policy_pinned" if self.pin == sku and policy != product.policy else None

    def put_pin(self, sku: str) -> str | Refused:
        """Pin a product, or ("") none."""
        if sku and sku not in self.products:
            return Refused("unknown_sku")
        if sku in self.off:
            return Refused("not_for_sale")
        self.pin = sku
        return "ok"

    def restock(self, ts: int, sku: str, delta: int) -> str | Refused:
        self.advance(ts)
        if sku not in self.products:
            return Refused("unknown_sku")
        if self.products[sku].parts:
            return Refused("bundle_has_no_stock")
        if self.left(sku) + delta < 0:
            return Refused("stock_underflow", {"left": self.left(sku)})
        self.products[sku].stock += delta
        return "ok"
