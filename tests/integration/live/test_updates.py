"""What viewers hear: entries exactly once, resume, slow readers."""

import asyncio
import resource

import pytest
from support.kiln import CREATOR, SHOW, moderate
from support.live_server import LiveServer, LiveViewer, live_server
from support.raw_page import RawPage, raw_viewer

from server.live.shows import Shows
from server.store.store import Store


async def test_resume_gets_exactly_what_was_missed(server: LiveServer, store: Store) -> None:
    async with server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        await moderate(store, "slow_mode", seconds=1)
        await viewer.until("moderation")
        place = (viewer.epoch, viewer.last)
    missed = [await moderate(store, "slow_mode", seconds=n) for n in range(2, 6)]
    async with server.viewer(SHOW, resume=place) as viewer:
        hello = await viewer.next()
        assert hello["data"]["resumed"] is True
        assert [(await viewer.next())["seq"] for _ in missed] == missed
        assert "snapshot" not in {update["type"] for update in viewer.heard}


async def test_resume_across_a_restart(store: Store, shows: Shows) -> None:
    async with live_server(store) as first, first.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        place = (viewer.epoch, viewer.last)
        await first.hub.drain(1500)
        drain = await viewer.until("drain")
        assert drain["data"] == {"reconnect_after_ms": 1500}
        await first.hub.close()
        assert await viewer.closed() == 1012
    missed = [await moderate(store, "slow_mode", seconds=n) for n in range(1, 4)]
    async with live_server(store) as second, second.viewer(SHOW, resume=place) as viewer:
        assert (await viewer.next())["data"]["resumed"] is True
        assert [(await viewer.next())["seq"] for _ in missed] == missed


async def test_resume_beyond_the_history_is_read_from_the_store(server: LiveServer, store: Store) -> None:
    async with server.viewer(SHOW) as witness:
        await witness.until("snapshot")
        place = (witness.epoch, witness.last)
        for n in range(600):
            await moderate(store, "slow_mode", seconds=n % 120)
        await witness.until("tick", lambda data: data["head"] > 600)
        async with server.viewer(SHOW, resume=place) as viewer:
            assert (await viewer.next())["data"]["resumed"] is True
            while viewer.last < witness.last:
                assert (await viewer.next())["type"] != "snapshot"
        assert len([update for update in viewer.heard if update["type"] == "moderation"]) == 600


@pytest.mark.parametrize("place", [("another", 1), ("", 10**15), ("x" * 40, 0)])
async def test_a_place_that_never_was_gets_a_snapshot(server: LiveServer, place: tuple[str, int]) -> None:
    async with server.viewer(SHOW) as viewer:
        epoch = (await viewer.until("snapshot"))["epoch"]
    place = (place[0] or epoch, place[1])
    async with server.viewer(SHOW, resume=place) as viewer:
        assert (await viewer.next())["data"]["resumed"] is False
        assert (await viewer.next())["type"] == "snapshot"


async def test_a_thousand_viewers_get_a_pin_exactly_once(server: LiveServer, store: Store) -> None:
    attrs = '{"title":"Mug"}'
    await store.scripts.run(
        "product_put", SHOW, CREATOR.pid, "creator", "mug", 1200, 5, "", "", "", "", 0, attrs, "", "", 100, ""
    )
    open_files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    batches = min(1000, (open_files_max - 200) // 2) // 50  # both ends of each socket are ours
    viewers: list[LiveViewer] = []
    try:
        for _ in range(batches):
            batch = [server.socket(SHOW, server.ticket(SHOW)) for _ in range(50)]
            viewers += [LiveViewer(socket) for socket in await asyncio.gather(*batch)]
        await asyncio.gather(*(viewer.until("snapshot") for viewer in viewers))
        await store.scripts.run("pin", SHOW, CREATOR.pid, "creator", "mug")
        await asyncio.gather(*(viewer.until("product.pinned") for viewer in viewers))
        head = viewers[0].last
        await asyncio.gather(*(viewer.until("tick", lambda data: data["head"] >= head) for viewer in viewers))
        pins = [sum(update["type"] == "product.pinned" for update in viewer.heard) for viewer in viewers]
        assert pins == [1] * (batches * 50)
    finally:
        await asyncio.gather(*(viewer.socket.close() for viewer in viewers))


async def test_who_never_reads_delays_nobody(server: LiveServer, store: Store, shows: Shows) -> None:
    """One viewer stops reading; megabytes later another still hears each entry, and the first gets a
    snapshot.
    """
    async with raw_viewer(server, SHOW, receive_bytes=4096) as stuck, server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        showing = await server.hub.open(SHOW)
        assert showing is not None
        for n in range(150):
            await moderate(store, "slow_mode", seconds=n % 120, reason="x" * 250)
            await viewer.until("moderation")
            showing.crowd.tell_all("padding", "x" * 100_000)
            await viewer.until("padding")
        behind = [other for other in showing.crowd.viewers if other.seat is None]
        assert len(behind) == 1, "the stuck viewer is still among the writers"
        head = viewer.last
        page = RawPage(stuck)
        while page.last < head:
            await page.next()
        assert "snapshot" in page.types[2:] or page.types.count("moderation") == 150
        await shows.change(SHOW, CREATOR, "start")
        while page.types[-1] != "show.state":
            await page.next()


async def test_who_reads_nothing_at_all_is_cut_off(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.live.showing.STUCK_S", 0.2)
    async with raw_viewer(server, SHOW, receive_bytes=4096), asyncio.timeout(15):
        showing = await server.hub.open(SHOW)
        assert showing is not None
        while showing.crowd.viewers:
            showing.crowd.tell_all("padding", "x" * 1_000_000)
            await asyncio.sleep(0.02)


async def test_a_new_epoch_gives_everybody_a_snapshot(server: LiveServer, store: Store) -> None:
    """A failover has lost the newest entries: what was seen of them no longer counts."""
    keys = [f"ls:{{{SHOW}}}:{name}" for name in ("show", "log")]
    replica = [await store.reads.call("DUMP", key) for key in keys]
    async with server.viewer(SHOW) as one, server.viewer(SHOW) as two:
        await moderate(store, "slow_mode", seconds=7)
        for viewer in (one, two):
            await viewer.until("moderation")
        for key, dump in zip(keys, replica, strict=True):
            assert isinstance(dump, bytes)
            await store.writes.call("RESTORE", key, 0, dump, "REPLACE")
        for viewer in (one, two):
            before = viewer.epoch
            while viewer.epoch == before:
                await viewer.next()
            assert viewer.heard[-1]["type"] == "snapshot"
        await moderate(store, "slow_mode", seconds=8)
        for viewer in (one, two):
            assert (await viewer.until("moderation"))["data"]["seconds"] == 8


async def test_a_hopeless_backlog_is_replaced_by_a_snapshot(
    server: LiveServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.viewer(SHOW) as viewer:
        await viewer.until("snapshot")
        with monkeypatch.context() as patch:
            patch.setattr("server.live.crowd.URGENT_BACKLOG_MAX", -1)
            await moderate(store, "slow_mode", seconds=7)
            again = await viewer.until("snapshot")
        assert again["data"]["slow_mode_s"] == 7
        for seconds in (8, 9, 10):
            seq = await moderate(store, "slow_mode", seconds=seconds)
            while viewer.last < seq:
                await viewer.next()
        assert viewer.heard[-1]["type"] == "moderation"
