"""The `stripe` gateway through Stripe's own library against the stand-in: every answer, every fault."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from support.sale import ANNA, BORIS, EXTENSION_MS, HOLD_MS, SHOW
from support.shop import Shop
from support.stripe_stand_in import BANK, SECRET_KEY, StandIn, stand_in

from server.commerce.ledger import PENDING_MS
from server.commerce.orders import Paid, Paying, PaymentDeclined, PaymentUnknown
from server.commerce.payments.gateway import Authorised, Charge, Declined, GatewayUnknown, Pending
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.stripe_gateway import StripeGateway
from server.store.outcome import Refused
from server.store.store import Store


def gateway_to(stripe: StandIn, store: Store, key: str = SECRET_KEY) -> StripeGateway:
    return StripeGateway(
        StoreRecords(store), secret_key=key, api_base=stripe.url, public_url="https://live.example"
    )


def charge(token: str, amount_minor: int = 1000, currency: str = "EUR", key: str = "o_x:1") -> Charge:
    return Charge(key, token, amount_minor, currency, SHOW)


@pytest.fixture
async def stripe() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


@pytest.fixture
async def gateway(stripe: StandIn, store: Store) -> AsyncIterator[StripeGateway]:
    gateway = gateway_to(stripe, store)
    yield gateway
    await gateway.close()


@pytest.fixture
async def shop(store: Store, gateway: StripeGateway) -> AsyncIterator[Shop]:
    shop = Shop(store, gateway)
    await shop.sale.start()
    await shop.sale.product(stock=1)
    yield shop
    await shop.reconciler.close()
    await shop.checkout.close()


def only(stripe: StandIn) -> str:
    """The one PaymentIntent."""
    (intent,) = stripe.intents
    return intent


async def test_money_is_reserved_then_taken_once(stripe: StandIn, gateway: StripeGateway) -> None:
    assert await gateway.authorise(charge("pm_ok")) == Authorised(intent := only(stripe))
    assert (stripe.intents[intent]["status"], stripe.net(intent)) == ("requires_capture", 0)
    assert stripe.intents[intent]["metadata"] == {"show": SHOW, "attempt": "o_x:1"}
    assert await gateway.authorise(charge("pm_ok")) == Authorised(intent)  # joined
    assert await gateway.conclude("o_x:1") == Authorised(intent)
    assert [await gateway.capture("o_x:1"), await gateway.capture("o_x:1")] == [True, True]
    assert (stripe.net(intent), len(stripe.captures), len(stripe.intents)) == (1000, 1, 1)


async def test_what_is_let_go_cannot_be_taken(stripe: StandIn, gateway: StripeGateway) -> None:
    await gateway.authorise(charge("pm_ok"))
    await gateway.void("o_x:1")
    await gateway.void("o_x:1")
    assert not await gateway.capture("o_x:1")
    assert await gateway.conclude("o_x:1") == Declined("cancelled")
    assert stripe.intents[only(stripe)]["status"] == "canceled"


async def test_refusals_of_the_bank_and_of_stripe(stripe: StandIn, gateway: StripeGateway) -> None:
    assert await gateway.authorise(charge("pm_declined")) == Declined("card_declined")
    assert await gateway.conclude("o_x:1") == Declined("card_declined")
    assert await gateway.authorise(charge("pm_declined")) == Declined("card_declined")
    assert await gateway.authorise(charge("pm_unknown", key="o_y:1")) == Declined("resource_missing")
    assert await gateway.authorise(charge("pm_ok", 49, key="o_z:1")) == Declined("amount_too_small")
    assert not stripe.captures


async def test_amounts_in_stripes_units(stripe: StandIn, gateway: StripeGateway) -> None:
    for key, currency, units in (("o_a:1", "JPY", 1000), ("o_b:1", "ISK", 100_000), ("o_c:1", "USD", 1000)):
        await gateway.authorise(charge("pm_ok", currency=currency, key=key))
        (intent,) = stripe.of_order(key[:3])
        assert (intent["amount"], intent["currency"]) == (units, currency.lower())
    await gateway.capture("o_b:1")
    await gateway.refund("o_b:1", "r1", 300)
    assert stripe.refunds[0]["amount"] == 30_000


async def test_an_order_for_nothing_needs_no_payment(stripe: StandIn, gateway: StripeGateway) -> None:
    assert await gateway.authorise(charge("pm_ok", 0)) == Authorised("free")
    assert await gateway.conclude("o_x:1") == Authorised("free")
    assert await gateway.capture("o_x:1")
    await gateway.refund("o_x:1", "r1", 0)
    assert stripe.requests == []


async def test_refunds_go_back_once_each(stripe: StandIn, gateway: StripeGateway) -> None:
    await gateway.authorise(charge("pm_ok"))
    with pytest.raises(GatewayUnknown):
        await gateway.refund("o_x:1", "r1", 300)  # a part of what is only reserved
    await gateway.capture("o_x:1")
    for _ in range(2):
        await gateway.refund("o_x:1", "r1", 300)
        stripe.answers.clear()  # a day later: Stripe has forgotten the idempotency keys
        await gateway.refund("o_x:1", "r2", 700)
        await gateway.refund("o_x:1", "r3", 1)  # all of it went back by hand
    assert [refund["amount"] for refund in stripe.refunds] == [300, 700]
    await gateway.authorise(charge("pm_ok", key="o_y:1"))
    await gateway.refund("o_y:1", "r1", 1000)  # all of what is only reserved is let go
    assert stripe.of_order("o_y")[0]["status"] == "canceled"


async def test_an_attempt_that_never_arrived_is_closed(stripe: StandIn, gateway: StripeGateway) -> None:
    assert await gateway.conclude("o_x:1") == Declined("never arrived")
    assert await gateway.authorise(charge("pm_ok")) == Declined("never arrived")
    assert not stripe.intents
    stripe.fail("POST /v1/payment_intents", "slow", seconds=0.3)
    late = asyncio.create_task(gateway.authorise(charge("pm_ok", key="o_y:1")))
    async with asyncio.timeout(5):
        while not stripe.running:
            await asyncio.sleep(0.01)
    assert await gateway.conclude("o_y:1") == Declined("never arrived")
    assert await late == Declined("never arrived")
    assert stripe.intents[only(stripe)]["status"] == "canceled"


@pytest.mark.parametrize("how", ["500", "429", "cut", "lost", "409"])
@pytest.mark.parametrize("part", ["POST /v1/payment_intents", "/confirm", "/capture"])
async def test_faults_move_money_once(stripe: StandIn, gateway: StripeGateway, part: str, how: str) -> None:
    """Whatever fails twice in a row, asking again later ends it: taken once, or declined, nothing taken."""
    stripe.fail(part, how, times=2)
    with contextlib.suppress(GatewayUnknown):
        await gateway.authorise(charge("pm_ok"))
    outcome = await gateway.conclude("o_x:1")
    taken = False
    for _ in range(3):
        try:
            taken = await gateway.capture("o_x:1")
        except GatewayUnknown:
            continue
    assert taken == isinstance(outcome, Authorised)
    assert sum(stripe.net(intent) for intent in stripe.intents) == (1000 if taken else 0)
    assert {intent["status"] for intent in stripe.intents.values()} <= {"succeeded", "canceled"} | (
        set() if taken else {"requires_payment_method"}
    )


async def test_a_wrong_key_is_no_decline(stripe: StandIn, store: Store) -> None:
    gateway = gateway_to(stripe, store, "sk_wrong")
    with pytest.raises(GatewayUnknown):
        await gateway.authorise(charge("pm_ok"))
    await gateway.close()


async def test_nobody_there_is_no_decline(store: Store) -> None:
    gateway = gateway_to(StandIn("http://127.0.0.1:9"), store)
    with pytest.raises(GatewayUnknown):
        await gateway.authorise(charge("pm_ok"))
    await gateway.close()


async def test_paid_is_said_before_the_money_is_taken(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    stripe.fail("/capture", "slow", seconds=0.2)
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "pm_ok"), Paid)
    assert await shop.sale.state(order) == "paid"
    assert not stripe.captures
    await shop.settle_all()  # joins: it is taken once
    assert [stripe.net(intent) for intent in stripe.intents] == [1000]


async def test_declined_then_another_card(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    declined = await shop.checkout.pay(SHOW, ANNA, order, "pm_declined")
    assert isinstance(declined, PaymentDeclined)
    assert declined.reason == "card_declined"
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "pm_ok"), Paid)
    await shop.settle_all()
    assert [stripe.net(intent["id"]) for intent in stripe.of_order(order)] == [0, 1000]


async def test_a_bank_that_asks(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    paying = await shop.checkout.pay(SHOW, ANNA, order, "pm_3ds")
    assert isinstance(paying, Paying)
    assert paying.next_action == BANK
    await shop.settle_all()
    assert await shop.sale.state(order) == "paying"
    stripe.authenticate(only(stripe))
    await shop.settle_all()  # too early to ask again
    assert await shop.sale.state(order) == "paying"
    await shop.settle_all(PENDING_MS)
    assert await shop.sale.state(order) == "paid"
    assert stripe.net(only(stripe)) == 1000


async def test_a_bank_that_says_no(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    await shop.checkout.pay(SHOW, ANNA, order, "pm_3ds")
    stripe.authenticate(only(stripe), ok=False)
    shop.reconciler.on_news(SHOW, order, 1)
    await shop.reconciler.settled()
    assert await shop.sale.state(order) == "held"
    again = await shop.checkout.pay(SHOW, ANNA, order, "pm_ok")
    assert isinstance(again, Paid)


async def test_stripes_own_page(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    paying = await shop.checkout.pay(SHOW, ANNA, order, "checkout")
    assert isinstance(paying, Paying)
    (session,) = stripe.sessions.values()
    assert paying.next_action == session["url"]
    assert session["success_url"] == f"https://live.example/watch/{SHOW}?order={order}"
    again = await shop.checkout.pay(SHOW, ANNA, order, "checkout")
    assert isinstance(again, Paying)
    assert (again.next_action, len(stripe.sessions)) == (session["url"], 1)
    intent = stripe.pay_on_page(session["id"])
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "checkout"), Paid)
    await shop.settle_all()
    assert stripe.net(intent) == 1000


@pytest.mark.parametrize("token", ["pm_3ds", "checkout"])
async def test_a_lost_hold_is_given_up_at_once(shop: Shop, stripe: StandIn, token: str) -> None:
    """When the buyer is still at the bank and the hold is over, nothing can be paid any more."""
    order = await shop.sale.held()
    await shop.checkout.pay(SHOW, ANNA, order, token)
    await shop.settle_all()
    await shop.settle_all(HOLD_MS + EXTENSION_MS)
    assert await shop.sale.state(order) == "expired"
    await shop.settle_all(0)  # the very next sweep
    states = [thing["status"] for thing in (*stripe.intents.values(), *stripe.sessions.values())]
    assert states in (["canceled"], ["expired"])
    assert await shop.store.reads.call("ZCARD", f"ls:{{{SHOW}}}:paying") == 0
    assert await shop.sale.stock() == (1, 0, 0)


async def test_money_that_comes_too_late_is_let_go(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    await shop.checkout.pay(SHOW, ANNA, order, "pm_3ds")
    stripe.authenticate(only(stripe))
    await shop.settle_all(HOLD_MS + EXTENSION_MS)  # also takes the unit back, if nobody else has it
    assert await shop.sale.state(order) == "paid"
    await shop.sale.product("vase", stock=1)
    late = await shop.sale.held(sku="vase")
    await shop.checkout.pay(SHOW, ANNA, late, "pm_3ds")
    (intent,) = stripe.of_order(late)
    stripe.authenticate(intent["id"])
    await shop.sale.set(state="live")
    await shop.store.writes.call("HINCRBY", f"ls:{{{SHOW}}}:show", "clock_offset_ms", HOLD_MS + EXTENSION_MS)
    await shop.sale.held(BORIS, sku="vase")
    await shop.settle_all(0)
    assert (await shop.sale.state(late), intent["status"]) == ("refunded", "canceled")
    assert stripe.net(intent["id"]) == 0


async def test_a_reservation_that_the_bank_takes_back_takes_the_sale_back(
    shop: Shop, stripe: StandIn
) -> None:
    order = await shop.begun("pm_ok")
    await shop.gateway.authorise(charge("pm_ok", key=f"{order}:1"))
    await shop.sale.ledger.settle(SHOW, order, 1, approved=True)  # the process died before capturing
    stripe.intents[only(stripe)]["status"] = "canceled"  # and nobody came back for a week
    await shop.settle_all()
    assert await shop.sale.state(order) == "refunded"
    assert await shop.sale.stock() == (1, 0, 0)
    assert stripe.net(only(stripe)) == 0


async def test_unknown_stays_paying_and_is_finished(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    stripe.fail("/confirm", "cut", times=2)
    assert isinstance(await shop.checkout.pay(SHOW, ANNA, order, "pm_ok"), PaymentUnknown)
    assert await shop.sale.state(order) == "paying"
    assert await shop.checkout.pay(SHOW, ANNA, order, "pm_other") == Refused("payment_in_progress")
    await shop.settle_all()
    assert await shop.sale.state(order) == "paid"
    assert stripe.net(only(stripe)) == 1000


async def test_pending_without_anything_to_do(shop: Shop, stripe: StandIn) -> None:
    order = await shop.sale.held()
    await shop.checkout.pay(SHOW, ANNA, order, "pm_3ds")
    stripe.intents[only(stripe)]["status"] = "processing"
    assert await shop.gateway.conclude(f"{order}:1") == Pending()
