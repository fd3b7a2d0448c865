"""Chat, reactions, pings and reports."""

from prometheus_client import REGISTRY
from support.kiln import BUYER, GUEST, SHOW, STAFF, moderate
from support.live_server import LiveServer, live_server

from server.store.store import Store


async def test_chat_reaches_all_in_a_tick_and_newcomers_in_the_snapshot(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as writer, server.viewer(SHOW) as reader:
        await writer.say(type="chat", cid="1", text="  hello\nthere\u202e ")
        for viewer in (writer, reader):
            tick = await viewer.until("tick", lambda data: data["chat"])
            (line,) = tick["data"]["chat"]
            assert line["text"] == "hello there"
            assert line["subject"] == BUYER["pid"]
        async with server.viewer(SHOW) as newcomer:
            assert (await newcomer.until("snapshot"))["data"]["chat"] == [line]


async def test_deleted_lines_are_gone_for_newcomers_everywhere(server: LiveServer, store: Store) -> None:
    async with server.viewer(SHOW, **STAFF) as staff:
        await staff.say(type="chat", text="one")
        first = (await staff.until("tick", lambda data: data["chat"]))["data"]["chat"][0]
        await staff.say(type="chat", text="two")
        second = (await staff.until("tick", lambda data: data["chat"]))["data"]["chat"][0]
        assert first["role"] == "moderator"
        await moderate(store, "delete", ids=first["id"], reason="rude")
        effect = await staff.until("moderation")
        assert effect["data"]["message_ids"] == [first["id"]]
        async with server.viewer(SHOW) as newcomer:
            assert (await newcomer.until("snapshot"))["data"]["chat"] == [second]
    async with live_server(store) as other, other.viewer(SHOW) as newcomer:
        assert (await newcomer.until("snapshot"))["data"]["chat"] == [second]


async def test_chat_refusals(server: LiveServer, store: Store) -> None:
    async with server.viewer(SHOW) as watching:
        await watching.say(type="chat", cid="w", text="hi")
        assert (await watching.until("error"))["data"]["code"] == "forbidden"
    async with server.viewer(SHOW, **BUYER) as viewer:
        for code, prepare in {
            "timed_out": ("timeout", {"subject": BUYER["pid"], "seconds": 10}),
            "chat_off": ("chat_mode", {"mode": "off"}),
            "buyers_only": ("chat_mode", {"mode": "buyers"}),
            "emotes_only": ("chat_mode", {"mode": "emotes"}),
        }.items():
            await moderate(store, prepare[0], **prepare[1])
            await viewer.say(type="chat", cid=code, text="hi")
            error = (await viewer.until("error"))["data"]
            assert (error["code"], error["cid"]) == (code, code)
            await store.writes.call("DEL", f"ls:{{{SHOW}}}:timeouts")
    assert await store.reads.call("XLEN", f"ls:{{{SHOW}}}:chat") == 0


async def test_slow_mode_tells_when_to_try_again_and_spares_staff(server: LiveServer, store: Store) -> None:
    await moderate(store, "slow_mode", seconds=60)
    async with server.viewer(SHOW, **GUEST) as guest, server.viewer(SHOW, **STAFF) as staff:
        await guest.say(type="chat", text="🔥 one")
        await guest.until("tick", lambda data: data["chat"])
        await guest.say(type="chat", cid="2", text="two")
        error = (await guest.until("error"))["data"]
        assert error["code"] == "slow_mode"
        assert 0 < error["retry_after_ms"] <= 60_000
        for text in ("three", "four"):
            await staff.say(type="chat", text=text)
            await staff.until("tick", lambda data, text=text: any(t["text"] == text for t in data["chat"]))


async def test_guests_chat_only_where_the_show_lets_them(server: LiveServer, store: Store) -> None:
    await store.writes.call("HSET", f"ls:{{{SHOW}}}:show", "guests", "watch")
    async with server.viewer(SHOW, **GUEST) as guest:
        assert (await guest.next())["data"]["may"] == ["react"]
        await guest.say(type="chat", cid="1", text="hi")
        assert (await guest.until("error"))["data"]["code"] == "forbidden"


async def test_too_many_lines_are_refused_with_a_wait(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        for n in range(8):
            await viewer.say(type="chat", cid=str(n), text="spam")
        error = await viewer.until("error")
        assert error["data"]["code"] == "rate_limited"
        assert error["data"]["retry_after_ms"] > 0


async def test_reactions_are_summed_and_pings_answered(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as one, server.viewer(SHOW, **GUEST) as two:
        await one.say(type="react", kind="heart", n=3)
        await two.say(type="react", kind="heart", n=4)
        hearts = 0
        while hearts < 7:
            tick = await one.until("tick", lambda data: data["reactions"])
            hearts += tick["data"]["reactions"]["heart"]
        assert hearts == 7
        await one.say(type="ping", t=42.5)
        assert (await one.until("pong"))["data"]["t"] == 42.5


def reported() -> tuple[float, float, float]:
    """Freezes, first frames and the sum of their seconds, as the metrics have them."""
    names = ("freezes_total", "first_frame_seconds_count", "first_frame_seconds_sum")
    freezes, count, seconds = (REGISTRY.get_sample_value(f"vendue_video_{name}") or 0 for name in names)
    return freezes, count, seconds


async def test_reports_become_metrics_a_first_frame_once(server: LiveServer) -> None:
    before = reported()
    async with server.viewer(SHOW, **BUYER) as viewer:
        for freezes, first_frame_ms in ((2, None), (3, 250), (3, 9_000)):
            await viewer.say(type="report", freezes=freezes, first_frame_ms=first_frame_ms)
        await viewer.say(type="ping")
        await viewer.until("pong")
    after = reported()
    assert [now - was for now, was in zip(after, before, strict=True)] == [3, 1, 0.25]


async def test_reports_are_clamped_and_passed_on(server: LiveServer) -> None:
    async with server.viewer(SHOW, **BUYER) as viewer:
        await viewer.say(type="report", publication="pub", first_frame_ms=-5, freezes=10**9, extra=1)
        await viewer.say(type="ping")
        await viewer.until("pong")
        assert server.hub.freezes_per_min(SHOW) == 1000
        await viewer.say(type="report", publication="pub", freezes=1)  # the page's video began anew
        await viewer.say(type="ping")
        await viewer.until("pong")
        assert server.hub.freezes_per_min(SHOW) == 1001
    (show, pid, report), _ = server.reports
    assert (show, pid) == (SHOW, BUYER["pid"])
    assert (report.first_frame_ms, report.freezes) == (0, 1000)
