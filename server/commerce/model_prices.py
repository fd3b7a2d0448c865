"""The part of the model (`model.py`) in which prices change: the clock and flash prices. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.commerce.model_records import PENDING, FlashTerms, Order, Product, Reduction
from server.commerce.model_shelf import Shelf
from server.commerce.price_record import Low, day_of, reference_price, with_prices
from server.commerce.pricing import (
    Flash,
    Prices,
    Repeat,
    is_deep,
    next_window,
    preview,
    price_below,
    price_in_force,
    reduced,
)
from server.store.outcome import Refused


@dataclass
class PricedShelf(Shelf):
    """A shelf on which prices change, by themselves and when somebody says so."""

    # clock

    def set_life(self, ts: int, *, state: str | None = None, sales_paused: bool | None = None) -> None:
        """Start, pause, resume, end; pause and resume sales. The sale clock stops while either is paused."""
        self.advance(ts)
        self.state = state or self.state
        self.sales_paused = self.sales_paused if sales_paused is None else sales_paused
        frozen = self.state == "paused" or (self.state == "live" and self.sales_paused)
        if frozen and not self.frozen_since_ms:
            self.frozen_since_ms = ts
        elif not frozen and self.frozen_since_ms:
            self.frozen_total_ms += ts - self.frozen_since_ms
            self.frozen_since_ms = 0

    def advance(self, ts: int) -> None:
        """Everything that only the passing of time brings about.

        The next window of a flash price that repeats is announced by who writes that the last is over
        (`sweep`), and until then the product has that last one.
        """
        now = self.sale_ms(ts)
        for order in self.orders.values():
            if order.state in PENDING and order.expires_sale_ms <= now:
                order.state = "expired"
        for terms in self.of_show:
            if terms.begun(self.at(ts)) == 2:
                self._end_reduction(ts, terms)
        for product in self.products.values():
            if product.flash and product.flash.ends_sale_ms <= now and not self._goes_on(ts, product):
                self._end_flash(ts, product)

    def sweep(self, ts: int) -> None:
        """What time has brought about is written: flash prices that repeat go on, and a show that is over
        ends what reduces all of it.
        """
        self.advance(ts)
        for terms in self.of_show if self.state == "ended" else ():
            self._end_reduction(ts, terms)
        for sku in self.products:
            self._end_flash_if_over(ts, sku)

    # reductions

    def start_flash(
        self,
        ts: int,
        terms: FlashTerms,
        *,
        flash_id: str,
        price: int | None,
        percent: int | None,
        in_ms: int,
        for_ms: int,
        confirm: bool,
        earlier: Sequence[Low] = (),
    ) -> str | Refused:
        """Announce a price, or else a percentage off the list price."""
        self.advance(ts)
        product = self.products.get(terms.sku)
        if product is None:
            return Refused("unknown_sku")
        if self.state == "ended":
            return Refused("show_closed")
        if terms.sku in self.off:
            return Refused("not_for_sale")
        if product.flash:
            return Refused("flash_running")
        listed, cost = product.list_price_minor, product.cost_minor
        price = reduced(listed, percent or 0) if price is None else price
        if product.floor_minor is not None and price < product.floor_minor:
            return Refused("below_floor", {"floor_minor": product.floor_minor})
        if (is_deep(listed, price) or (cost is not None and price < cost)) and not confirm:
            parts = product.parts or {terms.sku: 1}
            units = min((self.left(part) + self.held(part)) // n for part, n in parts.items())
            windows = terms.repeat.times if terms.repeat else 1
            units = units if terms.quantity is None else min(terms.quantity * windows, units)
            return Refused("confirm_required", preview(listed, price, cost, units, windows))
        starts = self.sale_ms(ts) + in_ms
        product.record = with_prices(product.record, earlier, day_of(ts))
        self._announce(ts, terms, Flash(flash_id, price, 0, starts, starts + for_ms))
        return "ok"

    def _announce(self, ts: int, terms: FlashTerms, flash: Flash) -> None:
        """From its second window on a flash price is never told to be reduced from more than itself."""
        product = self.products[terms.sku]
        reference = self.reference_price(ts, terms.sku, anew=True)
        if reference is not None and terms.repeat and terms.repeat.n > 1:
            reference = min(reference, flash.price_minor)
        version = price_in_force(self.prices(terms.sku), self.at(ts)).version
        product.reference_minor, product.flash = reference, flash._replace(version=version + 1)
        self.flashes[flash.id] = terms

    def stop_flash(self, ts: int, flash_id: str) -> str | Refused:
        """End it, and whatever of it would follow; any of its windows may be named."""
        self.advance(ts)
        if flash_id not in self.flashes:
            return Refused("unknown_flash")
        product = self.products[self.flashes[flash_id].sku]
        if product.flash and self._series(product.flash.id) == self._series(flash_id):
            self._end_flash(ts, product, stops=True)
        return "ok"

    def _series(self, flash_id: str) -> str:
        repeat = self.flashes[flash_id].repeat
        return repeat.series if repeat else flash_id

    def undo_flash(self, ts: int, flash_id: str) -> str | Refused:
        """Take back what was sold at a flash price, which ends."""
        stopped = self.stop_flash(ts, flash_id)
        if stopped == "ok":
            self.undone.add(flash_id)
            self.go_on_undoing(ts, {flash_id})
        return stopped

    def go_on_undoing(self, ts: int, flashes: set[str]) -> None:
        """What the sweeper does with all that are undone: some who were paying may have paid by now."""
        self.advance(ts)
        for order in self.orders.values():
            if order.flashes & flashes and order.state in ("held", "open"):
                order.state = "cancelled"
            elif order.state == "paid":
                for flash in sorted(order.flashes & flashes):
                    self._take_lines_back(order, flash)

    def _take_lines_back(self, order: Order, flash: str) -> None:
        """What was sold at this flash price; all of the order when that is all the money that is left."""
        at_it = [line.price.flash_id == flash for line in order.lines]
        units = [n if here else 0 for n, here in zip(order.units, at_it, strict=True)]
        if order.state == "paid" and any(units):
            everything = order.price_of(units) >= order.left_minor
            back = (order.left_minor, order.units) if everything else (order.price_of(units), units)
            order.refunds.append(back)
            order.state = "paid" if order.left_minor else "refund_due"

    def _goes_on(self, ts: int, product: Product) -> tuple[Repeat, int] | None:
        """The window that follows the product's flash price, and its start."""
        flash, floor = product.flash, product.floor_minor
        repeat = self.flashes[flash.id].repeat if flash else None
        if not flash or not repeat or self.state == "ended":
            return None
        if floor is not None and flash.price_minor < floor:
            return None
        return next_window(repeat, flash.starts_sale_ms, self.sale_ms(ts))

    def _end_flash_if_over(self, ts: int, sku: str) -> None:
        product = self.products[sku]
        if product.flash and product.flash.ends_sale_ms <= self.sale_ms(ts):
            self._end_flash(ts, product)

    def _end_flash(self, ts: int, product: Product, *, stops: bool = False) -> None:
        flash = product.flash
        if flash is None:
            return
        following = None if stops else self._goes_on(ts, product)
        if flash.starts_sale_ms <= self.sale_ms(ts):
            self._note(ts, product, flash.price_minor)
        product.version, product.flash = product.version + 2, None
        if following:
            repeat, starts = following
            ends = starts + flash.ends_sale_ms - flash.starts_sale_ms
            terms = replace(self.flashes[flash.id], repeat=repeat)
            self._announce(ts, terms, Flash(repeat.id, flash.price_minor, 0, starts, ends))

    def _note(self, ts: int, product: Product, price: int) -> None:
        """This price is in force no more."""
        if self.state != "scheduled":
            product.record = with_prices(product.record, [(price, day_of(ts))], day_of(ts))

    def prices(self, sku: str) -> Prices:
        """All that a product's price follows from."""
        product = self.products[sku]
        version = product.version + self.price_steps
        of_show = tuple(terms.of(sku) for terms in self.of_show)
        return Prices(product.list_price_minor, version, product.flash, of_show)

    def reference_price(self, ts: int, sku: str, *, anew: bool = False) -> int | None:
        """The lowest price of 30 days, before the flash price where one is announced, else before the
        reductions that are announced or run, or (`anew`) a flash price that is announced now.
        """
        product, prices, now = self.products[sku], self.prices(sku), self.at(ts)
        if product.flash and product.flash.ends_sale_ms > now.sale_ms:
            return product.reference_minor
        price = price_in_force(prices, now).price_minor if anew else price_below(prices, now)
        return reference_price(product.record, None if self.state == "scheduled" else price, day_of(ts))

    def _end_reduction(self, ts: int, terms: Reduction) -> None:
        if terms.begun(self.at(ts)):
            for sku, price in terms.prices.items():
                self._note(ts, self.products[sku], price)
        if terms.kind == "show_flash":
            self.show_flash = None
        else:
            self.campaign = None
        self.price_steps += 2

    def _end_if_used_up(self, ts: int, order: Order) -> None:
        for flash_id in order.flashes:
            terms = self.flashes[flash_id]
            product = self.products[terms.sku]
            used_up = terms.quantity is not None and self.flash_bought(flash_id) >= terms.quantity
            flash = product.flash if used_up else None
            if flash and flash.id == flash_id and flash.ends_sale_ms > self.sale_ms(ts):
                self._end_flash(ts, product)
