"""Bans, revoked and expired tokens, changed roles; and what all workers share."""

import asyncio

from support.kiln import BUYER, CREATOR, GUEST, SHOW, STAFF, moderate
from support.live_server import LiveServer, live_server, now_ms

from server.live.shows import Shows
from server.store.store import Store


async def test_a_ban_ends_every_connection_of_that_person_only(server: LiveServer, store: Store) -> None:
    async with (
        server.viewer(SHOW, **BUYER) as one,
        server.viewer(SHOW, **BUYER) as two,
        server.viewer(SHOW, **GUEST) as other,
        server.viewer(SHOW, **STAFF) as staff,
    ):
        for viewer in (one, two, other, staff):
            await viewer.until("snapshot")
        async with asyncio.timeout(1):
            await moderate(store, "ban", subject=BUYER["pid"], reason="spam")
            assert [await one.closed(), await two.closed()] == [4503, 4503]
        assert one.heard[-1]["data"] == {"action": "ban", "subject": BUYER["pid"], "reason": "spam"}
        effect = await other.until("moderation")
        assert effect["data"] == {"action": "ban"}
        full = await staff.until("moderation")
        assert full["data"]["subject"] == BUYER["pid"]
        assert full["data"]["actor"] == CREATOR.pid
        assert effect["seq"] == full["seq"]


async def test_a_revoked_token_ends_its_connections(server: LiveServer) -> None:
    async with (
        server.viewer(SHOW, **BUYER, token_jti="j1", token_exp_s=2**31) as one,
        server.viewer(SHOW, **BUYER, token_jti="j2", token_exp_s=2**31) as two,
    ):
        await one.until("snapshot")
        await two.until("snapshot")
        server.hub.on_revoked("j1")
        assert await one.closed() == 4001
        await two.say(type="ping", t=1)
        await two.until("pong")


async def test_an_expired_token_ends_its_connection(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER, token_exp_s=now_ms() // 1000 + 2) as viewer:
        assert await viewer.closed() == 4001


async def test_roles_change_while_connected(server: LiveServer, store: Store, shows: Shows) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        await viewer.until("snapshot")
        await shows.set_member(SHOW, CREATOR, str(BUYER["pid"]), ["moderator"])
        await moderate(store, "timeout", subject=GUEST["pid"], seconds=10, reason="why")
        assert (await viewer.until("moderation"))["data"]["reason"] == "why"
        await shows.remove_member(SHOW, CREATOR, str(BUYER["pid"]))
        await moderate(store, "timeout", subject=GUEST["pid"], seconds=10, reason="why")
        assert (await viewer.until("moderation"))["data"] == {"action": "timeout", "seconds": 10}


async def test_clock_goes_to_all_and_to_newcomers(server: LiveServer) -> None:
    async with server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        server.hub.on_clock(SHOW, "pub1", 90_000, 123_456)
        clock = {"publication": "pub1", "rtp_timestamp": 90_000, "server_ms": 123_456}
        assert (await viewer.until("clock"))["data"] == clock
        async with server.viewer(SHOW) as newcomer:
            assert (await newcomer.until("clock"))["data"] == clock
            assert [update["type"] for update in newcomer.heard] == ["hello", "snapshot", "clock"]
        server.hub.on_publisher_gone(SHOW)
        async with server.viewer(SHOW) as later:
            await later.until("tick")
            assert "clock" not in {update["type"] for update in later.heard}


async def test_two_workers_count_together(store: Store, shows: Shows) -> None:
    async with live_server(store) as here, live_server(store) as there:
        async with here.viewer(SHOW, **BUYER) as one, there.viewer(SHOW, **GUEST) as two:
            await one.until("tick", lambda data: data["viewers"] == 2)
            await two.say(type="react", kind="clap", n=5)
            await one.until("tick", lambda data: data["reactions"] == {"clap": 5})
            await two.say(type="chat", text="over there")
            await one.until("tick", lambda data: [line["text"] for line in data["chat"]] == ["over there"])
        async with here.viewer(SHOW) as one:
            await one.until("tick", lambda data: data["viewers"] == 1)
