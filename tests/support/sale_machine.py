"""Hypothesis' rules over a `SalePair`: what people, time and the gateway may do, in any order.

Some rules are short stories (money that comes too late, a flash price for few), so that deep states are
reached often. After every step everything must agree, and at the end of each example the log must chain.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.sale import CREATOR, SHOW
from support.sale_pair import BAN, PEOPLE, Picked, SalePair

from server.commerce.bag import Wanted
from server.commerce.bags import BagSpec, BagView
from server.commerce.catalog import FlashStopped, Restocked
from server.commerce.coupons import CouponSpec
from server.commerce.ledger import Swept
from server.commerce.orders import OrderState, Undone
from server.commerce.price_record import DAY_MS
from server.store.store import Store
from server.tokens import Principal

SKUS = ("mug", "vase")
SET = "set"
PARTS = {"mug": 2, "vase": 1}
PRICES = (400, 700, 1000)
ANY_PRICE = 2000
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
OPEN = (("live", False),) * 3

small = st.none() | st.integers(1, 4)
few = st.integers(0, 5)
codes = st.sampled_from(("ONE", "TWO"))
skus = st.sampled_from((*SKUS, SET))
prices = st.sampled_from(PRICES)
people = st.sampled_from(PEOPLE)
picks = st.integers(0, 30)


def some_order(machine: "SaleMachine") -> bool:
    return bool(machine.ids)


def some_own_order(machine: "SaleMachine") -> bool:
    return len(machine.ids) > len(machine.turns)


def some_payment(machine: "SaleMachine") -> bool:
    return "paid" in (order.state for order in machine.model.orders.values())


def some_hold(machine: "SaleMachine") -> bool:
    return "held" in (order.state for order in machine.model.orders.values())


class SaleMachine(SalePair, RuleBasedStateMachine):
    """See the module."""

    def __init__(self, run: Callable[..., Any], store: Store) -> None:
        RuleBasedStateMachine.__init__(self)
        SalePair.__init__(self, run, store)

    @initialize(stock=st.tuples(few, few), caps=st.tuples(small, small))
    def start(self, stock: tuple[int, int], caps: tuple[int | None, int | None]) -> None:
        self.open_show()
        for sku, price, units, cap in zip(SKUS, PRICES[1:], stock, caps, strict=True):
            self.put(sku, price, stock=units, cap=cap, cost=500)
        self.put(SET, PRICES[-1], parts=PARTS)

    @rule(ms=st.sampled_from((1, 3_000, 20_000)))
    def time_passes(self, ms: int) -> None:
        self.move_clock_to(self.ts + ms)

    @rule(days=st.sampled_from((1, 29, 30, 31)))
    def days_pass(self, days: int) -> None:
        """And the sweeper is there: a flash price counts until the day on which its end was written."""
        self.sweep()
        self.move_clock_to(self.ts + days * DAY_MS)
        self.days_passed += days
        self.sweep()

    @rule(sku=skus, price=prices, days_ago=st.sampled_from((0, 1, 30, 31)))
    def sell_elsewhere(self, sku: str, price: int, days_ago: int) -> None:
        self.sold_elsewhere(sku, price, days_ago)

    @rule(before=st.sampled_from((0, 0, 1)), pick=st.integers(0, 10))
    def time_reaches_a_deadline(self, before: int, pick: int) -> None:
        now = self.model.sale_ms(self.ts)
        deadlines = [order.expires_sale_ms for order in self.model.orders.values()]
        for product in self.model.products.values():
            if product.flash:
                deadlines += [product.flash.starts_sale_ms, product.flash.ends_sale_ms]
        if terms := self.model.show_flash:
            deadlines += terms.window
        away = [] if self.model.frozen_since_ms else [at - now for at in deadlines]
        if terms := self.model.campaign:
            away += [at - self.ts for at in terms.window]
        ahead = sorted({ms - before for ms in away if before < ms < DAY_MS})
        if ahead:
            self.move_clock_to(self.ts + ahead[pick % len(ahead)])

    @rule()
    def sweep(self) -> None:
        swept = self._run(self.sale.ledger.expire_due(SHOW))
        assert isinstance(swept, Swept)
        self.model.sweep(self.ts)
        self.model.go_on_undoing(self.ts, self.model.undone)
        assert not self.due_among(self.records())

    @rule(life=st.sampled_from((*OPEN, ("paused", False), ("live", True), ("ended", False))))
    def change_life(self, life: tuple[str, bool]) -> None:
        state, sales_paused = life
        if self.model.state == "ended":  # no show comes back from there; what it has left undone is written
            self.sweep()
        self.announce_life(state, sales_paused=sales_paused)
        self.model.set_life(self.ts, state=state, sales_paused=sales_paused)
        self.sweep_for_those_in_line()

    @rule(who=people, off=st.booleans())
    def ban(self, who: Principal, off: bool) -> None:
        if off:
            self.model.banned.discard(who.pid)
        else:
            self.model.banned.add(who.pid)
        self.write(BAN, "unban" if off else "ban", who.pid)

    @rule(
        sku=skus,
        price=prices,
        stock=st.none() | few,
        cap=small,
        bounds=st.tuples(st.none() | st.sampled_from((400, 800)), st.none() | st.sampled_from((300, 900))),
    )
    def put_product(
        self, sku: str, price: int, stock: int | None, cap: int | None, bounds: tuple[int | None, int | None]
    ) -> None:
        floor, cost = bounds
        is_set = sku == SET
        parts = PARTS if is_set else None
        self.put(sku, price, stock=None if is_set else stock, cap=cap, floor=floor, cost=cost, parts=parts)

    @rule(sku=skus, parts=st.sampled_from(({"mug": 1}, {SET: 1}, {"none": 1})))
    def put_other_parts(self, sku: str, parts: dict[str, int]) -> None:
        self.put(sku, self.model.products[sku].list_price_minor, parts=parts)

    @rule(parts=st.sampled_from(({SET: 1}, {"none": 1}, {"mug": 1, "none": 2})))
    def put_a_wrong_bundle(self, parts: dict[str, int]) -> None:
        self.put("wrong", PRICES[0], parts=parts)

    @rule(bag=st.lists(skus, unique=True, max_size=3), everything=st.booleans())
    def change_the_bag(self, bag: list[str], everything: bool) -> None:
        bag = bag if not everything else [*SKUS, SET]
        real = self._run(self.sale.bags.put(SHOW, CREATOR, BagSpec(skus=bag)))
        self.agree("ok" if isinstance(real, BagView) else real, self.model.put_bag(self.ts, bag))
        self.sweep_for_those_in_line()

    @rule(sku=skus, delta=st.integers(-4, 4))
    def restock(self, sku: str, delta: int) -> None:
        real = self._run(self.sale.catalog.restock(SHOW, CREATOR, sku, delta, idempotency_key=self.new_key()))
        self.agree("ok" if isinstance(real, Restocked) else real, self.model.restock(self.ts, sku, delta))

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

    @rule(
        who=people,
        sku=st.sampled_from((*SKUS, SET, "none")),
        quantity=st.integers(1, 3),
        seen=st.sampled_from(PRICES),
    )
    def hold(self, who: Principal, sku: str, quantity: int, seen: int) -> None:
        self.place(who, self.new_key(), sku, quantity, seen)

    @rule(who=people, sku=skus, quantity=st.integers(1, 3))
    def hold_at_any_price(self, who: Principal, sku: str, quantity: int) -> None:
        self.place(who, self.new_key(), sku, quantity, ANY_PRICE)

    @rule(who=people, sku=st.sampled_from((*SKUS, *SKUS, SET, "none")))
    def stand_in_line(self, who: Principal, sku: str) -> None:
        self.join(who, sku)

    @rule(sku=st.sampled_from(SKUS), line=st.permutations(PEOPLE), units=st.integers(1, 2), cap=small)
    def wait_for_the_last(self, sku: str, line: list[Principal], units: int, cap: int | None) -> None:
        """Somebody has all that is left, all stand in line, perhaps the cap is lowered, and some more units
        come, or the hold is let go.
        """
        self.place(PEOPLE[0], self.new_key(), sku, max(1, self.model.free(sku)), ANY_PRICE)
        for who in line:
            self.join(who, sku)
        self.put(sku, self.model.products[sku].list_price_minor, cap=cap)
        if units == 1 and self.ids:
            self.let_go(self.pick_order(-1))
        else:
            self.restock(sku, units)

    @precondition(lambda self: some_hold(self) and any(self.model.waiting.values()))
    @rule(pick=picks, who=people, sku=st.sampled_from(SKUS), units=st.integers(1, 2))
    def come_before_the_sweeper(self, pick: int, who: Principal, sku: str, units: int) -> None:
        """A hold is due, and somebody asks before those in line have been given their turn."""
        order = self.model.orders[self.pick_held(pick)]
        self.move_clock_to_the_end_of(order, swept=False)
        self.place(who, self.new_key(), sku, units, ANY_PRICE)
        self.sweep()

    @rule(who=people, sku=st.sampled_from(SKUS))
    def leave_the_line(self, who: Principal, sku: str) -> None:
        assert self._run(self.waitlist.leave(SHOW, who, sku)) is None
        self.model.leave(sku, who.pid)

    @rule(who=people, quantities=st.tuples(small, small), seen=st.sampled_from((700, ANY_PRICE)))
    def hold_a_bag(self, who: Principal, quantities: tuple[int | None, int | None], seen: int) -> None:
        """Both products, or one of them and one that there is not."""
        self.place_bag(who, self.new_key(), self.bag(quantities, seen))

    @rule(
        code=codes,
        off=st.sampled_from(((10, None), (80, None), (None, 300), (None, 2_000))),
        named=st.sampled_from((None, None, ["mug"], ["vase", SET], ["none"])),
        limits=st.tuples(small, small),
        lasts=st.tuples(st.none() | st.just(60), st.booleans()),
    )
    def make_a_coupon(
        self,
        code: str,
        off: tuple[int | None, int | None],
        named: list[str] | None,
        limits: tuple[int | None, int | None],
        lasts: tuple[int | None, bool],
    ) -> None:
        (percent, amount), (quantity, cap), (seconds, confirm) = off, limits, lasts
        spec = CouponSpec(
            percent_off=percent,
            amount_off_minor=amount,
            skus=named,
            quantity=quantity,
            per_viewer_max=cap,
            expires_in_s=seconds,
            confirm=confirm,
        )
        self.make_coupon(code, spec)

    @rule(code=codes)
    def end_a_coupon(self, code: str) -> None:
        self.end_coupon(code)

    @rule(who=people, code=codes, quantities=st.tuples(small, small), seen=st.sampled_from((700, ANY_PRICE)))
    def buy_with_a_coupon(
        self, who: Principal, code: str, quantities: tuple[int | None, int | None], seen: int
    ) -> None:
        lines = [Wanted(sku, n, seen) for sku, n in zip(SKUS, quantities, strict=True) if n]
        self.place_bag(who, self.new_key(), lines or [Wanted(SET, 1, seen)], code)

    @rule(
        who=people,
        limits=st.sampled_from(((None, 1), (1, None), (2, 1), (1, 2), (None, None))),
        sku=st.sampled_from(SKUS),
        end=st.sampled_from(("", "", "let go", "wait", "ended")),
    )
    def use_a_coupon_up(
        self, who: Principal, limits: tuple[int | None, int | None], sku: str, end: str
    ) -> None:
        """One buys with it until that is refused; each may be let go or run out, or the coupon is ended."""
        code, (cap, quantity) = f"C-{self.new_key()}".upper(), limits
        spec = CouponSpec(percent_off=10, quantity=quantity, per_viewer_max=cap, confirm=True)
        self.make_coupon(code, spec)
        self.restock(sku, 3)
        for _ in range(3):
            key = (who.pid, self.new_key())
            self.place_bag(who, key[1], [Wanted(sku, 1, ANY_PRICE)], code)
            if key in self.ids and end == "let go":
                self.let_go(self.pick_order(0, [key]))
            elif key in self.ids and end == "wait":
                self.move_clock_to_the_end_of(self.model.orders[key])
            elif end == "ended":
                self.end_coupon(code)

    @rule(who=people, first=st.booleans(), units=st.integers(1, 2), sets=st.integers(1, 2))
    def hold_a_bundle_and_its_part(self, who: Principal, first: bool, units: int, sets: int) -> None:
        bag = [Wanted("mug", units, ANY_PRICE), Wanted(SET, sets, ANY_PRICE)]
        self.place_bag(who, self.new_key(), bag if first else bag[::-1])

    @rule(
        who=people,
        quantities=st.tuples(st.integers(1, 2), st.integers(1, 2)),
        back=st.none() | st.sampled_from(SKUS),
    )
    def buy_a_bag(self, who: Principal, quantities: tuple[int, int], back: str | None) -> None:
        """And perhaps one line of it goes back."""
        key = self.new_key()
        self.place_bag(who, key, self.bag(quantities, ANY_PRICE))
        self.pay_for(who, key)
        if back and (who.pid, key) in self.ids:
            self.take_back(self.pick_order(0, [(who.pid, key)]), restock=True, sku=back)

    @rule(who=people, sku=skus)
    def buy(self, who: Principal, sku: str) -> None:
        key = self.new_key()
        self.place(who, key, sku, 1, ANY_PRICE)
        self.pay_for(who, key)

    @precondition(some_hold)
    @rule(pick=picks, who=people, quantity=st.sampled_from((0, 1, 2, None)), swept=st.booleans())
    def pay_too_late(self, pick: int, who: Principal, quantity: int | None, swept: bool) -> None:
        """The money comes when the hold has expired, and perhaps somebody has taken units (None: all)."""
        key = self.pick_held(pick)
        order = self.model.orders[key]
        self.try_to_pay(list(self.ids).index(key), "tok_1")
        self.move_clock_to_the_end_of(order)
        if swept:
            self.sweep()
        self.model.advance(self.ts)
        sku = order.lines[-1].sku
        units = self.model.left(sku) if quantity is None else quantity
        if units:
            self.place(who, self.new_key(), sku, units, ANY_PRICE)
        self.book(self.pick_order(0, [key]), len(order.attempts), approved=True)

    @precondition(some_hold)
    @rule(pick=picks)
    def pay_in_vain(self, pick: int) -> None:
        key = self.pick_held(pick)
        self.try_to_pay(list(self.ids).index(key), "tok_1")
        self.book(self.pick_order(0, [key]), len(self.model.orders[key].attempts), approved=False)

    @precondition(some_hold)
    @rule(pick=picks, before=st.sampled_from((0, 1)), pay=st.booleans())
    def act_at_the_last_moment(self, pick: int, before: int, pay: bool) -> None:
        key = self.pick_held(pick)
        self.move_clock_to_the_end_of(self.model.orders[key], before)
        if pay:
            self.try_to_pay(list(self.ids).index(key), "tok_1")
        else:
            self.let_go(self.pick_order(0, [key]))

    @rule(sku=skus, price=prices, limits=st.tuples(small, small), who=people, units=st.integers(1, 3))
    def flash_for_few(
        self, sku: str, price: int, limits: tuple[int | None, int | None], who: Principal, units: int
    ) -> None:
        self.announce(sku, price, (0, 150), limits)
        self.place(who, self.new_key(), sku, units, ANY_PRICE)

    @rule(who=people, sku=skus, price=prices, late=st.booleans(), other=st.booleans())
    def undo_while_paying(self, who: Principal, sku: str, price: int, late: bool, other: bool) -> None:
        """A flash price is undone while somebody pays (and for something else, too), in time or too late."""
        self.announce(sku, price, (0, 150), (None, None))
        key = (who.pid, self.new_key())
        more = [Wanted(each, 1, ANY_PRICE) for each in SKUS if other and each != sku]
        self.place_bag(who, key[1], [Wanted(sku, 1, ANY_PRICE), *more])
        if key in self.ids and (flash := self.model.orders[key].lines[0].price.flash_id):
            self.try_to_pay(list(self.ids).index(key), "tok_1")
            if late:
                self.move_clock_to_the_end_of(self.model.orders[key])
            self.undo_flash(list(self.model.flashes).index(flash))
            self.book(self.pick_order(0, [key]), 1, approved=True)

    @precondition(some_own_order)
    @rule(pick=picks, other=st.booleans())
    def repeat_a_hold(self, pick: int, other: bool) -> None:
        """The same key again, with the same body or another one."""
        asked_for = [each for each in self.ids if each not in self.turns]
        who, order_id, order = self.pick_order(pick, asked_for)
        key = next(key for (_, key), known in self.ids.items() if known == order_id)
        first, *rest = (Wanted(line.sku, line.quantity, line.seen_price_minor) for line in order.lines)
        bag = [first._replace(quantity=first.quantity + other), *rest]
        self.place_bag(who, key, bag, order.coupon)

    @precondition(some_order)
    @rule(pick=picks, token=st.sampled_from(("tok_1", "tok_2")))
    def pay(self, pick: int, token: str) -> None:
        self.try_to_pay(pick, token)

    @precondition(lambda self: any(order.attempts for order in self.model.orders.values()))
    @rule(pick=picks, back=st.sampled_from((0, 0, 0, 1, -1)), approved=st.booleans())
    def settle(self, pick: int, back: int, approved: bool) -> None:
        tried = [key for key, order in self.model.orders.items() if order.attempts]
        picked = self.pick_order(pick, tried)
        self.book(picked, max(1, len(picked[2].attempts) - back), approved=approved)

    @precondition(some_order)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self.let_go(self.pick_order(pick))

    @precondition(some_order)
    @rule(pick=picks, restock=st.booleans())
    def refund(self, pick: int, restock: bool) -> None:
        self.take_back(self.pick_order(pick), restock=restock)

    @precondition(some_payment)
    @rule(
        pick=picks,
        restock=st.booleans(),
        amount=st.none() | st.sampled_from((1, 400, 1000)),
        units=few,
        sku=st.just("") | skus,
    )
    def refund_a_part(self, pick: int, restock: bool, amount: int | None, units: int, sku: str) -> None:
        paid = [key for key in self.ids if self.model.orders[key].state == "paid"]
        units, sku = (0, "") if amount else (units, sku)
        self.take_back(
            self.pick_order(pick, paid), restock=restock, amount=amount, units=units or None, sku=sku
        )

    @rule(who=people, sku=skus, amount=st.sampled_from((1, 5_000)), told=st.booleans())
    def give_back_what_was_just_paid(self, who: Principal, sku: str, amount: int, told: bool) -> None:
        """And perhaps the gateway says of all refunds but that one that they are done."""
        key = self.new_key()
        self.place(who, key, sku, 1, ANY_PRICE)
        self.pay_for(who, key)
        if (who.pid, key) in self.ids and self.model.orders[who.pid, key].state == "paid":
            self.take_back(self.pick_order(0, [(who.pid, key)]), restock=True, amount=amount)
            if told:
                self.tell_refunded(self.pick_order(0, [(who.pid, key)]), less=1)

    @precondition(some_order)
    @rule(pick=picks, less=st.sampled_from((0, 0, 1)))
    def refunded(self, pick: int, less: int) -> None:
        orders = self.model.orders
        owed = [key for key in self.ids if orders[key].returned < len(orders[key].refunds)]
        self.tell_refunded(self.pick_order(pick, owed), less)

    def tell_refunded(self, picked: Picked, less: int) -> None:
        """The gateway has given back all refunds, or so many `less`."""
        _, order_id, order = picked
        asked = max(0, len(order.refunds) - less)
        names = [f"r{n}" for n in range(1, asked + 1)]
        real = self._run(self.sale.ledger.refunded(SHOW, order_id, names))
        assert isinstance(real, OrderState)
        view = real.view()
        self.model.advance(self.ts)
        asked = max(order.returned, asked)
        said = self.model.refunded(order, asked)
        self.agree(self.seen_state(view.state, view.expires_sale_ms), said)

    def bag(self, quantities: tuple[int | None, int | None], seen: int) -> list[Wanted]:
        """So many of each; None of one: the other and what there is not, or (of both) the first alone."""
        lines = [Wanted(sku, n, seen) for sku, n in zip(SKUS, quantities, strict=True) if n]
        return (
            lines
            if len(lines) == len(SKUS)
            else [*(lines or [Wanted(SKUS[0], 1, seen)]), Wanted("none", 1, seen)]
        )

    def pay_for(self, who: Principal, key: str) -> None:
        if (who.pid, key) in self.ids:
            pick = list(self.ids).index((who.pid, key))
            self.try_to_pay(pick, "tok_1")
            self.book(self.pick_order(pick), 1, approved=True)

    @invariant()
    def agree_on_all(self) -> None:
        self.check_all()

    def teardown(self) -> None:
        self.check_log()
