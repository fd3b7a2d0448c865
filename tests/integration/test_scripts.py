"""The loader on a real store: what a body gets, repeats, and functions that were flushed."""

import asyncio
from functools import partial
from typing import cast

import pytest
from support.sale import ANNA, BORIS, SHOW, Sale

from server.commerce.orders import OrderState, Placed
from server.live.roles import role_table
from server.store.outcome import Refused, StoreReplyError
from server.store.scripts import load_all, load_scripts
from server.store.store import Store
from server.store.wire import Wire

CREATOR = "p_" + "c" * 22
ARGS = ("Title", "EUR", "chat", "", "epoch1", "1", "", "request")


async def test_flushed_functions_are_noticed_and_loaded(store: Store) -> None:
    await store.writes.call("FUNCTION", "FLUSH")
    reply = await store.scripts.run("create", "s1", CREATOR, "creator", *ARGS)
    assert not isinstance(reply, Refused)
    assert reply[0] == b"ok"


async def test_an_unknown_show_is_refused(store: Store) -> None:
    assert await store.scripts.run("snapshot", "none", "", "") == Refused("unknown_show")


async def test_other_versions_stay_until_there_are_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "#!lua name=%s\nredis.register_function('%s', function() return 1 end)"
    old = [f"hold_{digit * 16}" for digit in "ab"]
    for name in (*old, "of_others"):
        await store.writes.call("FUNCTION", "LOAD", "REPLACE", text % (name, name))
    on_connect = partial(load_all, scripts=load_scripts(role_table()))
    for most in (2, 1):
        monkeypatch.setattr("server.store.scripts.LIBRARIES_MAX", most)
        assert await store.writes.call("FCALL", old[0], 0) == 1
        wires = await asyncio.gather(*(Wire.open(store.target, on_connect=on_connect) for _ in range(3)))
        await asyncio.gather(*(wire.close() for wire in wires))
    listed = cast("list[list[bytes]]", await store.writes.call("FUNCTION", "LIST"))
    ours = {script.function.encode() for script in load_scripts(role_table()).values()}
    assert {library[1] for library in listed} == ours | {b"of_others"}
    await store.writes.call("FUNCTION", "DELETE", "of_others")


async def test_a_full_memory_refuses_a_sale_and_stops_no_stop(store: Store) -> None:
    sale = await Sale(store).start()
    await sale.product(stock=2)
    order = await sale.held(key="k")
    await store.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreReplyError, match="OOM"):
            await sale.hold(BORIS)
        again = await sale.hold(ANNA, key="k")
        assert isinstance(again, Placed)
        assert not again.is_new
        assert isinstance(await sale.ledger.cancel(SHOW, ANNA, order), OrderState)
        await (
            await Wire.open(store.target, on_connect=partial(load_all, scripts=load_scripts(role_table())))
        ).close()
    finally:
        await store.redis.config_set("maxmemory", 0)
    assert isinstance(await sale.hold(BORIS), Placed)
