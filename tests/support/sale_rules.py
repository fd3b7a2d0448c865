"""Hypothesis' rules over a `SalePair`: time, the catalogue, and what becomes of orders, in any order."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.sale import CREATOR, SHOW
from support.sale_looks import BAN, PEOPLE, Picked
from support.sale_pair import SalePair

from server.commerce.bag import Wanted
from server.commerce.bags import BagSpec, BagView
from server.commerce.catalog import Restocked
from server.commerce.ledger import Swept
from server.commerce.model_records import HoldPolicy
from server.commerce.orders import OrderState
from server.commerce.price_record import DAY_MS
from server.store.store import Store
from server.tokens import Principal

SKUS = ("mug", "vase")
SET = "set"
PARTS = {"mug": 2, "vase": 1}
PRICES = (400, 700, 1000)
ANY_PRICE = 2000
OPEN = (("live", False),) * 3

small = st.none() | st.integers(1, 4)
few = st.integers(0, 5)
codes = st.sampled_from(("ONE", "TWO"))
policies: st.SearchStrategy[HoldPolicy] = st.sampled_from(("hold", "hold", "pay_first", "lottery"))
skus = st.sampled_from((*SKUS, SET))
prices = st.sampled_from(PRICES)
people = st.sampled_from(PEOPLE)
picks = st.integers(0, 30)


def some_order(machine: "SaleRules") -> bool:
    return bool(machine.ids)


def some_own_order(machine: "SaleRules") -> bool:
    return len(machine.ids) > len(machine.turns)


def some_payment(machine: "SaleRules") -> bool:
    return "paid" in (order.state for order in machine.model.orders.values())


def some_hold(machine: "SaleRules") -> bool:
    return "held" in (order.state for order in machine.model.orders.values())


class SaleRules(SalePair, RuleBasedStateMachine):
    """See the module."""

    def __init__(self, run: Callable[..., Any], store: Store) -> None:
        RuleBasedStateMachine.__init__(self)
        SalePair.__init__(self, run, store)

    @initialize(stock=st.tuples(few, few), caps=st.tuples(small, small), pays_first=st.booleans())
    def start(self, stock: tuple[int, int], caps: tuple[int | None, int | None], *, pays_first: bool) -> None:
        self.open_show()
        for sku, price, units, cap in zip(SKUS, PRICES[1:], stock, caps, strict=True):
            policy = "pay_first" if pays_first and sku == SKUS[1] else "hold"
            self.put(sku, price, stock=units, cap=cap, cost=500, policy=policy)
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

    @rule(sku=skus, policy=policies)
    def put_policy(self, sku: str, policy: HoldPolicy) -> None:
        """What is pinned keeps its own."""
        parts = PARTS if sku == SET else None
        self.put(sku, self.model.products[sku].list_price_minor, parts=parts, policy=policy)

    @rule(sku=st.sampled_from(("", *SKUS, "none")))
    def pin(self, sku: str) -> None:
        self.put_pin(sku)

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

    @rule(who=people, quantities=st.tuples(small, small), seen=st.sampled_from((700, ANY_PRICE)))
    def hold_a_bag(self, who: Principal, quantities: tuple[int | None, int | None], seen: int) -> None:
        """Both products, or one of them and one that there is not."""
        self.place_bag(who, self.new_key(), self.bag(quantities, seen))

    @rule(who=people, first=st.booleans(), units=st.integers(1, 2), sets=st.integers(1, 2))
    def hold_a_bundle_and_its_part(self, who: Principal, first: bool, units: int, sets: int) -> None:
        bag = [Wanted("mug", units, ANY_PRICE), Wanted(SET, sets, ANY_PRICE)]
        self.place_bag(who, self.new_key(), bag if first else bag[::-1])

    @rule(who=people, sku=skus)
    def buy(self, who: Principal, sku: str) -> None:
        key = self.new_key()
        self.place(who, key, sku, 1, ANY_PRICE)
        self.pay_for(who, key)

    @rule(who=st.permutations(PEOPLE), approved=st.booleans(), later=st.booleans())
    def two_pay_first(self, who: list[Principal], *, approved: bool, later: bool) -> None:
        """Each has opened an order of all that is left, then both begin to pay, or one is banned by then."""
        units = self.model.free(SKUS[1])
        if self.model.products[SKUS[1]].policy != "pay_first" or units < 1:
            return
        orders = [(person, self.new_key()) for person in who[:2]]
        for person, key in orders:
            self.place(person, key, SKUS[1], units, ANY_PRICE)
        if later:
            self.ban(who[0], off=False)
        opened = [(person.pid, key) for person, key in orders if (person.pid, key) in self.ids]
        for each in opened:
            self.try_to_pay(list(self.ids).index(each), each[1])
        for each in opened:
            if self.model.orders[each].attempts:
                self.book(self.pick_order(0, [each]), 1, approved=approved)

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
