"""A process dies between any two steps of a payment, another one finishes: never paid and no order, nor taken
and not paid.

Every step that leaves the process (a script, a call of the gateway) is a place to die: before it, or after it
has taken effect and before anybody knows.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from support.sale import ANNA, BORIS, CREATOR, EXTENSION_MS, HOLD_MS, SHOW
from support.shop import Shop
from support.store import advance
from support.stripe_stand_in import SECRET_KEY, StandIn, stand_in

from server.commerce.checkout import Checkout
from server.commerce.ledger import Ledger
from server.commerce.payments.gateway import Gateway
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.stripe_gateway import StripeGateway
from server.store.store import Store

STEPS = 8  # begin, authorise, settle, capture, done; refund, give back, refunded


class Died(BaseException):
    """The process is gone: nothing catches this."""


class Mortal:
    """Stands before a part and dies at the n-th call of any of those that share `life`."""

    def __init__(self, part: object, life: "Life") -> None:
        self._part, self._life = part, life

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._part, name)
        return self._life.step(attribute) if inspect.iscoroutinefunction(attribute) else attribute


class Life:
    """Ends at step `at`, before it or (`after`) when it has taken effect."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.steps = at, after, 0
        self.over = False

    def step(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def carried_out(*args: object, **more: object) -> object:
            self.steps += 1
            dies = self.steps >= self.at
            if self.over or (dies and not self.after):
                self.over = True
                raise Died
            result = await call(*args, **more)
            if dies:
                self.over = True
                raise Died
            return result

        return carried_out


@pytest.fixture
async def stripe() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


@pytest.fixture
async def shop(store: Store, stripe: StandIn) -> AsyncIterator[Shop]:
    records = StoreRecords(store)
    gateway = StripeGateway(
        records, secret_key=SECRET_KEY, api_base=stripe.url, public_url="https://x.example"
    )
    shop = Shop(store, gateway)
    await shop.sale.start()
    await shop.sale.product(stock=1)
    yield shop
    await shop.reconciler.close()
    await shop.checkout.close()


def mortal(shop: Shop, life: Life) -> Checkout:
    ledger = cast("Ledger", Mortal(shop.sale.ledger, life))
    return Checkout(ledger, cast("Gateway", Mortal(shop.gateway, life)))


async def live_and_die(shop: Shop, life: Life, order: str, *, refund: bool) -> None:
    """One process pays (and gives back), as far as it comes."""
    checkout = mortal(shop, life)
    with contextlib.suppress(Died):
        await checkout.pay(SHOW, ANNA, order, "pm_ok")
        while checkout.is_busy:
            await asyncio.sleep(0.005)
        if refund:
            ledger = cast("Ledger", Mortal(shop.sale.ledger, life))
            due = await ledger.refund(SHOW, CREATOR, order, restock=True, reason="r", idempotency_key="back")
            await checkout.give_back(SHOW, order, due)


async def finish(shop: Shop, stripe: StandIn, order: str) -> str:
    """Another process comes and has a minute. The money must be where the log says."""
    for _ in range(6):
        await shop.settle_all(5_000)
    state = await shop.sale.state(order)
    owed = 1000 if state == "paid" else 0
    assert sum(stripe.net(intent["id"]) for intent in stripe.of_order(order)) == owed, state
    assert all(intent["status"] != "requires_capture" for intent in stripe.of_order(order)), state
    for key in ("paying", "refunds"):
        assert await shop.store.reads.call("ZCARD", f"ls:{{{SHOW}}}:{key}") == 0, (key, state)
    return state


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS + 2))
async def test_a_crash_anywhere_is_finished(shop: Shop, stripe: StandIn, at: int, after: bool) -> None:
    order = await shop.sale.held()
    life = Life(at, after=after)
    await live_and_die(shop, life, order, refund=True)
    state = await finish(shop, stripe, order)
    if not life.over:
        assert (state, life.steps, at) == ("refunded", STEPS, STEPS + 1)
        return
    assert state in ("held", "paid", "refunded")
    never_reserved = all(intent["status"] == "canceled" for intent in stripe.of_order(order))
    assert (state == "held") == never_reserved


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(2, 6))
@pytest.mark.parametrize("gone", [False, True], ids=["still there", "sold to another"])
async def test_a_crash_and_a_hold_that_is_lost(
    shop: Shop, stripe: StandIn, at: int, after: bool, gone: bool
) -> None:
    order = await shop.sale.held()
    await live_and_die(shop, Life(at, after=after), order, refund=False)
    await advance(shop.store, SHOW, HOLD_MS + EXTENSION_MS)
    if gone and await shop.sale.state(order) == "paying":
        await shop.sale.held(BORIS)
    state = await finish(shop, stripe, order)
    assert state in ("expired", "paid", "refunded")
    left, held, sold = await shop.sale.stock()
    assert (left + held + sold, sold) == (1, 1 if state == "paid" else 0)
