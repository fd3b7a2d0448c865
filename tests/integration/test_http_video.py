"""WHIP and WHEP through the web worker and a real media worker, with stock aiortc peers."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from support import offers
from support.studio import ORIGIN, SDP, Studio, studio_of
from support.web import SHOW, Web, expect, refused

from server.log import reader
from server.store.store import Store

TRICKLE = {"Content-Type": "application/trickle-ice-sdpfrag"}
RANDOM = "0." + "x" * 22


@pytest.fixture
async def studio(store: Store) -> AsyncIterator[Studio]:
    async with studio_of(store) as opened:
        yield opened


async def until(what: Any, timeout_s: float = 10.0) -> Any:
    """The first true value of an async condition."""
    async with asyncio.timeout(timeout_s):
        while not (value := await what()):
            await asyncio.sleep(0.05)
    return value


async def test_a_guest_watches_what_the_creator_sends(studio: Studio) -> None:
    publisher = await studio.publish()
    answer = publisher.response
    assert answer.status_code == 201
    assert answer.headers["location"].startswith(f"/whip/{SHOW}/0.")
    assert answer.headers["accept-patch"] == TRICKLE["Content-Type"]
    assert answer.headers["etag"]
    assert answer.headers["vendue-publication"]
    viewer = await studio.watch()
    assert viewer.response.status_code == 201
    await viewer.sees(video=20, audio=20)
    assert (await studio.web.client.get("/readyz")).status_code == 200
    health = await expect(200, studio.web.call("GET", "health", token=studio.web.creator))
    assert (health["viewers"]["count"], health["viewers"]["freezes_per_min"]) == (1, 0)
    assert health["publisher"]["publication"] == answer.headers["vendue-publication"]
    assert "media-0" in (await studio.web.client.get("/metrics")).text


async def test_a_session_ends_by_delete(studio: Studio) -> None:
    await studio.publish()
    viewer = await studio.watch()
    await viewer.sees(video=5)
    assert (await studio.web.client.delete(viewer.location)).status_code == 200
    await refused(404, "unknown_resource", studio.web.client.delete(viewer.location))
    await viewer.until(lambda: viewer.pc.connectionState == "closed")


async def test_trickle_needs_the_right_etag(studio: Studio) -> None:
    viewer = await studio.watch()
    fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"

    async def patch(**headers: str) -> httpx.Response:
        return await studio.web.client.patch(
            viewer.location, content=fragment, headers={**TRICKLE, **headers}
        )

    await refused(428, "precondition_required", patch())
    await refused(412, "precondition_failed", patch(**{"If-Match": '"stale"'}))
    restarted = await patch(**{"If-Match": "*"})
    assert restarted.status_code == 200
    assert restarted.headers["etag"] != viewer.response.headers["etag"]
    wrong = studio.web.client.patch(viewer.location, content=fragment, headers=SDP)
    await refused(415, "unsupported_media_type", wrong)


async def test_a_viewer_tells_the_size_of_its_picture(studio: Studio) -> None:
    viewer = await studio.watch()
    client, link = studio.web.client, viewer.response.headers["link"]
    layer = link.partition("<")[2].partition(">")[0]
    assert layer == f"{viewer.location}/layer"
    assert (await client.post(layer, json={"maxWidth": 640, "maxHeight": 360})).status_code == 200
    await refused(400, "bad_request", client.post(layer, json={"maxWidth": -1}))
    await refused(415, "unsupported_media_type", client.post(layer, content=b"{}", headers=SDP))
    await refused(413, "too_large", client.post(layer, json={"maxWidth": "9" * 70_000}))
    await refused(404, "unknown_resource", client.post(f"/whep/{SHOW}/{RANDOM}/layer", json={}))


async def test_who_may_not_publish(studio: Studio) -> None:
    web, path = studio.web, f"/whip/{SHOW}"
    before = await web.digest()
    await refused(401, "token_required", studio.offer(path, None))
    await refused(401, "invalid_token", studio.offer(path, "nonsense"))
    await refused(403, "forbidden", studio.offer(path, web.bearer("ann")))
    await refused(403, "forbidden", studio.offer(path, web.bearer("mod", "moderator")))
    await refused(403, "forbidden", studio.offer(path, web.bearer("creator", "creator", show="other")))
    await refused(404, "unknown_show", studio.offer("/whip/none", web.creator))
    await refused(401, "token_required", web.client.delete(f"{path}/{RANDOM}"))
    assert await web.digest() == before
    headers = {"Authorization": f"Bearer {web.creator}"}
    for resource in (RANDOM, "7.xxxxxxxxxxxxxxxxxxxxxx", "nonsense", "0.%2e%2e"):
        await refused(404, "unknown_resource", web.client.delete(f"{path}/{resource}", headers=headers))


async def test_who_may_not_watch(studio: Studio) -> None:
    web, path = studio.web, f"/whep/{SHOW}"
    await refused(401, "invalid_token", studio.offer(path, "nonsense"))
    await refused(403, "forbidden", studio.offer(path, web.bearer("ann", show="other")))
    await refused(404, "unknown_show", studio.offer("/whep/none", None))
    ban = {"action": "ban", "subject": "ann", "reason": "x"}
    await expect(200, web.call("POST", "moderation", ban, token=web.creator))
    await refused(403, "banned", studio.offer(path, web.bearer("ann")))


async def test_session_descriptions_that_cannot_be_answered(studio: Studio) -> None:
    creator = studio.web.creator
    for path in (f"/whip/{SHOW}", f"/whep/{SHOW}"):
        for garbage in ("v=0", "hello", "\x00\x01", offers.chrome()[:200]):
            await refused(400, "bad_sdp", studio.offer(path, creator, garbage))
        answer = await studio.offer(path, creator, **{"Content-Type": "application/json"})
        await refused(415, "unsupported_media_type", answer)
        await refused(413, "too_large", studio.offer(path, creator, "v=0\r\n" + "a" * 1_100_000))
    codecs = offers.chrome().replace("H264", "H261").replace("VP8", "VPX").replace("VP9", "VPY")
    strange = codecs.replace("opus", "speex")
    await refused(406, "no_common_codec", studio.offer(f"/whip/{SHOW}", creator, strange))


async def test_another_publisher_has_to_wait(studio: Studio) -> None:
    first = await studio.publish()
    await first.connected()
    producer = studio.web.bearer("second", "producer")
    await refused(409, "already_publishing", studio.offer(f"/whip/{SHOW}", producer))
    again = await studio.publish()  # the same subject takes over
    assert again.response.status_code == 201


async def test_a_full_media_worker_says_when_to_come_back(store: Store) -> None:
    async with studio_of(store, max_subscribers=1) as studio:
        await studio.watch()
        answer = await studio.offer(f"/whep/{SHOW}", None, offers.chrome("recvonly"))
        await refused(503, "full", answer)
        assert int(answer.headers["retry-after"]) >= 1


async def test_one_address_does_not_take_all_the_views(store: Store) -> None:
    async with studio_of(store, exempt=False, max_views_per_client=1) as studio:
        first = await studio.watch()  # each a guest of its own
        await refused(503, "full", studio.offer(f"/whep/{SHOW}", None, offers.chrome("recvonly")))
        await studio.web.client.delete(first.response.headers["location"])
        assert (await studio.watch()).response.status_code == 201


async def test_no_media_worker(web: Web) -> None:
    headers = {**SDP, "Authorization": f"Bearer {web.creator}", "Origin": "https://elsewhere.example"}
    for protocol in ("whip", "whep"):
        answer = await web.client.post(f"/{protocol}/{SHOW}", content=offers.chrome(), headers=headers)
        await refused(503, "media_unavailable", answer)
        assert int(answer.headers["retry-after"]) >= 1
        assert "access-control-allow-origin" not in answer.headers
    await refused(503, "media_unavailable", web.call("GET", "health", token=web.creator))


async def test_configured_origins_may_signal(studio: Studio) -> None:
    origin = {"Origin": ORIGIN}
    for path, told, methods in (
        (f"/whep/{SHOW}", ("accept-post", "application/sdp"), {"POST", "OPTIONS"}),
        (f"/whep/{SHOW}/{RANDOM}/layer", ("accept-post", "application/json"), {"POST", "OPTIONS"}),
        (f"/whip/{SHOW}/{RANDOM}", ("accept-patch", TRICKLE["Content-Type"]), {"PATCH", "DELETE", "OPTIONS"}),
    ):
        answer = await studio.web.client.options(path, headers=origin)
        assert answer.status_code == 204
        assert answer.headers[told[0]] == told[1]
        assert set(answer.headers["access-control-allow-methods"].split(", ")) == methods
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        foreign = await studio.web.client.options(path, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers
    answer = await studio.offer(f"/whip/{SHOW}", None, **origin)
    await refused(401, "token_required", answer)  # the page must be able to read why
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    answer = await studio.offer(f"/whep/{SHOW}", None, offers.chrome("recvonly"), **origin)
    assert answer.status_code == 201
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Location", "ETag", "Link"} <= set(exposed)


async def test_a_ban_ends_that_viewers_video_within_a_second(studio: Studio) -> None:
    await studio.publish()
    banned, other = await studio.watch(studio.web.bearer("ann")), await studio.watch(studio.web.bearer("bob"))
    await asyncio.gather(banned.sees(video=5), other.sees(video=5))
    ban = {"action": "ban", "subject": "ann", "reason": "x"}
    await expect(200, studio.web.call("POST", "moderation", ban, token=studio.web.creator))
    await banned.until(lambda: banned.pc.connectionState == "closed", 1.0)
    await other.sees(video=10)


async def test_a_revoked_token_ends_the_video_that_it_was_given_for(studio: Studio) -> None:
    token = studio.web.bearer("creator", "creator")
    publisher = await studio.publish(token)
    await publisher.connected()
    admin = studio.web.bearer("root", "admin")
    await expect(204, studio.web.call("POST", "/api/v1/tokens/revoke", {"jti": _jti(token)}, token=admin))
    await publisher.until(lambda: publisher.pc.connectionState == "closed", 1.5)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_who_may_publish_as_a_member_alone_stops_with_the_role(studio: Studio) -> None:
    web = studio.web
    for subject in ("ann", "second"):
        await expect(200, web.call("PUT", f"members/{subject}", {"roles": ["producer"]}, token=web.creator))
    owner = await studio.publish()
    await owner.connected()
    await expect(204, web.call("DELETE", "members/creator", {}, token=web.creator))
    with pytest.raises(TimeoutError):
        await owner.until(lambda: owner.pc.connectionState == "closed", 0.5)
    assert (await web.client.delete(owner.location, headers=bearer(web.creator))).status_code == 200

    member = await studio.publish(web.bearer("ann"))
    await member.connected()
    await expect(200, web.call("PUT", "members/ann", {"roles": ["moderator", "producer"]}, token=web.creator))
    await expect(204, web.call("DELETE", "members/second", {}, token=web.creator))
    assert member.pc.connectionState == "connected"
    await expect(200, web.call("PUT", "members/ann", {"roles": ["moderator"]}, token=web.creator))
    await member.until(lambda: member.pc.connectionState == "closed", 1.0)
    await refused(403, "forbidden", studio.offer(f"/whip/{SHOW}", web.bearer("ann")))


def _jti(token: str) -> str:

    return jwt.decode(token, options={"verify_signature": False})["jti"]


async def test_an_ended_show_ends_its_video(studio: Studio) -> None:
    publisher = await studio.publish()
    viewer = await studio.watch()
    await viewer.sees(video=5)
    await expect(200, studio.web.call("POST", "end", token=studio.web.creator))
    await viewer.until(lambda: viewer.pc.connectionState == "closed", 2.0)
    await publisher.until(lambda: publisher.pc.connectionState == "closed", 2.0)


async def test_a_host_that_is_gone_freezes_the_show_until_it_is_back(studio: Studio) -> None:
    publisher = await studio.publish()
    await publisher.connected()

    async def away() -> bool:
        return (await expect(200, studio.web.call("GET", "")))["host_away"]

    async def there() -> bool:
        return not await away()

    assert await there()
    await publisher.close()
    await until(away)
    assert (await expect(200, studio.web.call("GET", "")))["frozen"]
    await (await studio.publish()).connected()
    await until(there)


async def test_a_press_of_the_publishing_page_counts_in_frame_time(studio: Studio) -> None:
    publisher = await studio.publish()
    publication = publisher.response.headers["vendue-publication"]
    link = studio.web.worker.services.media

    async def measured() -> bool:
        known = link.publications.by_show.get(SHOW)
        return known is not None and known.d_ms is not None

    await until(measured, 15.0)
    creator = await studio.web.worker.services.pids.resolve("creator")
    known = link.publications.by_show[SHOW]
    assert known.d_ms is not None
    assert link.press_ms(SHOW, creator, 1000.0, publication) == 1000.0 + known.d_ms
    assert link.press_ms(SHOW, "p_somebody_else", 1000.0, publication) is None
    assert link.press_ms(SHOW, creator, 1000.0, "another") is None
    assert link.press_ms("other", creator, 1000.0, publication) is None

    async def pinned_at(token: str, wall_ms: float) -> tuple[int, int]:
        await expect(204, studio.web.call("DELETE", "pin", token=token))
        press = {"Vendue-Press": f"{wall_ms};{publication}"}
        await expect(200, studio.web.call("PUT", "pin", {"sku": "mug"}, token=token, headers=press))
        *_, entry = await reader.entries(studio.web.store, SHOW, 0)
        assert entry.kind == "product.pinned"
        return entry.at_ms, entry.ts

    wall_ms = time.time() * 1000 - 300
    at_ms, _ = await pinned_at(studio.web.creator, wall_ms)
    assert abs(at_ms - (wall_ms + (known.d_ms or 0))) < 50  # D is slewed meanwhile
    at_ms, ts = await pinned_at(studio.web.bearer("helper", "producer"), wall_ms)
    assert at_ms == ts  # another device's clock says nothing
    at_ms, ts = await pinned_at(studio.web.creator, wall_ms - 60_000)
    assert at_ms == ts  # nor a press that cannot be


async def test_hidden_video_stops_for_viewers_and_comes_back(studio: Studio) -> None:
    await studio.publish()
    viewer = await studio.watch()
    await viewer.sees(video=10)
    blank = {"action": "blank_video", "reason": "a phone number in the picture"}
    await expect(200, studio.web.call("POST", "moderation", blank, token=studio.web.creator))
    await asyncio.sleep(0.5)  # what is on its way
    hidden = viewer.frames["video"]
    await asyncio.sleep(1.0)
    assert viewer.frames["video"] - hidden <= 1
    show = {"action": "show_video", "reason": "gone"}
    await expect(200, studio.web.call("POST", "moderation", show, token=studio.web.creator))
    await viewer.sees(video=10)
