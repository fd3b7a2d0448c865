"""Show life, members, homes and the directory on a real store; every refusal leaves every key as it was."""

import itertools
from typing import get_args

import pytest
from support.store import advance, bodies, digest, set_show, show_hash

from server.live.shows import TRANSITIONS, Change, Claimed, Created, Done, NewShow, Shows
from server.log import reader
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

CREATOR = "p_" + "c" * 22
OTHER = "p_" + "o" * 22
SHOW = NewShow(title="Autumn", currency="EUR", id="s1")
ROUTE: dict[str, list[Change]] = {
    "scheduled": [],
    "live": ["start"],
    "paused": ["start", "pause"],
    "ended": ["start", "end"],
}


def who(pid: str = CREATOR, role: str = "creator", show: str | None = None) -> Principal:
    subject = "someone" if role != "guest" else pid
    return Principal(subject, pid, "viewer" if role == "guest" else role, show, "jti", 2**33)


@pytest.fixture
async def shows(store: Store) -> Shows:
    shows = Shows(store)
    assert await shows.create(who(), SHOW) == Created("s1")
    return shows


async def test_a_new_show_is_scheduled_logged_and_listed(store: Store, shows: Shows) -> None:
    snapshot = await reader.snapshot(store, "s1")
    assert snapshot is not None
    assert (snapshot.state, snapshot.title, snapshot.owner) == ("scheduled", "Autumn", CREATOR)
    assert (snapshot.seq, snapshot.public_seq, snapshot.frozen, snapshot.pin) == (1, 1, False, None)
    [entry] = await reader.entries(store, "s1", 0)
    assert (entry.kind, entry.actor, entry.audience, entry.prev_public) == (
        "show.created",
        CREATOR,
        "public",
        0,
    )
    assert [show.id for show in await shows.directory()] == ["s1"]


async def test_sellers_given_at_creation_are_members(store: Store, shows: Shows) -> None:
    await shows.create(who(), NewShow(title="Two", currency="EUR", id="s2", sellers=(OTHER,)))
    standing = await reader.standing(store, "s2", OTHER)
    assert standing is not None
    assert standing.members == "seller"


@pytest.mark.parametrize("role", ["viewer", "guest", "moderator", "seller", "producer", "auditor", ""])
async def test_only_creators_and_admins_make_shows(store: Store, role: str) -> None:
    assert await Shows(store).create(who(role=role), SHOW) == Refused("forbidden")
    assert await digest(store, "s1") == {}
    assert await Shows(store).directory() == []


async def test_a_token_for_another_show_makes_none(store: Store) -> None:
    assert await Shows(store).create(who(show="s9"), SHOW) == Refused("forbidden")
    assert await digest(store, "s1") == {}


async def test_an_id_in_use_is_refused(store: Store, shows: Shows) -> None:
    before = await digest(store, "s1")
    assert await shows.create(who(OTHER), SHOW) == Refused("show_exists")
    assert await digest(store, "s1") == before


async def test_creating_again_with_the_same_key_gives_the_same_show(store: Store) -> None:
    shows = Shows(store)
    nameless = NewShow(title="T", currency="EUR")
    first = await shows.create(who(), nameless, idempotency_key="k1")
    assert isinstance(first, Created)
    before = await digest(store, first.id)
    assert await shows.create(who(), nameless, idempotency_key="k1") == first
    other = NewShow(title="Other", currency="EUR")
    assert await shows.create(who(), other, idempotency_key="k1") == Refused("idempotency_conflict")
    assert await digest(store, first.id) == before
    assert await shows.create(who(), nameless, idempotency_key="k2") != first


@pytest.mark.parametrize(("state", "change"), list(itertools.product(ROUTE, get_args(Change))))
async def test_every_transition_is_as_the_table_says(
    store: Store, shows: Shows, state: str, change: Change
) -> None:
    for step in ROUTE[state]:
        assert isinstance(await shows.change("s1", who(), step), Done)
    before, entries = await digest(store, "s1"), await bodies(store, "s1")
    outcome = await shows.change("s1", who(), change)
    needs, leads_to = TRANSITIONS[change]
    if state in needs:
        assert outcome == Done(len(entries) + 1)
        assert (await show_hash(store, "s1"))["state"] == leads_to
        assert (await bodies(store, "s1", "show.state"))[-1]["state"] == leads_to
    else:
        assert outcome == Refused("illegal_transition", {"state": state})
        assert await digest(store, "s1") == before


@pytest.mark.parametrize("change", get_args(Change))
async def test_others_may_not_run_a_show(store: Store, shows: Shows, change: Change) -> None:
    before = await digest(store, "s1")
    for principal in (
        who(OTHER, "viewer"),
        who(OTHER, "moderator"),
        who(OTHER, "guest"),
        who(OTHER, show="s9"),
    ):
        assert await shows.change("s1", principal, change) == Refused("forbidden")
    assert await shows.change("nowhere", who(), change) == Refused("unknown_show")
    assert await digest(store, "s1") == before


async def test_the_owner_runs_the_show_with_any_role(shows: Shows) -> None:
    assert isinstance(await shows.change("s1", who(CREATOR, "viewer"), "start"), Done)


async def test_a_repeated_change_is_answered_the_same(store: Store, shows: Shows) -> None:
    first = await shows.change("s1", who(), "start", idempotency_key="k")
    before = await digest(store, "s1")
    assert await shows.change("s1", who(), "start", idempotency_key="k") == first
    assert await shows.change("s1", who(), "pause", idempotency_key="k") == Refused("idempotency_conflict")
    assert await digest(store, "s1") == before


async def test_the_sale_clock_stands_still_while_paused(store: Store, shows: Shows) -> None:
    await shows.change("s1", who(), "start")
    await shows.change("s1", who(), "pause")
    frozen = await reader.snapshot(store, "s1")
    await advance(store, "s1", 60_000)
    later = await reader.snapshot(store, "s1")
    assert frozen is not None
    assert later is not None
    assert frozen.frozen
    assert later.sale_ms == frozen.sale_ms
    assert later.server_ms >= frozen.server_ms + 60_000
    await shows.change("s1", who(), "resume")
    resumed = await reader.snapshot(store, "s1")
    assert resumed is not None
    assert not resumed.frozen
    assert resumed.frozen_total_ms >= 60_000
    assert resumed.sale_ms == resumed.server_ms - resumed.frozen_total_ms


async def test_ending_a_paused_show_lets_the_sale_clock_run(store: Store, shows: Shows) -> None:
    for change in ("start", "pause", "end"):
        await shows.change("s1", who(), change)
    assert (await bodies(store, "s1", "show.state"))[-1]["frozen"] is False


async def test_server_time_never_runs_back(store: Store, shows: Shows) -> None:
    await advance(store, "s1", 3_600_000)
    await shows.change("s1", who(), "start")
    await advance(store, "s1", -7_200_000)
    await shows.change("s1", who(), "pause")
    entries = await reader.entries(store, "s1", 0)
    assert [entry.ts for entry in entries] == sorted(entry.ts for entry in entries)


async def test_a_member_has_the_role_at_once_and_loses_it_at_once(store: Store, shows: Shows) -> None:
    helper = who(OTHER, "viewer")
    assert await shows.change("s1", helper, "start") == Refused("forbidden")
    assert isinstance(await shows.set_member("s1", who(), OTHER, ["producer"]), Done)
    assert isinstance(await shows.change("s1", helper, "start"), Done)
    assert isinstance(await shows.remove_member("s1", who(), OTHER), Done)
    assert await shows.change("s1", helper, "pause") == Refused("forbidden")
    assert await bodies(store, "s1", "member.set") == [
        {"subject": OTHER, "roles": ["producer"]},
        {"subject": OTHER, "roles": []},
    ]


async def test_setting_the_same_roles_again_writes_nothing(store: Store, shows: Shows) -> None:
    await shows.set_member("s1", who(), OTHER, ["seller", "moderator"])
    before = await digest(store, "s1")
    assert isinstance(await shows.set_member("s1", who(), OTHER, ["moderator", "seller"]), Done)
    assert await digest(store, "s1") == before


async def test_wrong_members_are_refused(store: Store, shows: Shows) -> None:
    before = await digest(store, "s1")
    for role in ("admin", "king", "guest:buy", ""):
        outcome = await shows.set_member("s1", who(), OTHER, [role])
        assert isinstance(outcome, Refused)
        assert outcome.code == "bad_request"
    for principal in (who(OTHER, "viewer"), who(OTHER, "moderator"), who(OTHER, "producer")):
        assert await shows.set_member("s1", principal, OTHER, ["moderator"]) == Refused("forbidden")
    assert await shows.set_member("none", who(), OTHER, ["moderator"]) == Refused("unknown_show")
    assert await digest(store, "s1") == before


async def test_an_absent_host_freezes_a_live_show_once(store: Store, shows: Shows) -> None:
    assert await shows.host_away("s1", away=True) == Done(0)  # scheduled: nothing to freeze
    await shows.change("s1", who(), "start")
    assert await shows.host_away("s1", away=True) == Done(3)
    assert await shows.host_away("s1", away=True) == Done(0)
    last = (await bodies(store, "s1", "show.state"))[-1]
    assert (last["frozen"], last["host_away"], last["state"]) == (True, True, "live")
    assert await shows.host_away("s1", away=False) == Done(4)
    assert (await bodies(store, "s1", "show.state"))[-1]["frozen"] is False


async def test_the_home_of_the_video_is_claimed_once_and_kept_alive(store: Store, shows: Shows) -> None:
    assert await shows.claim_home("s1", who(), "0") == Claimed("0")
    assert await shows.claim_home("s1", who(), "1") == Claimed("0")
    assert await shows.renew_home("s1", "1", "pub") == Claimed("0")
    assert await shows.renew_home("s1", "0", "pub") == Claimed("0")
    await shows.release_home("s1", "1", "pub")
    assert await shows.claim_home("s1", who(), "1") == Claimed("0")
    await shows.release_home("s1", "0", "pub")
    assert await shows.claim_home("s1", who(), "1") == Claimed("1")
    ttl_ms = await store.reads.call("PTTL", "ls:{s1}:media")
    assert isinstance(ttl_ms, int)
    assert 0 < ttl_ms <= 3000


async def test_who_may_not_publish_claims_nothing(store: Store, shows: Shows) -> None:
    before = await digest(store, "s1")
    for principal in (who(OTHER, "viewer"), who(OTHER, "moderator"), who(OTHER, show="s2")):
        assert await shows.claim_home("s1", principal, "0") == Refused("forbidden")
    assert await shows.claim_home("none", who(), "0") == Refused("unknown_show")
    await set_show(store, "s1", state="ended")
    after_end = await digest(store, "s1")
    assert await shows.claim_home("s1", who(), "0") == Refused("show_closed")
    assert await digest(store, "s1") == after_end
    assert before.keys() == after_end.keys()


async def test_a_show_missing_in_the_directory_is_found_again(store: Store, shows: Shows) -> None:
    await store.writes.call("DEL", "ls:shows")
    assert await shows.directory() == []
    assert await shows.repair_directory() == 1
    assert await shows.repair_directory() == 0
    assert [show.id for show in await shows.directory()] == ["s1"]
