"""A flash sale over HTTP that loses its store and its web worker in the middle, and no order with them.

20,000 attempts by 2,000 buyers on 100 units; every attempt is sent one to three times with its key.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.http_client import Caller
from support.rush import (
    ORDERS,
    PRICE_MINOR,
    SETTINGS,
    SHOW,
    SKU,
    Tally,
    bearer,
    kill_at,
    open_show,
    prove,
    purchase,
)
from support.server_process import ServerProcess

UNITS = 100
BUYERS = 2_000
ATTEMPTS_PER_BUYER = 10
CALLERS = 64  # buyers that are on the wire at once
KILLS = ((3_000, "valkey-server"), (9_000, "server web"))


@pytest.fixture
async def sale(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    with ServerProcess(tmp_path / "data", ["serve"], SETTINGS) as server:
        yield server


async def run_sale(server: ServerProcess, tally: Tally, seed: int) -> None:
    dice = random.Random(seed)
    todo = [
        (f"buyer{b}", f"buyer{b}-{n}", dice.randint(1, 3))
        for b in range(BUYERS)
        for n in range(ATTEMPTS_PER_BUYER)
    ]
    dice.shuffle(todo)
    queue = iter(todo)

    async def work() -> None:
        for buyer, key, times in queue:
            caller = Caller(server.port, bearer(buyer, "viewer"))
            for _ in range(times):
                await purchase(caller, tally, buyer, key)
            caller.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_at(server, tally, KILLS))
        for _ in range(CALLERS):
            group.create_task(work())


@pytest.mark.slow
async def test_hundred_units_survive_the_loss_of_store_and_web_worker(sale: ServerProcess) -> None:
    creator = await open_show(sale, {"stock": UNITS, "per_viewer_max": 1})
    tally = Tally()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    await run_sale(sale, tally, seed)
    sale.wait_ready()

    print(
        f"answers {tally.answers}, unanswered {tally.unanswered}, "
        f"orders {len(tally.orders)}, refused {tally.refused}"
    )
    assert tally.contradictions == []
    assert tally.unanswered > 0, "nothing was killed while buyers waited: the test proves nothing"
    assert len(set(tally.orders.values())) == len(tally.orders), "two keys share an order"
    assert len(tally.orders) == UNITS
    assert len(set(tally.owners.values())) == UNITS, "per_viewer_max is 1"

    creator.close()
    status, show = await creator.call("GET", f"/api/v1/shows/{SHOW}")
    creator.close()
    assert status == 200
    (product,) = show["products"]
    assert (product["left"], product["held"] + product["sold"]) == (0, UNITS)
    for key, order in tally.orders.items():
        buyer = Caller(sale.port, bearer(tally.owners[key], "viewer"))
        status, body = await buyer.call("GET", f"{ORDERS}/{order}")
        buyer.close()
        assert (status, body["state"], body["sku"], body["unit_price_minor"]) == (
            200,
            "held",
            SKU,
            PRICE_MINOR,
        )
    prove(sale)
