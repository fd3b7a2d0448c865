"""Many at once: duplicates, a crowd on few units, and more due holds than one script looks through."""

import asyncio
import random
from collections import Counter

from support.sale import HOLD_MS, SHOW, Sale, person
from support.store import advance, bodies

from server.commerce.orders import Placed
from server.store.outcome import Refused
from server.store.store import Store


async def test_ten_units_two_hundred_buyers_each_asking_up_to_three_times(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product(stock=10)
    chance = random.Random(20240117)
    buyers = [person(f"buyer{i}") for i in range(200) for _ in range(chance.randint(1, 3))]
    chance.shuffle(buyers)
    answers = await asyncio.gather(*(sale.hold(who, key="once") for who in buyers))
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert sum(answer.is_new for answer in placed) == 10
    assert len({answer.order.view().id for answer in placed}) == 10
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"sold_out"}
    assert await sale.stock() == (0, 10, 0)
    sent = Counter(who.pid for who in buyers)
    winners = {entry["order"]["id"] for entry in await bodies(store, SHOW, "order.held")}
    won = {who.pid for who in buyers if sale.ledger.order_id(SHOW, who.pid, "once") in winners}
    assert len(winners) == len(won) == 10
    assert sum(sent[pid] for pid in won) == len(placed)  # every send of a winner was answered with the order


async def test_more_due_holds_than_one_script_looks_through(store: Store) -> None:
    """300 holds of one product fall due at once; a buyer of another one's last unit must not be fooled."""
    sale = await Sale(store).start()
    await sale.product("mug", stock=300)
    await sale.product("vase", stock=1)
    await asyncio.gather(*(sale.hold(person(f"b{i}")) for i in range(300)))
    await advance(store, SHOW, 10)
    await sale.held(person("last"), sku="vase")
    await advance(store, SHOW, HOLD_MS)
    await sale.held(person("next"), sku="vase")
    assert await sale.stock("vase") == (0, 1, 0)
    assert (await sale.stock("mug"))[0] >= 256  # swept on the way
    await sale.ledger.expire_due(SHOW)
    assert await sale.stock("mug") == (300, 0, 0)
