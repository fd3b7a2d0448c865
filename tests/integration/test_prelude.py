"""What the prelude gives to a body: exact JSON, believable presses, permissions as in Python, repeats."""

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from support.store import digest, set_show, show_hash

from server.live.roles import GRANTABLE, Action, permits, role_table, roles_on
from server.live.shows import NewShow, Shows
from server.log import reader
from server.store.outcome import Refused
from server.store.resp import Arg, Reply
from server.store.scripts import PRELUDE, Scripts, compose
from server.store.store import Store
from server.tokens import Principal

CREATOR = Principal("c", "p_" + "c" * 22, "creator", None, "jti", 2**33)
PID = "p_" + "x" * 22
Body: TypeAlias = Callable[..., Awaitable["list[Reply] | Refused"]]


@pytest.fixture
async def body(store: Store) -> Body:
    """Runs a body on show `s1`."""
    await Shows(store).create(CREATOR, NewShow(title="T", currency="EUR", id="s1"))

    async def run(
        lua: str, *args: Arg, actor: str = PID, role: str = "", **options: Any
    ) -> list[Reply] | Refused:
        script = compose("probe", lua, PRELUDE.read_text(), role_table())
        return await Scripts(store.writes, {"probe": script}).run(
            "probe", "s1", actor, role, *args, **options
        )

    return run


async def test_json_is_exact_and_in_order(store: Store, body: Body) -> None:
    await body(
        """append('public', 'k', J('z', 9007199254740991, 'a', -1, 'text', arg(1), 'none', NULL, 'missing',
        nil, 'yes', true, 'no', false, 'list', RAW(JA({'x', 2, 100000000000000000})), 'empty', RAW(JA({}))))
        return {'ok'}""",
        'quote " slash / back \\ line \n é 😀 \x01',
    )
    [entry] = await reader.entries(store, "s1", 1)
    assert entry.body == {
        "z": 2**53 - 1,
        "a": -1,
        "text": 'quote " slash / back \\ line \n é 😀 \x01',
        "none": None,
        "missing": None,
        "yes": True,
        "no": False,
        "list": ["x", 2, 10**17],
        "empty": [],
    }
    assert list(entry.body) == ["z", "a", "text", "none", "missing", "yes", "no", "list", "empty"]
    envelope = ["seq", "prev_public", "audience", "ts", "at_ms", "kind", "actor", "body"]
    assert list(json.loads(entry.raw)) == envelope


async def test_details_of_a_refusal_are_exact_and_nothing_is_written(store: Store, body: Body) -> None:
    before = await digest(store, "s1")
    outcome = await body(
        "return refuse('price_changed', {'price_minor', 9007199254740991, 'sku', arg(1)})", "é/1"
    )
    assert outcome == Refused("price_changed", {"price_minor": 2**53 - 1, "sku": "é/1"})
    assert await body("return refuse('sold_out')") == Refused("sold_out", {})
    assert await digest(store, "s1") == before


@pytest.mark.parametrize(
    ("press", "believed"),
    [(-1500, True), (-1501, False), (0, True), (500, True), (501, False), (-600_000, False)],
)
async def test_a_press_is_believed_within_bounds(
    store: Store, body: Body, press: int, believed: bool
) -> None:
    # The store's time stands still for the test: ts is clamped between the last entry's and the limit.
    now_ms = int((await show_hash(store, "s1"))["last_ts"]) + 10_000_000
    await set_show(store, "s1", last_ts=now_ms, clock_limit_ms=now_ms)
    lua = "append('public', 'k', '{}', true) append('public', 'k', '{}') return {'ok'}"
    await body(lua, press_ms=now_ms + press + 0.7)
    pressed, arrived = await reader.entries(store, "s1", 1)
    assert pressed.ts == arrived.ts == arrived.at_ms == now_ms
    assert pressed.at_ms == (now_ms + press if believed else now_ms)


async def test_entries_for_staff_and_buyers_do_not_move_the_public_chain(store: Store, body: Body) -> None:
    await body(
        "for _, audience in ipairs({'staff', 'public', 'subject:p_1', 'public'}) do "
        "append(audience, 'k', '{}') end return {'ok'}"
    )
    entries = await reader.entries(store, "s1", 0)
    assert [(e.seq, e.prev_public) for e in entries] == [(1, 0), (2, 1), (3, 1), (4, 3), (5, 3)]
    head = await reader.head(store, "s1")
    assert head is not None
    assert (head.seq, head.public_seq) == (5, 5)


async def test_permissions_are_those_of_the_table(store: Store, body: Body) -> None:
    lua = "\n".join(
        ["local out = {'ok'}"]
        + [f"out[#out + 1] = authorise('{action}') and 1 or 0" for action in Action]
        + ["return out"]
    )
    members = ["", "moderator", "producer,seller", "auditor"]
    token_roles = ["", "guest", *sorted(GRANTABLE), "king"]
    for guests, member, is_owner in itertools.product(["watch", "chat", "buy"], members, [False, True]):
        await set_show(store, "s1", guests=guests, owner=PID if is_owner else "p_other")
        await store.writes.call("DEL", "ls:{s1}:members")
        if member:
            await store.writes.call("HSET", "ls:{s1}:members", PID, member)
        for role in token_roles:
            said = await body(lua, role=role)
            roles = roles_on(role, guests=guests, is_owner=is_owner, members=member)
            assert said == [b"ok", *(int(permits(action, roles)) for action in Action)], (role, roles)


async def test_nobody_is_no_owner_and_no_member(store: Store, body: Body) -> None:
    await set_show(store, "s1", owner="")
    await store.writes.call("HSET", "ls:{s1}:members", "", "creator")
    assert await body("return {'ok', authorise('run_show') and 1 or 0}", actor="") == [b"ok", 0]


async def test_repeats_give_the_remembered_reply_whatever_its_shape(store: Store, body: Body) -> None:
    lua = """local again = replayed(arg(1)) if again then return again end
        append('staff', 'k', '{}')
        return remember({'ok', 7, 'text', tonumber(show.seq), arg(2)})"""
    first = await body(lua, "request", "made up 1", idempotency_key="k")
    before = await digest(store, "s1")
    assert await body(lua, "request", "made up 2", idempotency_key="k") == first
    assert await body(lua, "other", "made up 3", idempotency_key="k") == Refused("idempotency_conflict")
    assert await digest(store, "s1") == before
    ttl_ms = await store.reads.call("PTTL", f"ls:{{s1}}:idem:{PID}:k")
    assert isinstance(ttl_ms, int)
    assert 86_000_000 < ttl_ms <= 86_400_000
    assert await body(lua, "request", "made up 2", idempotency_key="k", actor="p_other") != first
    assert await body(lua, "request", "made up 2", idempotency_key="k2") != first


async def test_values_of_a_request_cannot_be_shifted_into_each_other(body: Body) -> None:
    lua = "local again = replayed() if again then return again end return remember({'ok', arg(1)})"
    await body(lua, "ab", "c", idempotency_key="k")
    assert await body(lua, "a", "bc", idempotency_key="k") == Refused("idempotency_conflict")


async def test_without_a_key_nothing_is_remembered(store: Store, body: Body) -> None:
    lua = "local again = replayed() if again then return again end return remember({'ok', arg(1)})"
    before = await digest(store, "s1")
    assert await body(lua, "a") == [b"ok", b"a"]
    assert await body(lua, "b") == [b"ok", b"b"]
    assert await digest(store, "s1") == before


async def test_the_price_in_force_before_during_and_after_a_flash(body: Body) -> None:
    lua = """local p = {list_price_minor = '1000', price_version = '3', flash_id = 'f',
        flash_price_minor = '700', flash_version = '4'}
        local out = {'ok'}
        for _, since in ipairs({-1, 0, 9, 10}) do
          p.flash_starts_sale_ms = string.format('%d', sale_ms - since)
          p.flash_ends_sale_ms = string.format('%d', sale_ms - since + 10)
          local price, version, rule, id = price_in_force(p)
          out[#out + 1] = price .. ' ' .. version .. ' ' .. rule .. ' ' .. (id or '-')
        end
        p.flash_id = ''
        out[#out + 1] = (price_in_force(p))
        return out"""
    assert await body(lua) == [
        b"ok",
        b"1000 3 list -",
        b"700 4 flash f",
        b"700 4 flash f",
        b"1000 5 list -",
        1000,
    ]
