"""A real media worker between stock aiortc peers."""

import asyncio

import msgspec
import pytest
from support.media import LossyPath, Peer, Worker, media_worker, publish, watch


@pytest.fixture
async def worker():
    async with media_worker() as running:
        yield running


@pytest.fixture
async def peers():
    """Everything put in here is closed in the end."""
    opened: list[Peer] = []
    yield opened
    await asyncio.gather(*[peer.close() for peer in opened])


async def test_a_viewer_decodes_what_a_publisher_sends(worker: Worker, peers: list[Peer]) -> None:
    peers.append(publisher := await publish(worker))
    assert publisher.response.status_code == 201
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=30, audio=30)


async def test_a_viewer_may_come_first(worker: Worker, peers: list[Peer]) -> None:
    peers.append(viewer := await watch(worker))
    await viewer.connected()
    peers.append(await publish(worker))
    await viewer.sees(video=15, audio=15)


async def test_vp8_and_h264_reach_the_same_viewer(worker: Worker, peers: list[Peer]) -> None:
    """The answer names both, so a publisher that returns with another codec needs no renegotiation."""
    peers.append(viewer := await watch(worker))
    peers.append(first := await publish(worker, change_offer=without_h264))
    await viewer.sees(video=15)
    assert "VP8" in first.response.text
    await worker.http.delete(first.location)
    peers.append(second := await publish(worker))
    assert "H264" in second.response.text
    await viewer.sees(video=15)


def without_h264(sdp: str) -> str:
    """The offer with H264 renamed to something that nobody relays."""
    return sdp.replace("H264/90000", "H261/90000")


async def test_a_publisher_that_insists_on_passive_gets_an_active_answer(
    worker: Worker, peers: list[Peer]
) -> None:
    peers.append(
        publisher := await publish(worker, change_offer=lambda sdp: sdp.replace("actpass", "passive"))
    )
    assert "a=setup:active" in publisher.response.text
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=15)


async def test_a_viewer_that_leaves_is_forgotten(worker: Worker, peers: list[Peer]) -> None:
    peers.append(viewer := await watch(worker))
    await viewer.connected()
    assert (await worker.http.get("/health")).json()["viewers"] == 1
    await viewer.close()  # close_notify
    async with asyncio.timeout(5):
        while (await worker.http.get("/health")).json()["viewers"]:
            await asyncio.sleep(0.02)
    assert (await worker.http.delete(viewer.location)).status_code == 404


async def test_delete_ends_a_viewers_media(worker: Worker, peers: list[Peer]) -> None:
    peers.append(await publish(worker))
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=5)
    assert (await worker.http.delete(viewer.location)).status_code == 200
    await viewer.until(lambda: viewer.pc.connectionState == "closed")


async def test_a_tag_ends_one_viewers_media_and_no_other(worker: Worker, peers: list[Peer]) -> None:
    peers.append(await publish(worker))
    peers.append(banned := await watch(worker, pid="p_banned"))
    peers.append(other := await watch(worker, pid="p_other"))
    peers.append(elsewhere := await watch(worker, show="second", pid="p_banned"))
    await asyncio.gather(banned.sees(video=5), other.sees(video=5), elsewhere.connected())
    assert (await worker.http.delete("/by-tag/p_banned?show=demo")).json() == {"ended": 1}
    await banned.until(lambda: banned.pc.connectionState == "closed", 2)
    await other.sees(video=15)
    assert elsewhere.pc.connectionState == "connected"


async def test_a_publisher_that_comes_back_finds_its_viewers(worker: Worker, peers: list[Peer]) -> None:
    """No viewer renegotiates: the same SSRCs go on."""
    peers.append(first := await publish(worker))
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=10)
    await first.close()
    peers.append(second := await publish(worker))
    assert second.response.headers["vendue-publication"] != first.response.headers["vendue-publication"]
    await viewer.sees(video=15, audio=15)
    assert viewer.pc.connectionState == "connected"


async def test_the_same_pid_replaces_its_older_publication(worker: Worker, peers: list[Peer]) -> None:
    peers.append(first := await publish(worker))
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=10)
    peers.append(second := await publish(worker))
    assert second.response.status_code == 201
    await first.until(lambda: first.pc.connectionState == "closed")
    await viewer.sees(video=15)


async def test_another_pid_has_to_wait(worker: Worker, peers: list[Peer]) -> None:
    peers.append(first := await publish(worker, pid="p_one"))
    peers.append(second := await publish(worker, pid="p_two"))
    assert second.response.status_code == 409
    assert second.response.json()["code"] == "already_publishing"
    await first.connected()
    await worker.http.delete(first.location)
    peers.append(third := await publish(worker, pid="p_two"))
    assert third.response.status_code == 201


async def test_another_pid_need_not_wait_for_one_who_has_been_silent_for_thirty_seconds(
    worker: Worker, peers: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed page says no goodbye: it is given up with its consent, and the show with it."""
    path = LossyPath(worker)
    await path.open()
    peers.append(first := await publish(worker, pid="p_one", change_answer=path.put_into))
    await first.connected()
    path.close()
    for name in ("media.transport.peer.CONSENT_TIMEOUT_S", "media.transport.stages.PUBLISHER_RETURN_S"):
        monkeypatch.setattr(name, 2.0)
    peers.append(refused := await publish(worker, pid="p_two"))
    assert refused.response.status_code == 409
    async with asyncio.timeout(6):
        while (await worker.http.get("/health")).json()["publishers"]:
            await asyncio.sleep(0.02)
    peers.append(second := await publish(worker, pid="p_two"))
    assert second.response.status_code == 201


async def test_lost_packets_are_sent_again(worker: Worker, peers: list[Peer]) -> None:
    path = LossyPath(worker, lose_every=5)
    await path.open()
    try:
        peers.append(await publish(worker))
        peers.append(viewer := await watch(worker, change_answer=path.put_into))
        await viewer.sees(video=60)
        assert path.lost > 5
        counters = await worker.counters()
        assert counters["retransmitted_total"] >= path.lost - 1  # the last may still be on its way
    finally:
        path.close()


async def test_events_tell_the_life_of_a_publication(worker: Worker, peers: list[Peer]) -> None:
    seen: list[dict[str, object]] = []

    async def follow() -> None:
        async with worker.http.stream("GET", "/events") as stream:
            async for line in stream.aiter_lines():
                seen.append(msgspec.json.decode(line))  # noqa: PERF401 - looked at while it grows

    follower = asyncio.create_task(follow())
    try:
        await worker.http.put("/clock", json={"server_minus_monotonic_ms": 1e12})
        peers.append(publisher := await publish(worker))
        publication = publisher.response.headers["vendue-publication"]
        await publisher.until(lambda: any(one["type"] == "clock" for one in seen))
        up = next(one for one in seen if one["type"] == "publisher")
        assert (up["show"], up["publication"], up["pid"], up["state"]) == (
            "demo",
            publication,
            "p_creator",
            "up",
        )
        clock = next(one for one in seen if one["type"] == "clock")
        assert clock["publication"] == publication
        assert 1e12 < float(str(clock["server_ms"])) < 2e12
        await publisher.until(lambda: any(one["type"] == "state" and one["shows"] for one in seen))
        assert seen[0] == {"type": "state", "shows": []}
        await worker.http.delete(publisher.location)
        await publisher.until(lambda: any(one.get("state") == "away" for one in seen))
    finally:
        follower.cancel()


async def test_blanked_video_stops_and_comes_back(worker: Worker, peers: list[Peer]) -> None:
    peers.append(await publish(worker))
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=10)
    await worker.http.put("/shows/demo/video", json={"blanked": True})
    await asyncio.sleep(0.3)  # what is on its way arrives
    video, audio = viewer.frames["video"], viewer.frames["audio"]
    await viewer.until(lambda: viewer.frames["audio"] > audio + 20)
    assert viewer.frames["video"] == video
    await worker.http.put("/shows/demo/video", json={"blanked": False})
    await viewer.sees(video=10)


async def test_health_tells_what_flows(worker: Worker, peers: list[Peer]) -> None:
    peers.append(publisher := await publish(worker))
    peers.append(viewer := await watch(worker))
    await viewer.sees(video=5)
    async with asyncio.timeout(10):  # rates are of whole windows
        while True:
            health = (await worker.http.get("/shows/demo/health")).json()
            if health["publisher"] and health["publisher"]["fps"]:
                break
            await asyncio.sleep(0.1)
    assert health["publisher"]["publication"] == publisher.response.headers["vendue-publication"]
    assert health["publisher"]["codec"] == "h264"
    assert health["publisher"]["fps"] < 60
    assert health["publisher"]["bitrate_bps"] > 10_000
    assert health["publisher"]["loss"] == 0
    assert [(one["width"], one["height"]) for one in health["publisher"]["layers"]] == [(160, 120)]
    assert health["viewers"]["count"] == 1


async def test_a_show_that_is_ended_has_no_media_left(worker: Worker, peers: list[Peer]) -> None:
    peers.append(publisher := await publish(worker))
    peers.append(viewer := await watch(worker))
    peers.append(other := await watch(worker, show="second"))
    await asyncio.gather(viewer.sees(video=5), other.connected())
    assert (await worker.http.delete("/shows/demo")).json() == {"ended": 2}
    await viewer.until(lambda: viewer.pc.connectionState == publisher.pc.connectionState == "closed")
    assert other.pc.connectionState == "connected"
    peers.append(someone := await publish(worker, pid="p_someone"))
    assert someone.response.status_code == 201
