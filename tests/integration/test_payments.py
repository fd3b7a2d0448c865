"""Checkout, sweeper and reconciler with the test gateway: every way an attempt to pay can end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from support.sale import ANNA, BORIS, CREATOR, EXTENSION_MS, HOLD_MS, SHOW
from support.shop import Shop
from support.store import advance, bodies

from server.commerce.checkout import Checkout
from server.commerce.ledger import ASK_AFTER_MS, Swept
from server.commerce.orders import (
    OrderState,
    Paid,
    PaymentDeclined,
    PaymentUnknown,
    RefundDue,
    Settled,
)
from server.commerce.payments.gateway import Authorised, Charge, GatewayUnknown, Outcome
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.sandbox import SandboxGateway
from server.commerce.reconciler import Reconciler
from server.store.outcome import Refused
from server.store.store import Store


@pytest.fixture
async def shop(store: Store) -> AsyncIterator[Shop]:
    shop = Shop(store)
    await shop.sale.start()
    await shop.sale.product(stock=1)
    yield shop
    await shop.reconciler.close()
    await shop.checkout.close()


async def test_paid(shop: Shop) -> None:
    order = await shop.sale.held()
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_ok"), Paid)
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_declined"), Paid)  # it is paid already
    assert await shop.sale.stock() == (0, 0, 1)
    kinds = [entry["order"]["state"] for entry in await bodies(shop.store, SHOW) if "order" in entry]
    assert kinds == ["held", "paying", "paid"]


async def test_declined_and_tried_again(shop: Shop) -> None:
    order = await shop.sale.held()
    declined = await shop.checkout.pay(SHOW, ANNA, order, "tok_declined")
    assert isinstance(declined, PaymentDeclined)
    assert (declined.reason, declined.order.view().state) == ("card declined", "held")
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_ok"), Paid)


async def test_paying_and_cancelling_work_when_the_show_has_ended(shop: Shop) -> None:
    await shop.sale.product("vase")
    order, other = await shop.sale.held(), await shop.sale.held(sku="vase")
    await shop.sale.set(state="ended")
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_ok"), Paid)
    assert isinstance(await shop.sale.ledger.cancel(SHOW, ANNA, other), OrderState)


async def test_a_slow_payment_is_joined_and_guarded(shop: Shop) -> None:
    order = await shop.sale.held()
    first = asyncio.create_task(shop.checkout.pay(SHOW, ANNA, order, "tok_slow"))
    while await shop.sale.state(order) != "paying":
        await asyncio.sleep(0.01)
    joined = asyncio.create_task(shop.checkout.pay(SHOW, ANNA, order, "tok_slow"))
    assert await shop.checkout.pay(SHOW, ANNA, order, "tok_ok") == Refused("payment_in_progress")
    assert await shop.sale.ledger.cancel(SHOW, ANNA, order) == Refused("payment_in_progress")
    await shop.settle_all()  # the gateway says: not decided yet
    assert await shop.sale.state(order) == "paying"
    first.cancel()  # the buyer's page went away; the attempt goes on
    assert isinstance(await joined, Paid)
    assert len(await bodies(shop.store, SHOW, "order.paying")) == 1


async def test_no_answer_is_resolved_as_declined(shop: Shop) -> None:
    order = await shop.sale.held()
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_error"), PaymentUnknown)
    await shop.settle_all(after_ms=ASK_AFTER_MS - 1000)  # too early
    assert await shop.sale.state(order) == "paying"
    await shop.settle_all()
    assert await shop.sale.state(order) == "held"
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_ok"), Paid)


async def test_a_charge_that_was_never_sent_is_closed(shop: Shop) -> None:
    order = await shop.begun()
    await shop.settle_all()
    assert await shop.sale.state(order) == "held"
    late = await shop.gateway.authorise(Charge(f"{order}:1", "tok_ok", 1000, "EUR", SHOW))
    assert not isinstance(late, Authorised)  # a process that comes back cannot charge any more


async def test_a_charge_that_was_not_booked_is_booked(shop: Shop) -> None:
    order = await shop.begun()
    await shop.gateway.authorise(Charge(f"{order}:1", "tok_ok", 1000, "EUR", SHOW))
    await shop.settle_all()
    assert await shop.sale.state(order) == "paid"
    assert await shop.sale.stock() == (0, 0, 1)


async def test_late_money_takes_what_is_still_there(shop: Shop) -> None:
    order = await shop.begun()
    await shop.gateway.authorise(Charge(f"{order}:1", "tok_ok", 1000, "EUR", SHOW))
    await advance(shop.store, SHOW, HOLD_MS + EXTENSION_MS)
    await shop.sale.ledger.expire_due(SHOW)
    assert await shop.sale.state(order) == "expired"
    await shop.settle_all(0)
    assert await shop.sale.state(order) == "paid"
    assert await shop.sale.stock() == (0, 0, 1)


async def test_late_money_for_what_is_gone_goes_back(shop: Shop) -> None:
    order = await shop.begun()
    await shop.gateway.authorise(Charge(f"{order}:1", "tok_ok", 1000, "EUR", SHOW))
    await advance(shop.store, SHOW, HOLD_MS + EXTENSION_MS)
    await shop.sale.held(BORIS)
    await shop.settle_all(0)
    assert await shop.sale.state(order) == "refunded"  # at once: it was only reserved
    assert [entry["order"]["state"] for entry in (await bodies(shop.store, SHOW))[-2:]] == [
        "refund_due",
        "refunded",
    ]
    assert await shop.sale.stock() == (0, 1, 0)
    shown = await shop.sale.ledger.order(SHOW, ANNA, order)
    assert isinstance(shown, OrderState)
    (refund,) = shown.view().refunds
    assert (refund.amount_minor, refund.done_at_ms is None) == (1000, False)


async def test_a_refund_restocks_or_writes_off(shop: Shop) -> None:
    await shop.sale.ledger.expire_due(SHOW)
    for restock, stock in ((True, (1, 0, 0)), (False, (0, 0, 0))):
        order = await shop.sale.held()
        await shop.checkout.pay(SHOW, ANNA, order, "tok_ok")
        key = f"k-{restock}"

        async def refund(order: str = order, restock: bool = restock, key: str = key) -> object:
            due = await shop.sale.ledger.refund(
                SHOW, CREATOR, order, restock=restock, reason="broken", idempotency_key=key
            )
            return await shop.checkout.give_back(SHOW, order, due)

        done = await refund()
        assert isinstance(done, OrderState)
        assert done.view().state == "refunded"
        assert await shop.sale.stock() == stock
        assert await refund() == done


async def test_a_refund_that_was_not_carried_out_is_finished(shop: Shop) -> None:
    order = await shop.sale.held()
    await shop.checkout.pay(SHOW, ANNA, order, "tok_ok")
    due = await shop.sale.ledger.refund(
        SHOW, CREATOR, order, restock=True, reason="broken", idempotency_key="k"
    )
    assert isinstance(due, RefundDue)
    await shop.settle_all(0)
    assert await shop.sale.state(order) == "refunded"


async def test_money_that_bought_nothing_goes_back(shop: Shop) -> None:
    """A gateway that approves what it had declined: the order is paid once, the other charge is surplus."""
    order = await shop.begun()
    await shop.sale.ledger.settle(SHOW, order, 1, approved=False)
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "tok_ok"), Paid)
    settled = await shop.sale.ledger.settle(SHOW, order, 1, approved=True)
    assert isinstance(settled, Settled)
    assert settled.surplus
    assert await shop.sale.stock() == (0, 0, 1)


async def test_a_silent_gateway_is_asked_again(shop: Shop) -> None:
    class Silent(SandboxGateway):
        async def conclude(self, key: str, *, give_up: bool = False) -> Outcome:
            raise GatewayUnknown(key)

    order = await shop.begun()
    silent = Reconciler(shop.sale.ledger, Silent(StoreRecords(shop.store)))
    silent.take(SHOW, Swept(0, 0, quiet=False, attempts=((order, 1, True),)))
    await silent.settled()
    assert await shop.sale.state(order) == "paying"
    await shop.settle_all()
    assert await shop.sale.state(order) == "held"


async def test_the_sweeper_writes_what_is_due_once_and_forgets_what_is_over(shop: Shop) -> None:
    order = await shop.sale.held()
    await advance(shop.store, SHOW, HOLD_MS)
    both = await asyncio.gather(shop.sweeper.sweep(), Shop(shop.store).sweeper.sweep())
    assert sum(both) == 1
    assert await shop.sale.state(order) == "expired"
    assert len(await bodies(shop.store, SHOW, "order.expired")) == 1
    await shop.sale.set(state="ended")
    await shop.sweeper.sweep()
    await shop.sale.set(state="live")  # which no script would do
    await shop.sale.held()
    await advance(shop.store, SHOW, HOLD_MS)
    assert await shop.sweeper.sweep() == 0
    assert await Shop(shop.store).sweeper.sweep() == 1


async def test_a_buyer_finds_orders_and_the_index_is_repaired(shop: Shop) -> None:
    await shop.sale.product("vase")
    orders = [await shop.sale.held(), await shop.sale.held(sku="vase")]
    assert {order.view().id for order in await shop.sale.ledger.orders_of(ANNA)} == set(orders)
    assert await shop.sale.ledger.orders_of(BORIS) == []
    await shop.store.writes.call("DEL", f"ls:buyer:{ANNA.pid}")
    await shop.sweeper.sweep(repair=True)
    assert {order.view().id for order in await shop.sale.ledger.orders_of(ANNA)} == set(orders)


async def test_a_gateway_without_its_memory_gives_no_answer(shop: Shop) -> None:
    order = await shop.sale.held()
    away = Redis.from_url("unix:///nowhere.sock")
    shop.store.redis, kept = away, shop.store.redis
    checkout = Checkout(shop.sale.ledger, SandboxGateway(StoreRecords(shop.store)))
    assert isinstance(await checkout.pay(SHOW, ANNA, order, "tok_ok"), PaymentUnknown)
    shop.store.redis = kept
    await away.aclose()
    await shop.settle_all()
    assert await shop.sale.state(order) == "held"
