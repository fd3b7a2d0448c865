"""What spares the store in a crowd: one asks for all at an empty shelf, and purchases go before the rest."""

import asyncio
from collections.abc import Awaitable

import pytest
from support.sale import ANNA, BORIS, CREATOR, Sale, person

from server.commerce.catalog import FlashSpec
from server.commerce.orders import Placed
from server.live.chat import Chat, NotSaid
from server.live.limits import Rates
from server.live.viewers import Pass
from server.log import reader
from server.store.outcome import Refused, StoreBusy
from server.store.store import Store

EMPTY = Refused("sold_out", {"left": 0})


@pytest.fixture
async def sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await sale.product(stock=2)
    return sale


async def scripts_run(store: Store) -> int:
    said = await store.reads.call("INFO", "commandstats")
    assert isinstance(said, bytes)
    [line] = [line for line in said.decode().splitlines() if line.startswith("cmdstat_fcall:")]
    return int(line.split("calls=")[1].split(",")[0])


async def test_at_an_empty_shelf_one_asks_for_all(sale: Sale, store: Store) -> None:
    await sale.held(quantity=2)
    assert await sale.hold(BORIS) == EMPTY
    before = await scripts_run(store)
    crowd = [sale.hold(person(f"p{number}")) for number in range(500)]
    assert await asyncio.gather(*crowd) == [EMPTY] * 500
    assert (
        await scripts_run(store) - before <= 4
    )  # the first, one for 256 who came meanwhile, one for the rest


async def test_who_has_an_order_gets_it_also_in_the_crowd(sale: Sale) -> None:
    first = await sale.hold(ANNA, key="a")
    await sale.held(BORIS)
    assert await sale.hold(BORIS) == EMPTY
    repeats = (sale.hold(ANNA, key="a") for _ in range(3))
    leaders = [sale.hold(person("first")), sale.hold(person("second"))]
    crowd = [*leaders, *repeats, *(sale.hold(person(f"p{number}")) for number in range(50))]
    answers = await asyncio.gather(*crowd)
    assert isinstance(first, Placed)
    assert answers[2:5] == [Placed(first.order, is_new=False)] * 3
    assert answers[:2] + answers[5:] == [EMPTY] * 52


async def test_a_unit_that_comes_back_is_sold_to_the_next_who_asks(sale: Sale) -> None:
    order = await sale.held(quantity=2)
    assert await sale.hold(BORIS) == EMPTY
    before = [asyncio.create_task(sale.hold(person(f"b{number}"))) for number in range(50)]
    await sale.ledger.cancel(sale.show, ANNA, order)
    after = await asyncio.gather(*(sale.hold(person(f"a{number}")) for number in range(50)))
    answers = [*await asyncio.gather(*before), *after]
    assert [isinstance(answer, Placed) for answer in answers].count(True) == 2
    assert await sale.stock() == (0, 2, 0)


@pytest.mark.parametrize("turns", range(8))
async def test_who_leaves_the_crowd_keeps_nobody_waiting(sale: Sale, turns: int) -> None:
    await sale.held(quantity=2)
    assert await sale.hold(BORIS) == EMPTY
    crowd = [asyncio.create_task(sale.hold(person(f"p{number}"))) for number in range(60)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for leaves in crowd[:20]:
        leaves.cancel()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*crowd[20:]) == [EMPTY] * 40


async def test_chat_gives_way_first_then_joins_then_prices_and_purchases_last(
    sale: Sale, store: Store
) -> None:
    chat = Chat(store, Rates())

    async def says() -> bool:
        holder = Pass(show=sale.show, pid=BORIS.pid, role="viewer", subject="boris")
        said = await chat.say(holder, frozenset({"viewer"}), "hi", now=0.0, exempt=True)
        return said != NotSaid("store_unavailable", 1_000)

    async def joins() -> bool:
        return await goes(reader.standing(store, sale.show, BORIS.pid))

    async def prices() -> bool:
        spec = FlashSpec(sku="mug", price_minor=900, duration_s=60)
        return await goes(sale.catalog.flash(sale.show, CREATOR, spec))

    async def buys() -> bool:
        return await goes(sale.hold(ANNA))

    fractions = {5_000: [False, True, True, True], 10_000: [False, False, True, True]}
    fractions |= {15_000: [False, False, False, True], 19_999: [False, False, False, True]}
    for waiting, expected in fractions.items():
        store.writes.call("EVAL", "local n = 0 for i = 1, 3e7 do n = n + i end return 1", 0)
        crowd = [store.writes.call("PING") for _ in range(waiting - 1)]
        assert await asyncio.gather(says(), joins(), prices(), buys()) == expected
        await asyncio.gather(*crowd)
    assert await asyncio.gather(says(), joins(), prices()) == [True] * 3


async def goes(work: Awaitable[object]) -> bool:
    try:
        await work
    except StoreBusy:
        return False
    return True
