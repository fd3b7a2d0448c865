"""The loader on a real store: what a body gets, repeats, and functions that were flushed."""

from functools import partial
from typing import cast

import pytest

from server.live.roles import role_table
from server.store.outcome import Refused
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
    for name in ("old_1", "old_2"):
        await store.writes.call("FUNCTION", "LOAD", "REPLACE", text % (name, name))
    on_connect = partial(load_all, scripts=load_scripts(role_table()))
    for most in (2, 1):
        monkeypatch.setattr("server.store.scripts.LIBRARIES_MAX", most)
        assert await store.writes.call("FCALL", "old_1", 0) == 1
        await (await Wire.open(store.target, on_connect=on_connect)).close()
    listed = cast("list[list[bytes]]", await store.writes.call("FUNCTION", "LIST"))
    ours = {script.function.encode() for script in load_scripts(role_table()).values()}
    assert {library[1] for library in listed} == ours
