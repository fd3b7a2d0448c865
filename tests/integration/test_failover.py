"""Sentinel: the primary is killed or cut off in the middle of a sale, and no acknowledged order with it."""

import pytest
from support.failover import HOWS, SEEDS, Shown, survive
from support.fleet import Node, watched

from server.live.roles import role_table
from server.store.store import Store


def as_replica_of(primary: Node) -> tuple[str, ...]:
    return "--replicaof", f"127.0.0.1 {primary.port}"


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_no_acknowledged_order_is_lost_or_doubled(how: str, seed: int) -> None:
    async with watched() as watch:
        store = await Store.open(watch.url, role_table())
        shown = Shown(watch.url, 2, watch.primary, watch.failed_over, as_replica_of)
        await survive(store, shown, how, seed)
        await store.close()
