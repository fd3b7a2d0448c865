"""Hypothesis' rules of the whole sale: what people, time and the gateway may do, in any order.

Here stand the waitlist, coupons and short stories (money that comes too late), so that deep states are
reached often. After every step everything must agree, and at the end of each example the log must chain.
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from support.price_rules import PriceRules
from support.sale import SHOW
from support.sale_looks import PEOPLE
from support.sale_rules import ANY_PRICE, SET, SKUS, codes, people, picks, prices, skus, small, some_hold

from server.commerce.bag import Wanted
from server.commerce.coupons import CouponSpec
from server.tokens import Principal


class SaleMachine(PriceRules):
    """See the module."""

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
