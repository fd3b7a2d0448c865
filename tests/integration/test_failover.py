"""Sentinel: the primary is killed or cut off in the middle of a sale, and no acknowledged order with it.

FAILOVER_SEEDS=20 runs so many sales (`make soak-failover`).
"""

import asyncio
import os
import random
import signal
import time

import pytest
from support.failover import buying, judge, open_show, watching
from support.fleet import Node, eventually, watched
from support.web import expect, running

from server.live.roles import role_table
from server.store.store import Store

SEEDS = range(int(os.environ.get("FAILOVER_SEEDS", "1")))
HOWS = ("killed", "silent", "cut off") if len(SEEDS) > 1 else ("killed", "cut off")  # ten seconds each
RESUME_S = 5.0


async def lose(node: Node, how: str) -> None:
    """`silent`: nobody reaches it, but its sockets stay open. `cut off`: only clients reach it."""
    match how:
        case "killed":
            await node.kill()
        case "silent":
            node.send(signal.SIGSTOP)
        case _:
            await node.cut_off()


async def bring_back(lost: Node, primary: Node, how: str) -> None:
    """It returns, and is a replica of the new primary."""
    match how:
        case "killed":
            await lost.start("--replicaof", f"127.0.0.1 {primary.port}")
        case "silent":
            lost.send(signal.SIGCONT)
        case _:
            await lost.heal()

    async def follows() -> bool:
        return await lost.info("role") == "slave"

    await eventually(follows)


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_no_acknowledged_order_is_lost_or_doubled(how: str, seed: int) -> None:
    dice = random.Random(f"{how} {seed}")
    async with watched() as watch:
        store = await Store.open(watch.url, role_table())
        redis = {"url": watch.url, "wait_replicas": 2}
        async with running(store, watch.fleet[0].home, redis=redis) as web:
            await open_show(web)
            lost = await watch.primary()
            async with watching(web) as viewer, buying(web, dice.randint(4, 16)) as promises:

                async def chats() -> bool:
                    return await viewer.hears_itself(within_s=0.5)

                await asyncio.sleep(dice.uniform(0.5, 1.5))
                await eventually(chats)
                epoch, began = viewer.viewer.epoch, time.monotonic()
                await lose(lost, how)
                if how == "cut off":  # what is told meanwhile is lost, but nothing that was promised
                    await expect(200, web.call("PUT", "pin", {"sku": "mug"}, token=web.creator))
                primary = await watch.failed_over(lost)
                failed_over = time.monotonic()
                await eventually(chats)
                chat_back = time.monotonic()
                await expect(200, web.call("GET", ""))
                assert promises.first_after(failed_over) is None  # the third node is not there
                back = time.monotonic()
                await bring_back(lost, primary, how)
                replica_again = time.monotonic()

                async def resumed() -> bool:
                    return promises.first_after(back) is not None

                await eventually(resumed)
                first = promises.first_after(back)
                assert first is not None
                await asyncio.sleep(1.0)
                await eventually(chats)
                if how == "cut off":
                    assert viewer.viewer.epoch != epoch
                    assert (await expect(200, web.call("GET", "")))["pin"] is None
            assert not viewer.broken
            orders = await judge(web, store, promises)
            print(
                f"\nseed {seed}, {how}: {len(promises.orders)} acknowledged of {orders}; another "
                f"primary after {failed_over - began:.1f} s, chat after {chat_back - began:.1f} s; the node "
                f"was a replica {replica_again - back:.1f} s after its return, an order was acknowledged "
                f"after {first - back:.1f} s; {dict(promises.answers)}"
            )
            assert first - replica_again <= RESUME_S
        await store.close()
