"""Reading a show: its snapshot, its log, its head. All on the read connection; nothing here writes."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from server.log import state
from server.log.entries import Entry, decode
from server.store.outcome import Refused
from server.store.resp import Reply
from server.store.store import Store

ENTRIES_MAX = 1000
"""Entries in one answer: about 300 KiB, a few ms of the store."""


class Head(msgspec.Struct, frozen=True):
    """Where a show's log stands. `public_seq` is its newest public entry's seq."""

    epoch: str
    seq: int
    public_seq: int


class Standing(msgspec.Struct, frozen=True):
    """What a show itself says about one pid, beside the pid's token."""

    members: str
    is_owner: bool
    banned: bool
    timeout_until_ms: int
    guests: str
    server_ms: int


async def snapshot(store: Store, show: str) -> state.ShowSnapshot | None:
    """The show's whole state at one instant with all numbers (see `for_public`); None: no such show."""
    reply = await store.read_scripts.run("snapshot", show, "", "")
    return None if isinstance(reply, Refused) else state.build(cast("list[Any]", reply[1:]))


async def standing(store: Store, show: str, pid: str) -> Standing | None:
    """What the show says about `pid`; None: no such show."""
    reply = await store.read_scripts.run("standing", show, pid, "")
    if isinstance(reply, Refused):
        return None
    _, members, owner, banned, until_ms, guests, ts = cast("tuple[Any, ...]", tuple(reply))
    return Standing(
        members=members.decode(),
        is_owner=owner == 1,
        banned=banned == 1,
        timeout_until_ms=until_ms,
        guests=guests.decode(),
        server_ms=ts,
    )


async def entries(store: Store, show: str, after_seq: int, limit: int = ENTRIES_MAX) -> list[Entry]:
    """The log's entries with `seq > after_seq`, oldest first, at most `limit`."""
    rows = await store.reads.call("XRANGE", f"ls:{{{show}}}:log", f"({after_seq}-0", "+", "COUNT", limit)
    return [decode(raw) for raw in raw_rows(rows)]


async def head(store: Store, show: str) -> Head | None:
    """Epoch and head of the show's log; None: no such show."""
    reply = await store.reads.call("HMGET", f"ls:{{{show}}}:show", "epoch", "seq", "prev_public")
    return read_head(reply)


def read_head(reply: Reply) -> Head | None:
    """The reply to HMGET epoch seq prev_public."""
    epoch, seq, public_seq = cast("list[bytes | None]", reply)
    if epoch is None or seq is None or public_seq is None:
        return None
    return Head(epoch.decode(), int(seq), int(public_seq))


def raw_rows(rows: Reply) -> list[bytes]:
    """The entries' bytes out of a reply to XRANGE."""
    return [cast("Sequence[bytes]", row[1])[1] for row in cast("list[list[Reply]]", rows)]
