"""WHIP and WHEP status codes of the media worker; a refusal leaves nothing behind."""

import math
from collections.abc import AsyncGenerator

import httpx
import pytest
from support import offers
from support.media import FRAGMENT, SDP, Worker, media_worker

from media.signalling import View
from media.transport.sdp import parse_fragment
from media.worker import IceServer

TEXT = {"content-type": "text/plain"}
PID = {"vendue-pid": "p_one"}
RESTART = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
TRICKLE = RESTART + "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"


@pytest.fixture
async def worker() -> AsyncGenerator[Worker]:
    servers = (IceServer("stun:stun.example.net"), IceServer("turn:turn.example.net?transport=udp", "u", "c"))
    async with media_worker(index=3, max_subscribers=2, ice_servers=servers) as running:
        yield running


async def post(worker: Worker, path: str, sdp: str, pid: str = "p_one") -> httpx.Response:
    return await worker.http.post(path, content=sdp, headers={**SDP, "vendue-pid": pid})


async def peers(worker: Worker) -> tuple[int, int]:
    """Publishers and viewers that the worker knows."""
    status = (await worker.http.get("/health")).json()
    return status["publishers"], status["viewers"]


async def test_created(worker: Worker) -> None:
    response = await post(worker, "/whip/demo", offers.chrome())
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/sdp"
    assert response.headers["location"].startswith("/whip/demo/3.")
    assert len(response.headers["location"].rpartition(".")[2]) >= 22  # 128 random bits
    assert response.headers["etag"].startswith('"')
    assert response.headers["accept-patch"] == FRAGMENT
    assert response.headers["link"] == (
        '<stun:stun.example.net>; rel="ice-server", <turn:turn.example.net?transport=udp>; rel="ice-server"; '
        'username="u"; credential="c"; credential-type="password"'
    )
    assert response.headers["vendue-publication"]
    assert f" 127.0.0.1 {worker.media.udp_port} typ host" in response.text
    assert await peers(worker) == (1, 0)
    viewer = await post(worker, "/whep/demo", offers.chrome("recvonly"))
    assert viewer.headers["location"].startswith("/whep/demo/3.")
    assert "vendue-publication" not in viewer.headers
    assert await peers(worker) == (1, 1)


@pytest.mark.parametrize(
    ("path", "content", "headers", "refusal"),
    [
        ("/whip/demo", "garbage", {**SDP, **PID}, (400, "bad_sdp")),
        ("/whep/demo", "garbage", {**SDP, **PID}, (400, "bad_sdp")),
        ("/whip/demo", b"\xff\xfe", {**SDP, **PID}, (400, "bad_sdp")),
        ("/whip/demo", offers.chrome("recvonly"), {**SDP, **PID}, (406, "no_common_codec")),
        (
            "/whip/demo",
            offers.chrome(),
            {"content-type": "text/plain", **PID},
            (415, "unsupported_media_type"),
        ),
        ("/whip/demo", offers.chrome(), SDP, (400, "bad_request")),
        ("/whep/demo", "v=0\r\n" + "a" * (1 << 20), {**SDP, **PID}, (413, "too_large")),
    ],
)
async def test_refusals(
    worker: Worker, path: str, content: str | bytes, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    response = await worker.http.post(path, content=content, headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == refusal
    assert response.json()["status"] == response.status_code
    assert await peers(worker) == (0, 0)


async def test_full(worker: Worker) -> None:
    for _ in range(2):
        assert (await post(worker, "/whep/demo", offers.chrome("recvonly"))).status_code == 201
    response = await post(worker, "/whep/demo", offers.chrome("recvonly"))
    assert response.status_code == 503
    assert response.json()["code"] == "full"
    assert int(response.headers["retry-after"]) > 0
    assert await peers(worker) == (0, 2)


async def test_views_are_counted_by_whence_they_come() -> None:
    async with media_worker(max_views_per_client=2) as worker:
        headers = {**SDP, "vendue-client": "office"}

        async def watch(pid: str, **more: str) -> int:
            told = {**headers, "vendue-pid": pid, **more}
            answer = await worker.http.post("/whep/demo", content=offers.chrome("recvonly"), headers=told)
            return answer.status_code

        assert [await watch("p_one"), await watch("p_two"), await watch("p_three")] == [201, 201, 503]
        assert await peers(worker) == (0, 2)
        assert await watch("p_three", **{"vendue-client": "home"}) == 201
        assert (await post(worker, "/whep/demo", offers.chrome("recvonly"), "p_four")).status_code == 201
        for _ in range(9):  # as many as one pid may have
            assert (await post(worker, "/whep/demo", offers.chrome("recvonly"), "p_four")).status_code == 201
        before = await peers(worker)
        assert await watch("p_four") == 503
        assert await peers(worker) == before, "a view that is refused ends no other"
        assert (await worker.http.delete("/by-tag/p_one")).status_code == 200
        assert await watch("p_four") == 201


async def test_somebody_else_is_publishing(worker: Worker) -> None:
    assert (await post(worker, "/whip/demo", offers.chrome(), "p_one")).status_code == 201
    refused = await post(worker, "/whip/demo", offers.chrome(), "p_two")
    assert refused.status_code == 409
    assert refused.json()["code"] == "already_publishing"
    assert (await post(worker, "/whip/other", offers.chrome(), "p_two")).status_code == 201
    assert await peers(worker) == (2, 0)


async def test_a_second_offer_of_the_same_pid_takes_the_place_of_an_unfinished_one(worker: Worker) -> None:
    first = await post(worker, "/whip/demo", offers.chrome())
    second = await post(worker, "/whip/demo", offers.chrome())
    assert second.status_code == 201
    assert await peers(worker) == (1, 0)
    assert (await worker.http.delete(first.headers["location"])).status_code == 404
    assert (await worker.http.delete(second.headers["location"])).status_code == 200
    assert await peers(worker) == (0, 0)


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_patch(worker: Worker, kind: str) -> None:
    direction = "sendonly" if kind == "whip" else "recvonly"
    created = await post(worker, f"/{kind}/demo", offers.chrome(direction))
    path, etag = created.headers["location"], created.headers["etag"]

    async def patch(content: str, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await worker.http.patch(path, content=content, headers={"content-type": FRAGMENT, **names})

    assert (await patch(TRICKLE, if_match=etag)).status_code == 204
    assert (await patch(TRICKLE)).status_code == 428
    assert (await patch(TRICKLE, if_match='"stale"')).status_code == 412
    assert (await patch("garbage", if_match=etag)).status_code == 400
    assert (await patch(TRICKLE, if_match=etag, content_type="application/sdp")).status_code == 415
    assert (await patch("a=mid:0\r\n", if_match="*")).status_code == 400  # a restart needs credentials
    restarted = await patch(RESTART, if_match="*")
    assert restarted.status_code == 200
    assert restarted.headers["etag"] != etag
    assert restarted.headers["content-type"] == FRAGMENT
    fresh = parse_fragment(restarted.text)
    assert fresh.ufrag is not None
    assert f"a=ice-ufrag:{fresh.ufrag}" not in created.text
    assert (await patch(TRICKLE, if_match=etag)).status_code == 412
    assert (await patch(TRICKLE, if_match=restarted.headers["etag"])).status_code == 204


async def test_a_resource_is_found_only_under_its_own_address(worker: Worker) -> None:
    path = (await post(worker, "/whep/demo", offers.chrome("recvonly"))).headers["location"]
    name = path.rpartition("/")[2]
    for wrong in (f"/whip/demo/{name}", f"/whep/other/{name}", "/whep/demo/3.guessed"):
        assert (await worker.http.delete(wrong)).status_code == 404
        patched = await worker.http.patch(wrong, headers={"if-match": "*", "content-type": FRAGMENT})
        assert patched.status_code == 404
        assert patched.json()["code"] == "unknown_resource"
    assert await peers(worker) == (0, 1)


async def test_a_viewer_tells_how_large_its_picture_is(worker: Worker) -> None:
    created = await post(worker, "/whep/demo", offers.chrome("recvonly"))
    path = created.headers["location"]
    link = created.headers["link"].split(", ")[-1]
    assert link == f'<{path}/layer>; rel="urn:ietf:params:whep:ext:core:layer"'

    async def tell(body: object) -> int:
        return (await worker.http.post(f"{path}/layer", json=body)).status_code

    for view in ({"maxWidth": 640, "maxHeight": 360}, {"maxHeight": 200}, {}):
        assert await tell(view) == 200
    refused: tuple[object, ...] = (
        {"maxWidth": 0},
        {"maxWidth": 16_385},
        {"maxWidth": 1.5},
        {"maxWidth": "640"},
        {"encodingId": "h"},
        [],
        "x",
    )
    for wrong in refused:
        assert await tell(wrong) == 400
    publisher = (await post(worker, "/whip/demo", offers.chrome())).headers["location"]
    for nothing in (publisher.replace("whip", "whep"), publisher, "/whep/demo/3.guessed"):
        assert (await worker.http.post(f"{nothing}/layer", json={})).status_code == 404


def test_a_side_without_a_bound_is_any() -> None:
    assert View(640, 360).box() == (640, 360)
    assert View(max_height=200).box() == (math.inf, 200)
    assert View().box() is None


async def test_a_show_and_a_tag_can_be_ended(worker: Worker) -> None:
    await post(worker, "/whip/demo", offers.chrome())
    await post(worker, "/whep/demo", offers.chrome("recvonly"), "p_two")
    await post(worker, "/whep/other", offers.chrome("recvonly"), "p_two")
    assert (await worker.http.delete("/by-tag/p_two", params={"show": "demo"})).json() == {"ended": 1}
    assert await peers(worker) == (1, 1)
    assert (await worker.http.delete("/shows/demo")).json() == {"ended": 1}
    assert await peers(worker) == (0, 1)
    assert (await worker.http.delete("/by-tag/p_two")).json() == {"ended": 1}
    assert (await worker.http.delete("/by-tag/p_two")).json() == {"ended": 0}


async def test_controls_take_only_what_they_know(worker: Worker) -> None:
    assert (await worker.http.put("/clock", json={"server_minus_monotonic_ms": 1.5})).status_code == 204
    assert (await worker.http.put("/clock", json={"server_minus_monotonic_ms": "x"})).status_code == 400
    assert (await worker.http.put("/clock", content=b"{")).status_code == 400
    assert (await worker.http.put("/shows/demo/video", json={"blanked": True})).status_code == 204
    assert (await worker.http.put("/shows/demo/video", json={})).status_code == 400


async def test_health_of_a_show_that_nobody_knows(worker: Worker) -> None:
    health = (await worker.http.get("/shows/nothing/health")).json()
    assert health["publisher"] is None
    assert health["viewers"]["count"] == 0
