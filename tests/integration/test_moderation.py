"""Moderation on a real store: every action, its effect, its entry; a refusal leaves every key as it was."""

from typing import Any

import msgspec
import pytest
from support.sale import SECRET
from support.store import bodies, digest, show_hash

from server.live.moderation import (
    Ban,
    BlankVideo,
    ChatMode,
    Command,
    Delete,
    Moderated,
    Moderation,
    PauseSales,
    PinMessage,
    ResumeSales,
    ShowVideo,
    SlowMode,
    Timeout,
    Unban,
)
from server.live.shows import NewShow, Shows
from server.log import reader
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

CREATOR, MODERATOR, VIEWER = "p_" + "c" * 22, "p_" + "m" * 22, "p_" + "v" * 22
EVERY: list[Command] = [
    Delete(("1-0",)),
    Timeout(VIEWER, 60, "spam"),
    Ban(VIEWER, "abuse"),
    Unban(VIEWER),
    SlowMode(10),
    ChatMode("off"),
    PauseSales("wrong price"),
    ResumeSales("fixed"),
    BlankVideo("privacy"),
    ShowVideo("fine"),
    PinMessage("1-0"),
]


def who(pid: str, role: str) -> Principal:
    return Principal("someone", pid, role, None, "jti", 2**33)


STAFF = who(MODERATOR, "moderator")


@pytest.fixture
async def moderation(store: Store) -> Moderation:
    shows = Shows(store)
    await shows.create(who(CREATOR, "creator"), NewShow(title="T", currency="EUR", id="s1"))
    await shows.change("s1", who(CREATOR, "creator"), "start")
    await store.writes.call("XADD", "ls:{s1}:chat", "1-0", "m", "{}")
    return Moderation(store, PrivateText(store, SECRET))


@pytest.mark.parametrize("command", EVERY, ids=lambda c: type(c).__name__)
async def test_every_action_is_logged_with_who_and_why(
    store: Store, moderation: Moderation, command: Command
) -> None:
    outcome = await moderation.apply("s1", STAFF, command)
    assert outcome == Moderated(3)
    [entry] = await moderation.audit("s1")
    assert entry.seq == 3
    assert entry.actor == MODERATOR
    given = msgspec.json.decode(msgspec.json.encode(command), type=dict[str, Any])
    assert entry.action == given["action"]
    assert entry.target == given.get("subject")
    assert entry.reason == given.get("reason")
    logged = (await reader.entries(store, "s1", 2))[0]
    assert (logged.kind, logged.audience) == ("moderation", "public")
    texts = PrivateText(store, SECRET)
    await texts.load(texts.missing(logged.raw))
    told = texts.tell("s1", logged.body)
    assert {name: told[name] for name in given} == given
    assert given.get("reason", "never").encode() not in logged.raw
    assert await moderation.audit("s1", since=3) == []


@pytest.mark.parametrize("command", EVERY, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("role", ["viewer", "seller", "auditor", ""])
async def test_others_may_not(store: Store, moderation: Moderation, command: Command, role: str) -> None:
    before = await digest(store, "s1")
    assert await moderation.apply("s1", who(VIEWER, role), command) == Refused("forbidden")
    assert await moderation.apply("none", STAFF, command) == Refused("unknown_show")
    assert await digest(store, "s1") == before


async def test_pausing_sales_freezes_and_resuming_thaws(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, PauseSales("wrong price"))
    await moderation.apply("s1", STAFF, PauseSales("still wrong"))  # nothing to change: no second show.state
    paused = await bodies(store, "s1", "show.state")
    reasons = [entry.detail["reason"] for entry in await moderation.audit("s1")]
    assert [(b["sales_paused"], b["frozen"]) for b in paused[1:]] == [(True, True)]
    assert reasons == ["wrong price", "still wrong"]
    await moderation.apply("s1", STAFF, ResumeSales("fixed"))
    last = (await bodies(store, "s1", "show.state"))[-1]
    assert (last["sales_paused"], last["frozen"], last["frozen_since_ms"]) == (False, False, None)


async def test_blanking_the_video_freezes_and_showing_thaws(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, BlankVideo("privacy"))
    assert (await show_hash(store, "s1"))["video_blanked"] == "1"
    assert await Shows(store).is_blanked("s1")
    assert (await bodies(store, "s1", "show.state"))[-1]["frozen"] is True
    await moderation.apply("s1", STAFF, ShowVideo("fine"))
    assert not await Shows(store).is_blanked("s1")
    assert (await bodies(store, "s1", "show.state"))[-1]["frozen"] is False


async def test_a_ban_holds_until_it_is_lifted(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, Ban(VIEWER, "abuse"))
    standing = await reader.standing(store, "s1", VIEWER)
    assert standing is not None
    assert standing.banned
    await moderation.apply("s1", STAFF, Unban(VIEWER))
    standing = await reader.standing(store, "s1", VIEWER)
    assert standing is not None
    assert not standing.banned


async def test_a_subject_is_resolved_to_its_pid(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, Ban("alice", "abuse"))
    pid = await Pids(store).resolve("alice")
    assert pid.startswith("p_")
    assert await store.reads.call("HEXISTS", "ls:{s1}:banned", pid) == 1
    assert "alice" not in str(await bodies(store, "s1"))


async def test_a_timeout_has_an_end(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, Timeout(VIEWER, 60, "spam"))
    standing = await reader.standing(store, "s1", VIEWER)
    assert standing is not None
    assert 59_000 < standing.timeout_until_ms - standing.server_ms <= 60_000


async def test_chat_settings_and_messages(store: Store, moderation: Moderation) -> None:
    await moderation.apply("s1", STAFF, SlowMode(30))
    await moderation.apply("s1", STAFF, ChatMode("buyers"))
    await moderation.apply("s1", STAFF, PinMessage("1-0"))
    snapshot = await reader.snapshot(store, "s1")
    assert snapshot is not None
    assert (snapshot.slow_mode_s, snapshot.chat_mode, snapshot.pinned_message) == (30, "buyers", "1-0")
    await moderation.apply("s1", STAFF, Delete(("1-0", "9-9")))
    assert await store.reads.call("XLEN", "ls:{s1}:chat") == 0


async def test_a_deleted_message_is_pinned_no_more(store: Store, moderation: Moderation) -> None:
    await store.writes.call("XADD", "ls:{s1}:chat", "2-0", "m", "{}")
    await moderation.apply("s1", STAFF, PinMessage("1-0"))
    await moderation.apply("s1", STAFF, Delete(("2-0",)))
    assert (await show_hash(store, "s1"))["pinned_message"] == "1-0"
    await moderation.apply("s1", STAFF, Delete(("1-0",)))
    assert (await show_hash(store, "s1"))["pinned_message"] == ""


async def test_what_cannot_be_is_refused(store: Store, moderation: Moderation) -> None:
    await Shows(store).set_member("s1", who(CREATOR, "creator"), MODERATOR, ["moderator"])
    before = await digest(store, "s1")
    colleague = who("p_" + "n" * 22, "moderator")
    assert await moderation.apply("s1", STAFF, PinMessage("7-7")) == Refused("unknown_message")
    assert await moderation.apply("s1", STAFF, Ban(CREATOR, "coup")) == Refused("forbidden")
    assert await moderation.apply("s1", STAFF, Timeout(CREATOR, 60, "coup")) == Refused("forbidden")
    assert await moderation.apply("s1", colleague, Ban(MODERATOR, "coup")) == Refused("forbidden")
    assert await digest(store, "s1") == before
    assert isinstance(
        await moderation.apply("s1", who(CREATOR, "creator"), Ban(MODERATOR, "abuse")), Moderated
    )
    after = await digest(store, "s1")
    assert await moderation.apply("s1", STAFF, SlowMode(5)) == Refused("banned")
    assert await digest(store, "s1") == after


async def test_repeats_by_key(store: Store, moderation: Moderation) -> None:
    first = await moderation.apply("s1", STAFF, SlowMode(5), idempotency_key="k")
    before = await digest(store, "s1")
    assert await moderation.apply("s1", STAFF, SlowMode(5), idempotency_key="k") == first
    assert await moderation.apply("s1", STAFF, SlowMode(6), idempotency_key="k") == Refused(
        "idempotency_conflict"
    )
    assert await digest(store, "s1") == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"action":"dance"}',
        b'{"action":"ban","subject":"x"}',
        b'{"action":"ban","subject":"x","reason":"y","extra":1}',
        b'{"action":"timeout","subject":"x","seconds":9,"reason":"y"}',
        b'{"action":"timeout","subject":"x","seconds":1209601,"reason":"y"}',
        b'{"action":"slow_mode","seconds":121}',
        b'{"action":"slow_mode","seconds":-1}',
        b'{"action":"chat_mode","mode":"loud"}',
        b'{"action":"delete","message_ids":[]}',
        b'{"action":"delete","message_ids":["1-0 2-0"]}',
        b'{"action":"pin_message","message_id":"+"}',
    ],
)
def test_bodies_that_are_no_command(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Command)
