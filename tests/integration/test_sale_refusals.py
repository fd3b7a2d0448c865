"""Every refusal of the sale, in the contract's order, and that it writes nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from support.sale import ANNA, BORIS, CREATOR, EXTENSION_MS, HOLD_MS, SHOW, Sale, decoded, guest, person
from support.store import advance, digest

from server.commerce.bag import Wanted
from server.commerce.catalog import FlashSpec, FlashStarted, ProductSpec
from server.commerce.checkout import Checkout
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.sandbox import SandboxGateway
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

MUG = ProductSpec(title="Mug", price_minor=1000)


@pytest.fixture
async def sale(store: Store) -> Sale:
    """A live show with ten mugs, one vase, and a plate of which nobody may have more than two."""
    sale = await Sale(store).start()
    await sale.product("mug", floor_minor=500)
    await sale.product("vase", stock=1)
    await sale.product("plate", per_viewer_max=2)
    return sale


async def refused(sale: Sale, answer: Awaitable[object], code: str, **detail: object) -> None:
    before = await digest(sale.store, SHOW)
    assert await answer == Refused(code, detail)
    assert await digest(sale.store, SHOW) == before


async def test_a_hold_is_refused_in_the_contracts_order(sale: Sale) -> None:
    """Everything is wrong at first; each repair uncovers the next refusal."""
    store = sale.store
    await store.writes.call("HSET", f"ls:{{{SHOW}}}:banned", BORIS.pid, "{}")
    await sale.set(state="paused", sales_paused=1)

    async def ask(code: str, sku: str = "plate", seen: int = 1, key: str = "key", **detail: object) -> None:
        await refused(sale, sale.hold(BORIS, sku, 3, seen, key=key), code, **detail)

    await ask("idempotency_key_required", sku="none", key="")
    await ask("unknown_sku", sku="none")
    await ask("unknown_sku", sku="../mug")
    await ask("banned")
    await store.writes.call("DEL", f"ls:{{{SHOW}}}:banned")
    await ask("show_closed")
    await sale.set(state="live")
    await ask("sales_paused")
    await sale.set(sales_paused=0)
    await ask("price_changed", price_minor=1000, price_version=1, price_reason={"rule": "list", "id": None})
    await ask("limit_reached", seen=1000, limit=2)
    await sale.held(ANNA, sku="vase")
    await ask("sold_out", sku="vase", seen=1000, left=0)


@pytest.mark.parametrize(("display", "left"), [("exact", 2), ("bucket", None), ("hidden", None)])
async def test_who_asks_for_too_many_learns_no_hidden_number(
    sale: Sale, display: str, left: int | None
) -> None:
    await sale.product("jar", stock=3, stock_display=display)
    await sale.held(ANNA, sku="jar")
    await refused(sale, sale.hold(BORIS, "jar", 10_000), "sold_out", left=left)
    await sale.held(ANNA, sku="jar", quantity=2)
    await refused(sale, sale.hold(BORIS, "jar"), "sold_out", left=0)


@pytest.mark.parametrize("state", ["scheduled", "paused", "ended"])
async def test_only_a_live_show_sells(sale: Sale, state: str) -> None:
    await sale.set(state=state)
    await refused(sale, sale.hold(), "show_closed")


async def test_bounds(sale: Sale) -> None:
    for quantity in (0, -1, 10_001, 2**63):
        await refused(sale, sale.hold(quantity=quantity), "bad_request", field="quantity")
    for seen in (-1, 10**11 + 1):
        await refused(sale, sale.hold(seen=seen), "bad_request", field="price_minor")
    for key in ("a b", "x" * 256, "é"):
        await refused(sale, sale.hold(key=key), "bad_request", field="Idempotency-Key")


@pytest.mark.parametrize(
    ("field", "value"),
    [("price_minor", 0), ("price_minor", 10**11 + 1), ("stock", -1), ("commission_bps", 10_001)],
)
async def test_bounds_of_a_product(sale: Sale, field: str, value: int) -> None:
    spec = msgspec.structs.replace(MUG, **{field: value})
    before = await digest(sale.store, SHOW)
    answer = await sale.catalog.put_product(SHOW, CREATOR, "new", spec)
    assert isinstance(answer, Refused)
    assert answer.code == "bad_request"
    assert await digest(sale.store, SHOW) == before


async def test_a_key_with_another_body_is_a_conflict(sale: Sale) -> None:
    await sale.held(key="k")
    for sku, quantity, seen in (("vase", 1, 1000), ("mug", 2, 1000), ("mug", 1, 1001)):
        await refused(sale, sale.hold(ANNA, sku, quantity, seen, key="k"), "idempotency_conflict")


async def test_caps_count_holds_and_attempts_and_sales(sale: Sale) -> None:
    first = await sale.held(sku="plate")
    await sale.ledger.begin_payment(SHOW, ANNA, first, "tok")
    second = await sale.held(sku="plate")
    await refused(sale, sale.hold(sku="plate"), "limit_reached", limit=2)
    await sale.ledger.settle(SHOW, first, 1, approved=True)
    await refused(sale, sale.hold(sku="plate"), "limit_reached", limit=2)
    await sale.ledger.cancel(SHOW, ANNA, second)
    await sale.held(sku="plate")


async def test_guests_buy_where_the_show_lets_them(sale: Sale) -> None:
    assert not isinstance(await sale.hold(guest("gina")), Refused)
    for guests in ("watch", "chat"):
        await sale.set(guests=guests)
        await refused(sale, sale.hold(guest("gina")), "guests_closed")
    await refused(sale, sale.hold(person("otto", "auditor")), "forbidden")
    await refused(sale, sale.hold(person("nina", "viewer", show="another")), "forbidden")


async def test_paying_is_refused(sale: Sale) -> None:
    order = await sale.held()
    await refused(sale, sale.ledger.begin_payment(SHOW, BORIS, order, "tok"), "unknown_order")
    await refused(sale, sale.ledger.begin_payment(SHOW, ANNA, "o_none", "tok"), "unknown_order")
    await sale.ledger.begin_payment(SHOW, ANNA, order, "tok")
    await refused(sale, sale.ledger.begin_payment(SHOW, ANNA, order, "tok2"), "payment_in_progress")
    await refused(sale, sale.ledger.cancel(SHOW, ANNA, order), "payment_in_progress")
    await advance(sale.store, SHOW, HOLD_MS + EXTENSION_MS)
    await refused(sale, sale.ledger.begin_payment(SHOW, ANNA, order, "tok"), "hold_expired")
    await refused(sale, sale.ledger.cancel(SHOW, ANNA, order), "illegal_transition", state="expired")
    other = await sale.held()
    await sale.ledger.cancel(SHOW, ANNA, other)
    await refused(
        sale, sale.ledger.begin_payment(SHOW, ANNA, other, "tok"), "illegal_transition", state="cancelled"
    )
    await refused(sale, sale.ledger.cancel(SHOW, ANNA, other), "illegal_transition", state="cancelled")


async def test_a_payment_token_has_bounds(sale: Sale) -> None:
    checkout = Checkout(sale.ledger, SandboxGateway(StoreRecords(sale.store)))
    order = await sale.held()
    for token in ("", "x" * 256):
        await refused(sale, checkout.pay(SHOW, ANNA, order, token), "bad_request", field="payment_token")


async def test_refunds_are_refused(sale: Sale) -> None:
    order = await sale.held()

    def ask(who: Any = CREATOR, key: str = "k", reason: str = "broken") -> Awaitable[object]:
        return sale.ledger.refund(SHOW, who, order, restock=True, reason=reason, idempotency_key=key)

    await refused(sale, ask(key=""), "idempotency_key_required")
    await refused(sale, ask(reason="x" * 281), "bad_request", field="reason")
    await refused(sale, ask(ANNA), "forbidden")
    await refused(sale, ask(), "illegal_transition", state="held")


async def test_the_catalogue_is_refused(sale: Sale) -> None:
    catalog, flash = sale.catalog, FlashSpec(sku="mug", price_minor=700, duration_s=60)
    cheap, none = msgspec.structs.replace(flash, price_minor=499), msgspec.structs.replace(flash, sku="none")
    priced, stocked = msgspec.structs.replace(MUG, price_minor=900), msgspec.structs.replace(MUG, stock=1)
    for ask in (
        catalog.put_product(SHOW, ANNA, "mug", MUG),
        catalog.restock(SHOW, ANNA, "mug", 1, idempotency_key="k"),
        catalog.pin(SHOW, ANNA, "mug"),
        catalog.unpin(SHOW, ANNA),
        catalog.flash(SHOW, ANNA, flash),
        catalog.stop_flash(SHOW, ANNA, "f_1"),
    ):
        await refused(sale, ask, "forbidden")
    await refused(sale, catalog.put_product(SHOW, CREATOR, "mug", stocked), "use_restock")
    await refused(
        sale,
        catalog.put_product(SHOW, CREATOR, "mug", msgspec.structs.replace(MUG, floor_minor=1001)),
        "below_floor",
        floor_minor=1001,
    )
    await refused(sale, catalog.put_product(SHOW, CREATOR, "a b", MUG), "bad_request", field="sku")
    await refused(
        sale, catalog.restock(SHOW, CREATOR, "mug", 1, idempotency_key=""), "idempotency_key_required"
    )
    await refused(sale, catalog.restock(SHOW, CREATOR, "none", 1, idempotency_key="k"), "unknown_sku")
    await refused(
        sale, catalog.restock(SHOW, CREATOR, "mug", -11, idempotency_key="k"), "stock_underflow", left=10
    )
    await refused(
        sale, catalog.restock(SHOW, CREATOR, "mug", 10**9, idempotency_key="k"), "bad_request", field="delta"
    )
    await refused(sale, catalog.pin(SHOW, CREATOR, "none"), "unknown_sku")
    await refused(sale, catalog.flash(SHOW, CREATOR, none), "unknown_sku")
    await refused(sale, catalog.flash(SHOW, CREATOR, cheap), "below_floor", floor_minor=500)
    await refused(sale, catalog.stop_flash(SHOW, CREATOR, "f_1"), "unknown_flash")
    assert isinstance(await catalog.flash(SHOW, CREATOR, flash), FlashStarted)
    await refused(sale, catalog.flash(SHOW, CREATOR, flash), "flash_running")
    await refused(sale, catalog.put_product(SHOW, CREATOR, "mug", priced), "flash_running")


async def test_unknown_show(sale: Sale) -> None:
    asks: list[Callable[[], Awaitable[object]]] = [
        lambda: sale.ledger.hold("none", ANNA, (Wanted("mug", 1, 1000),), idempotency_key="k"),
        lambda: sale.ledger.begin_payment("none", ANNA, "o_1", "tok"),
        lambda: sale.ledger.cancel("none", ANNA, "o_1"),
        lambda: sale.ledger.order("none", ANNA, "o_1"),
        lambda: sale.ledger.expire_due("none"),
        lambda: sale.catalog.pin("none", CREATOR, "mug"),
    ]
    for ask in asks:
        assert await ask() == Refused("unknown_show")
    assert await sale.store.reads.call("KEYS", "ls:{none}*") == []


async def test_orders_are_shown_to_those_concerned(sale: Sale) -> None:
    order = await sale.held()
    for who in (ANNA, CREATOR, person("sally", "seller"), person("adam", "admin")):
        shown = await sale.ledger.order(SHOW, who, order)
        assert not isinstance(shown, Refused)
        assert decoded(shown.json)["id"] == order
    for who in (BORIS, guest("gina"), person("mona", "moderator"), person("sally", "seller", show="another")):
        await refused(sale, sale.ledger.order(SHOW, who, order), "unknown_order")


async def test_a_seller_sees_and_refunds_the_orders_of_its_own_products_only(sale: Sale) -> None:
    sally, otto = person("sally", "seller"), person("otto", "seller")
    await sale.product("bowl", seller=sally.pid)
    await sale.product("jug", seller="sally")  # by the name in its token
    for sku in ("bowl", "jug"):
        order = await sale.held(sku=sku)
        assert not isinstance(await sale.ledger.order(SHOW, sally, order), Refused)
        await refused(sale, sale.ledger.order(SHOW, otto, order), "unknown_order")

        async def refund(who: Principal, order: str = order) -> object:
            return await sale.ledger.refund(
                SHOW, who, order, restock=True, reason="broken", idempotency_key=who.subject
            )

        await refused(sale, refund(otto), "unknown_order")
        await refused(sale, refund(sally), "illegal_transition", state="held")
