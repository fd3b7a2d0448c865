"""A Cluster of three primaries with a replica each: shows on all, slots that move, a primary that is lost."""

import pytest
from support.failover import HOWS, SEEDS, Shown, survive
from support.fleet import Node, cluster_url, clustered, eventually
from support.sale import ANNA, SECRET, Sale
from support.web import SHOW

from server.commerce.orders import Placed
from server.live.revocations import Revocations
from server.live.roles import role_table
from server.live.shows import Shows
from server.store.cluster import Cluster, slot_of
from server.store.outcome import StoreUnavailable
from server.store.store import Store


async def test_shows_lie_on_all_nodes_and_follow_their_slots() -> None:
    async with clustered() as fleet:
        store = await Store.open(cluster_url(fleet[:1]), role_table())
        shows = [f"show{number}" for number in range(12)]
        owners = {owner_of(store, show) for show in shows}
        assert owners == {node.port for node in fleet[:3]}
        for show in shows:
            sale = await Sale(store, show).start()
            await sale.product()
            assert isinstance(await sale.hold(ANNA), Placed)
            assert await sale.stock() == (9, 1, 0)
        summaries = await Shows(store).directory()
        assert sorted(summary.id for summary in summaries) == sorted(shows)
        await store.writes.call("DEL", "ls:shows")
        assert await Shows(store).repair_directory() == len(shows)
        assert await store.ready()
        revocations = Revocations(store, SECRET, lambda _: None, lambda _: None)
        await revocations.revoke("jti", 1)  # redis-py's own connections, a transaction
        assert revocations.is_revoked("jti")

        slot = slot_of(b"show0")
        source = next(node for node in fleet if node.port == owner_of(store, "show0"))
        target = next(node for node in fleet[:3] if node is not source)
        await store.place.close()  # it learns nothing but by what nodes answer
        sale = Sale(store, "show0")
        ids = await begin_migration(source, target, slot)
        assert await store.reads.call("HGET", "ls:{show0}:show", "state") == b"live"  # ASK
        with pytest.raises(StoreUnavailable, match="TRYAGAIN") as between:  # a script has several keys
            await sale.hold(ANNA, key="between")
        assert not between.value.maybe_applied
        assert owner_of(store, "show0") == source.port
        for node in (target, source):
            await node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        assert isinstance(await sale.hold(ANNA, key="after"), Placed)  # MOVED
        assert await sale.stock() == (8, 2, 0)
        assert owner_of(store, "show0") == target.port
        await store.close()


def owner_of(store: Store, show: str) -> int:
    assert isinstance(store.place, Cluster)
    return store.place.owner(slot_of(show.encode())).port


async def begin_migration(source: Node, target: Node, slot: int) -> tuple[bytes, bytes]:
    """Move a slot's keys, but not yet the slot, as an operator's tool does; gives the nodes' ids."""
    source_id, target_id = [await node.ask("CLUSTER", "MYID") for node in (source, target)]
    assert isinstance(source_id, bytes)
    assert isinstance(target_id, bytes)
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    keys = await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    assert isinstance(keys, list)
    names = [key for key in keys if isinstance(key, bytes)]
    moving = ("127.0.0.1", target.port, "", 0, 5000, "AUTH", target.target.password, "KEYS", *names)
    await source.ask("MIGRATE", *moving)
    return source_id, target_id


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_no_acknowledged_order_is_lost_or_doubled(how: str, seed: int) -> None:
    async with clustered() as fleet:
        url = cluster_url(fleet)
        store = await Store.open(url, role_table())

        async def primary() -> Node:
            return next(node for node in fleet if node.port == owner_of(store, SHOW))

        async def failed_over(lost: Node) -> Node:
            async def another() -> bool:
                return owner_of(store, SHOW) != lost.port

            await eventually(another)
            return await primary()

        await survive(store, Shown(url, 1, primary, failed_over), how, seed)
        await store.close()
