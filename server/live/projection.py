"""What each audience is told of one log entry.

Pure. The log keeps everything once; who may see which part of it is decided here and nowhere else: public
entries go to all (a moderation entry as its effect alone, in full to staff and to its target), a buyer's
orders to that buyer, and stock to all outside the chain.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from server.live.protocol import Update, encode
from server.live.stock import Level
from server.log.entries import Entry

PUBLIC: Final = "public"
SUBJECT_PREFIX: Final = "subject:"
EFFECT_FIELDS: Final = ("action", "message_ids", "message_id", "seconds", "mode")
"""What everybody learns of a moderation entry: enough to carry it out, not whom it hits or why."""
OWN_KINDS: Final = frozenset({"waitlist.joined", "waitlist.left", "draw.entered"})
"""What is told as it is to the one whom it is for."""
_CHAT_DELETE: Final = "delete"


class Told(msgspec.Struct, frozen=True):
    """One entry, projected; each part is the JSON of an update, or None.

    `public` is part of the chain. In its place stand `full` for staff and `personal` for `target` (a pid):
    whom it hits and why, but not by whose hand. `own` is for the sockets of `own_pid`.
    """

    seq: int
    prev: int
    public: bytes | None = None
    full: bytes | None = None
    personal: bytes | None = None
    target: str = ""
    own_pid: str = ""
    own: bytes | None = None
    stock: tuple[Level, ...] = ()
    deleted_messages: frozenset[str] = frozenset()
    banned_pid: str = ""
    unbans: bool = False


def project(entry: Entry, epoch: str, show: str) -> Told:
    """Project one entry of `show`'s log."""
    stock = _levels(entry)
    if entry.audience == PUBLIC:
        return _public(entry, epoch, show, stock)
    if entry.audience.startswith(SUBJECT_PREFIX) and (own := _own(entry)):
        kind, data = own
        told = encode(Update(type=kind, show=show, epoch=epoch, as_of=entry.seq, ts=entry.ts, data=data))
        pid = entry.audience.removeprefix(SUBJECT_PREFIX)
        return Told(entry.seq, entry.prev_public, own_pid=pid, own=told, stock=stock)
    return Told(entry.seq, entry.prev_public, stock=stock)


def _without_stock(entry: Entry) -> dict[str, Any]:
    """The stock is told apart, as far as it is shown."""
    return {name: value for name, value in entry.body.items() if name != "stock"}


def _own(entry: Entry) -> tuple[str, Mapping[str, Any]] | None:
    """What the one whom an entry is for is told of it: a type and its data."""
    if "order" in entry.body:
        return "order", entry.body["order"]
    return (entry.kind, _without_stock(entry)) if entry.kind in OWN_KINDS else None


def _public(entry: Entry, epoch: str, show: str, stock: tuple[Level, ...]) -> Told:
    if entry.kind != "moderation":
        frame = encode(_update(entry, epoch, show, _without_stock(entry)))
        return Told(entry.seq, entry.prev_public, public=frame, stock=stock)
    action, target = entry.body.get("action"), entry.body.get("subject") or ""
    effect = {name: entry.body[name] for name in EFFECT_FIELDS if entry.body.get(name) is not None}
    return Told(
        entry.seq,
        entry.prev_public,
        public=encode(_update(entry, epoch, show, effect)),
        full=encode(_update(entry, epoch, show, {**entry.body, "actor": entry.actor})),
        personal=encode(_update(entry, epoch, show, entry.body)),
        target=target,
        deleted_messages=frozenset(entry.body.get("message_ids") or ())
        if action == _CHAT_DELETE
        else frozenset(),
        banned_pid=target if action == "ban" else "",
        unbans=action == "unban",
    )


def _update(entry: Entry, epoch: str, show: str, data: Mapping[str, Any]) -> Update:
    return Update(
        type=entry.kind,
        show=show,
        epoch=epoch,
        seq=entry.seq,
        prev=entry.prev_public,
        ts=entry.ts,
        at_ms=entry.at_ms,
        data=data,
    )


def _levels(entry: Entry) -> tuple[Level, ...]:
    """The stock that an entry reports: orders carry a list, a restock one level in its own fields."""
    if entry.kind == "product.restocked":
        return (_level(entry.seq, entry.body),)
    listed = entry.body.get("stock")
    if not isinstance(listed, list):
        return ()
    return tuple(_level(entry.seq, level) for level in cast("list[Mapping[str, Any]]", listed))


def _level(seq: int, body: Mapping[str, Any]) -> Level:
    waiting = int(body.get("waiting", 0))
    return Level(str(body["sku"]), seq, int(body["left"]), int(body["held"]), int(body["sold"]), waiting)
