"""The loader on a real store: what a body gets, repeats, and a flushed script cache."""

from server.store.outcome import Refused
from server.store.store import Store

CREATOR = "p_" + "c" * 22
ARGS = ("Title", "EUR", "chat", "", "epoch1", "1", "", "request")


async def test_a_flushed_script_cache_is_noticed_and_filled(store: Store) -> None:
    await store.writes.call("SCRIPT", "FLUSH")
    reply = await store.scripts.run("create", "s1", CREATOR, "creator", *ARGS)
    assert not isinstance(reply, Refused)
    assert reply[0] == b"ok"


async def test_an_unknown_show_is_refused(store: Store) -> None:
    assert await store.scripts.run("snapshot", "none", "", "") == Refused("unknown_show")
