"""An order's life on a real store: what each step answers, writes and counts."""

from support.sale import ANNA, BORIS, EXTENSION_MS, HOLD_MS, Sale, decoded
from support.store import advance, bodies

from server.commerce.orders import AlreadyPaid, Attempt, OrderState, Placed, Settled
from server.store.outcome import Refused
from server.store.store import Store


async def test_a_hold_fixes_the_price_and_moves_stock(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product(commission_bps=1250)
    placed = await sale.hold(quantity=3, seen=1100, key="k")
    assert isinstance(placed, Placed)
    assert placed.is_new
    order = placed.order.view()
    assert (order.state, order.unit_price_minor, order.goods_minor, order.total_minor) == (
        "held",
        1000,
        3000,
        3000,
    )
    assert (order.commission_minor, order.currency, order.lines[0].price_version) == (375, "EUR", 1)
    assert order.expires_at_ms == order.placed_at_ms + HOLD_MS
    assert order.remaining_ms is None
    assert await sale.stock() == (7, 3, 0)
    entry = (await bodies(store, "show", "order.held"))[0]
    assert entry["order"] == decoded(placed.order.json)
    assert entry["stock"] == [{"sku": "mug", "left": 7, "held": 3, "sold": 0}]


async def test_the_same_key_yields_the_order_in_its_present_state(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product()
    first = await sale.held(key="k")
    assert isinstance(await sale.ledger.cancel("show", ANNA, first), OrderState)
    await sale.set(state="ended")
    again = await sale.hold(key="k")
    assert isinstance(again, Placed)
    assert (again.is_new, again.order.view().id, again.order.view().state) == (False, first, "cancelled")
    assert isinstance(await sale.hold(BORIS, key="k"), Refused)  # another buyer's key is another key


async def test_paying(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product()
    order = await sale.held(quantity=2)
    begun = await sale.ledger.begin_payment("show", ANNA, order, "tok_ok")
    assert isinstance(begun, Attempt)
    assert (begun.number, begun.amount_minor, begun.currency) == (1, 2000, "EUR")
    view = begun.order.view()
    assert view.state == "paying"
    assert view.expires_at_ms == view.placed_at_ms + HOLD_MS + EXTENSION_MS
    assert await sale.ledger.begin_payment("show", ANNA, order, "tok_ok") == begun  # joined
    other = await sale.ledger.begin_payment("show", ANNA, order, "tok_other")
    assert other == Refused("payment_in_progress")
    settled = await sale.ledger.settle("show", order, 1, approved=True)
    assert isinstance(settled, Settled)
    assert (settled.state, settled.order.view().expires_at_ms) == ("paid", None)
    assert await sale.stock() == (8, 0, 2)
    assert await sale.ledger.settle("show", order, 1, approved=True) == settled  # a repeat changes nothing
    assert isinstance(await sale.ledger.begin_payment("show", ANNA, order, "tok_other"), AlreadyPaid)
    assert await store.reads.call("ZCARD", "ls:{show}:paying") == 1  # its money is still to be taken
    await sale.ledger.money_settled("show", order, 1)
    assert await store.reads.call("ZCARD", "ls:{show}:paying") == 0


async def test_a_hold_that_is_due_counts_as_free_before_anybody_wrote_it(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product(stock=1)
    first = await sale.held()
    assert await sale.hold(BORIS) == Refused("sold_out", {"left": 0})
    await advance(store, "show", HOLD_MS)
    assert isinstance(await sale.hold(BORIS), Placed)
    assert await sale.state(first) == "expired"
    assert [order["order"]["id"] for order in await bodies(store, "show", "order.expired")] == [first]
    assert await sale.stock() == (0, 1, 0)


async def test_who_lets_holds_run_out_keeps_the_next_for_a_shorter_time(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product()

    async def lasts_ms() -> tuple[str, int]:
        placed = await sale.hold()
        assert isinstance(placed, Placed)
        order = placed.order.view()
        assert order.expires_at_ms is not None
        return order.id, order.expires_at_ms - order.placed_at_ms

    for share in (1, 1, 2, 4, 8, 8):  # the first that runs out is forgiven
        _, ms = await lasts_ms()
        assert ms == HOLD_MS // share
        await advance(store, "show", HOLD_MS)
    order, _ = await lasts_ms()
    assert isinstance(await sale.ledger.cancel("show", ANNA, order), OrderState)
    assert (await lasts_ms())[1] == HOLD_MS, "who gives one back begins anew"
    assert isinstance(await sale.hold(BORIS), Placed)
