"""Hypothesis' rules about prices: flash prices, which may repeat, and reductions of the whole show."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from support.sale import CREATOR, SHOW
from support.sale_rules import ANY_PRICE, PARTS, SET, SKUS, SaleRules, people, prices, skus, small

from server.commerce.catalog import FlashStopped
from server.commerce.orders import Undone
from server.commerce.price_record import DAY_MS
from server.tokens import Principal

WINDOWS = (None, (2, 1), (3, 10))
"""Of a flash price: one; or how many, and seconds from the end of one to the announcement of the next."""
CAMPAIGNS_MS = (
    (0, 100_000),
    (5_000, 65_000),
    (3_000, 83_000),
    (-60_000, 60_000),
)
"""From when to when, from now."""
OTHER_CAMPAIGNS_MS = (
    (-60_001, 60_000),
    (0, 59_999),
    (90 * DAY_MS, 121 * DAY_MS),
    (90 * DAY_MS + 1, 91 * DAY_MS),
    (0, 31 * DAY_MS + 1),
)
"""Those that are far away, and those that cannot be."""
BETWEEN = ("", "floor", "list", "leave", "end", "stop")


class PriceRules(SaleRules):
    """See the module."""

    @rule(
        sku=skus,
        price=prices,
        window_s=st.sampled_from(((0, 5), (0, 150), (5, 20))),
        limits=st.tuples(small, small),
        how=st.tuples(
            st.none() | st.sampled_from((1, 33, 70, 71, 99)), st.booleans(), st.sampled_from(WINDOWS)
        ),
    )
    def start_flash(
        self,
        sku: str,
        price: int,
        window_s: tuple[int, int],
        limits: tuple[int | None, int | None],
        how: tuple[int | None, bool, tuple[int, int] | None],
    ) -> None:
        percent, confirm, windows = how
        asked = None if percent else price
        self.announce(sku, asked, window_s, limits, percent=percent, confirm=confirm, windows=windows)

    @rule(
        sku=skus,
        price=st.sampled_from((300, 400)),
        how=st.tuples(st.sampled_from(WINDOWS[1:]), small),
        who=people,
        meanwhile=st.tuples(st.booleans(), st.sampled_from((0, 500, 20_000)), st.sampled_from(BETWEEN)),
    )
    def repeat_a_flash(
        self,
        sku: str,
        price: int,
        how: tuple[tuple[int, int], int | None],
        who: Principal,
        meanwhile: tuple[bool, int, str],
    ) -> None:
        """Its first window goes by, or is used up; something happens; the sweeper comes, the next begins."""
        (windows, quantity), (early, late_ms, between) = how, meanwhile
        self.change_life(("live", False))
        self.change_the_bag([], everything=True)
        self.announce(sku, price, (0, 5), (quantity, None), windows=windows)
        self.place(who, self.new_key(), sku, 1, ANY_PRICE)
        self.happens(between if early else "", sku)
        flash = self.model.products[sku].flash
        if flash and not self.model.frozen_since_ms:
            self.move_clock_to(self.ts + max(0, flash.ends_sale_ms - self.model.sale_ms(self.ts)) + late_ms)
        self.happens("" if early else between, sku)
        self.sweep()
        self.time_reaches_a_deadline(0, 0)
        self.place(who, self.new_key(), sku, 1, ANY_PRICE)

    @rule(
        sku=skus,
        percent=st.sampled_from((70, 71)),
        cost=st.none() | st.just(500),
        windows=st.sampled_from(WINDOWS),
    )
    def ask_unconfirmed(
        self, sku: str, percent: int, cost: int | None, windows: tuple[int, int] | None
    ) -> None:
        """For a price that gives up much, in a show that is live."""
        self.change_life(("live", False))
        parts = PARTS if sku == SET else None
        self.put(sku, self.model.products[sku].list_price_minor, cost=cost, parts=parts)
        self.announce(sku, None, (0, 5), (None, None), percent=percent, confirm=False, windows=windows)

    def happens(self, between: str, sku: str) -> None:
        product, parts = self.model.products[sku], PARTS if sku == SET else None
        match between:
            case "floor":
                self.put(sku, product.list_price_minor, floor=product.list_price_minor, parts=parts)
            case "list":
                self.put(sku, product.list_price_minor + 1, parts=parts)
            case "leave":
                self.change_the_bag([each for each in (*SKUS, SET) if each != sku], everything=False)
            case "end":
                self.change_life(("ended", False))
            case "stop" if product.flash:
                self.stop_flash(list(self.model.flashes).index(product.flash.id))
            case _:
                pass

    @rule(
        percent=st.sampled_from((1, 30, 71)),
        named=st.sampled_from(((), (), ("mug",), ("vase", SET), ("none", "mug"))),
        window_s=st.sampled_from(((0, 5), (0, 150), (5, 20))),
        confirm=st.booleans(),
    )
    def start_show_flash(
        self, percent: int, named: tuple[str, ...], window_s: tuple[int, int], confirm: bool
    ) -> None:
        self.announce_show_flash(percent, list(named), window_s, confirm=confirm)

    @rule(
        percent=st.sampled_from((20, 71)),
        named=st.sampled_from(((), (), ("mug",), ("vase", SET), ("none", "mug"))),
        window_ms=st.sampled_from((*CAMPAIGNS_MS, *OTHER_CAMPAIGNS_MS)),
        confirm=st.booleans(),
    )
    def start_campaign(
        self, percent: int, named: tuple[str, ...], window_ms: tuple[int, int], confirm: bool
    ) -> None:
        self.announce_campaign(percent, list(named), window_ms, confirm=confirm)

    @rule(
        sku=skus,
        less=st.sampled_from((0, 1, 150, 150, 600)),
        floor=st.none() | st.just(-50),
        window_ms=st.sampled_from(CAMPAIGNS_MS),
        more=st.sampled_from(((), (), ("vase",), ("none",))),
    )
    def name_prices(
        self,
        sku: str,
        less: int,
        floor: int | None,
        window_ms: tuple[int, int],
        more: tuple[str, ...],
    ) -> None:
        """So much less than the list price; the floor may be 50 below that."""
        self.change_life(("live", False))
        listed, parts = self.model.products[sku].list_price_minor, PARTS if sku == SET else None
        self.put(sku, listed, floor=None if floor is None else listed + floor, parts=parts)
        prices = dict.fromkeys(more, 300) | {sku: max(1, listed - less)}
        self.announce_campaign(prices, [], window_ms, confirm=less == 150)

    @rule(
        window_ms=st.sampled_from(CAMPAIGNS_MS),
        over=st.sampled_from(("", "", "flash", "show")),
        who=people,
        sku=skus,
        meanwhile=st.tuples(st.booleans(), st.sampled_from(("", "list", "end"))),
    )
    def campaign_goes_by(
        self, window_ms: tuple[int, int], over: str, who: Principal, sku: str, meanwhile: tuple[bool, str]
    ) -> None:
        """It begins and ends while the show is on or is paused, perhaps below another reduction."""
        paused, between = meanwhile
        self.change_life(("live", False))
        self.put(sku, self.model.products[sku].list_price_minor, parts=PARTS if sku == SET else None)
        self.announce_campaign(20, [], window_ms, confirm=True)
        if over == "flash":
            self.announce(sku, 400, (0, 150), (None, None))
        elif over == "show":
            self.announce_show_flash(10, [], (0, 150), confirm=True)
        for _ in range(2):
            if paused:
                self.change_life(("paused", False))
            self.reach_the_campaigns_next()
            self.change_life(("live", False))
            self.place(who, self.new_key(), sku, 1, ANY_PRICE)
            self.check_all()
            self.happens(between, sku)

    @precondition(lambda self: self.model.reductions)
    @rule(pick=st.integers(0, 10))
    def stop_a_reduction_of_the_show(self, pick: int) -> None:
        known = [*sorted(self.model.reductions), ("show_flash", "none"), ("campaign", "none")]
        kind, name = known[pick % len(known)]
        self.stop_reduction("campaign" if kind == "campaign" else "show_flash", name)

    @precondition(lambda self: self.model.flashes)
    @rule(pick=st.integers(0, 10))
    def stop_flash(self, pick: int) -> None:
        flash_id = list(self.model.flashes)[pick % len(self.model.flashes)]
        real = self._run(self.sale.catalog.stop_flash(SHOW, CREATOR, flash_id))
        said = self.model.stop_flash(self.ts, flash_id)
        self.agree("ok" if isinstance(real, FlashStopped) else real, said)

    @precondition(lambda self: self.model.flashes)
    @rule(pick=st.integers(0, 10))
    def undo_flash(self, pick: int) -> None:
        flash_id = [*self.model.flashes, "none"][pick % (len(self.model.flashes) + 1)]
        real = self._run(self.sale.ledger.undo_flash(SHOW, CREATOR, flash_id, "wrong price"))
        said = self.model.undo_flash(self.ts, flash_id)
        self.agree("ok" if isinstance(real, Undone) else real, said)
        if isinstance(real, Undone):
            at_it = [o for o in self.model.orders.values() if flash_id in o.flashes]
            assert real.remaining == real.waiting == sum(o.state == "paying" for o in at_it)

    @rule(sku=skus, price=prices, limits=st.tuples(small, small), who=people, units=st.integers(1, 3))
    def flash_for_few(
        self, sku: str, price: int, limits: tuple[int | None, int | None], who: Principal, units: int
    ) -> None:
        self.announce(sku, price, (0, 150), limits)
        self.place(who, self.new_key(), sku, units, ANY_PRICE)
