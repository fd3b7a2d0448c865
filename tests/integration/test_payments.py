"""Checkout, sweeper and reconciler with the test gateway: every way an attempt to pay can end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from support.sale import ANNA, BORIS, CREATOR, EXTENSION_MS, HOLD_MS, SHOW, person
from support.shop import Shop
from support.store import advance, bodies, digest

from server.commerce.catalog import FlashSpec, FlashStarted
from server.commerce.checkout import Checkout
from server.commerce.ledger import ASK_AFTER_MS, Swept
from server.commerce.orders import (
    Attempt,
    OrderState,
    Paid,
    PaymentDeclined,
    PaymentUnknown,
    RefundDue,
    Settled,
    Undone,
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


async def test_a_mispriced_window_is_undone_in_batches(shop: Shop) -> None:
    """Held, paid and being paid: everything at that price goes back, however often it is interrupted."""
    await shop.sale.product("lamp", 9000, stock=300)
    flash = await mispriced(shop)
    held = [await shop.sale.held(person(f"b{n}"), sku="lamp", seen=90) for n in range(100)]
    paid = [await shop.sale.held(person(f"b{n}"), sku="lamp", seen=90) for n in range(50)]
    for n, order in enumerate(paid):
        assert isinstance(await shop.checkout.pay(SHOW, person(f"b{n}"), order, "tok_ok"), Paid)
    other = await shop.sale.held()  # the mug has nothing to do with it
    paying = await shop.sale.held(sku="lamp", seen=90)
    assert isinstance(await shop.sale.ledger.begin_payment(SHOW, ANNA, paying, "tok_ok"), Attempt)
    undo = shop.store.scripts.run("undo_flash", SHOW, CREATOR.pid, "creator", flash, "r", CREATOR.subject)
    assert not isinstance(await undo, Refused)  # one batch, then the process died
    assert sum([await shop.sale.state(order) == "cancelled" for order in held]) == 64
    undone = await shop.sale.ledger.undo_flash(SHOW, CREATOR, flash, "one zero is missing")
    assert undone == Undone(flash, cancelled=100, refunds=50, waiting=1, remaining=1, done=False)
    assert await shop.sale.ledger.undo_flash(SHOW, CREATOR, flash, "again") == undone
    assert len(await bodies(shop.store, SHOW, "price.undone")) == 1
    await shop.gateway.authorise(Charge(f"{paying}:1", "tok_ok", 90, "EUR", SHOW))
    for _ in range(3):
        await shop.settle_all()
    states = [await shop.sale.state(order) for order in (*paid, paying)]
    assert states == ["refunded"] * 51
    assert await shop.sale.stock("lamp") == (300, 0, 0)
    assert await shop.sale.state(other) == "held"
    assert await shop.store.reads.call("EXISTS", f"ls:{{{SHOW}}}:undoing") == 0
    end = await shop.sale.ledger.undo_flash(SHOW, CREATOR, flash, "again")
    assert end == Undone(flash, cancelled=100, refunds=51, waiting=0, remaining=0, done=True)


async def test_who_may_not_undo_changes_nothing(shop: Shop) -> None:
    await shop.sale.product("lamp", 9000, seller=BORIS.pid)
    flash = await mispriced(shop)
    await shop.sale.held(sku="lamp", seen=90)
    before = await digest(shop.store, SHOW)
    undo = shop.sale.ledger.undo_flash
    assert await undo(SHOW, ANNA, flash, "r") == Refused("forbidden")
    assert await undo(SHOW, person("sam", "seller"), flash, "r") == Refused("unknown_flash")  # not his
    assert await undo(SHOW, CREATOR, "f_none", "r") == Refused("unknown_flash")
    assert await undo(SHOW, CREATOR, flash, "") == Refused("bad_request", {"field": "reason"})
    assert await digest(shop.store, SHOW) == before
    assert isinstance(await undo(SHOW, person("boris", "seller"), flash, "r"), Undone)


async def mispriced(shop: Shop) -> str:
    """A flash price of 90 for the lamp that costs 9000."""
    spec = FlashSpec(sku="lamp", price_minor=90, duration_s=600, confirm=True)
    assert isinstance(await shop.sale.catalog.flash(SHOW, CREATOR, spec), FlashStarted)
    return (await bodies(shop.store, SHOW, "price.flash"))[-1]["id"]


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
