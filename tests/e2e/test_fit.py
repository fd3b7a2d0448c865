"""A watch page gets the layer that its picture shows; the studio sees once a second how its video goes."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, ViewportSize
from support.browser import PHONE, SOON_S, inbound_video, until_width
from support.burnt_in import SHOW, burnt_in
from support.http_client import Caller

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PRODUCT = ("thing", {"title": "Thing", "price_minor": 1_000, "stock": 5})
SMALL: ViewportSize = {"width": 320, "height": 200}
POLLS_S = 3.0
UP_S = 4 * SOON_S
"""A layer up takes 5 s without trouble, which a busy machine makes by itself."""
TELL_GARBAGE = """async () => {
  const told = performance.getEntriesByType('resource').findLast(({name}) => name.endsWith('/layer')).name;
  const headers = {'Content-Type': 'application/json'};
  return (await fetch(told, {method: 'POST', headers, body: '{"maxWidth": -1}'})).status;
}"""


def posts(page: Page, ending: str) -> list[tuple[float, Any]]:
    """What the page sends from now on to such addresses: when, and the body."""
    found: list[tuple[float, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith(ending):
            found.append((time.monotonic(), request.post_data_json if request.method == "POST" else None))

    page.on("request", note)
    return found


async def shrunk_and_grown(viewer: Page) -> None:
    """The layer follows the size of the picture; sizes in between are told once a second at most."""
    told = posts(viewer, "/layer")
    await viewer.set_viewport_size(SMALL)
    async with asyncio.timeout(SOON_S):
        while not told:
            await asyncio.sleep(0.1)
    await until_width(viewer, 320)
    assert 160 < told[-1][1]["maxWidth"] <= 320
    assert await viewer.evaluate(TELL_GARBAGE) == 400
    del told[:]
    began = time.monotonic()
    for step in range(12):  # a window's edge in somebody's hand
        await viewer.set_viewport_size({"width": SMALL["width"], "height": SMALL["height"] - 2 * step})
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)
    assert 1 <= len(told) <= time.monotonic() - began + 1
    assert told[-1][1]["maxHeight"] == min(body["maxHeight"] for _, body in told), "the newest was told last"
    assert (await inbound_video(viewer))["width"] == 320, "garbage changed nothing"
    await viewer.set_viewport_size(PHONE)
    await until_width(viewer, 640, UP_S)


async def test_a_picture_gets_its_layer_and_the_studio_is_told(browser: Browser, tmp_path: Path) -> None:
    async with (
        burnt_in(tmp_path, browser, [PRODUCT]) as live,
        live.studio() as studio,
        live.viewer() as viewer,
        live.viewer() as neighbour,
    ):
        await until_width(viewer, 640, UP_S)
        await shrunk_and_grown(viewer)
        await until_width(neighbour, 640, UP_S)
        caller = Caller(live.server.port, live.token)
        polls = posts(studio, "/health")
        async with asyncio.timeout(SOON_S):
            while True:
                status, seen = await caller.call("GET", f"/api/v1/shows/{SHOW}/health")
                assert status == 200, seen
                if complete(seen):
                    break
                await asyncio.sleep(0.5)
        caller.close()
        print(f"health: {seen}")
        judge(seen["publisher"], seen["viewers"])
        del polls[:]
        await asyncio.sleep(POLLS_S)
        assert POLLS_S - 1 <= len(polls) <= POLLS_S + 1, "once a second"
        await studio.locator("#cameras").dispatch_event("change")
        for page in (viewer, neighbour):
            await until_width(page, 320)
        first_frames = 'vendue_video_first_frame_seconds_count{worker="web-0"} 2.0'
        async with asyncio.timeout(SOON_S), httpx.AsyncClient() as client:
            while first_frames not in (await client.get(f"{live.server.url}/metrics")).text:
                await asyncio.sleep(0.5)


def complete(health: Any) -> bool:
    """Whether there was time to know everything, and both viewers are on the layer that they can show."""
    publisher, viewers = health["publisher"] or {"": None}, health["viewers"]
    return None not in (*publisher.values(), *viewers.values()) and viewers["layers"] == {"h": 0, "f": 2}


def judge(publisher: Any, viewers: Any) -> None:
    """Every field that the contract names, against what is there: one machine, one camera, two viewers."""
    assert 30_000 < publisher["bitrate_bps"] < 5_000_000
    assert 0 <= publisher["loss"] < 0.05
    assert 0 <= publisher["rtt_ms"] < 1_000
    assert 10 < publisher["fps"] <= 35
    assert publisher["keyframe_interval_ms"] > 0
    assert publisher["codec"] == "h264"
    sizes = {layer["rid"]: (layer["width"], layer["height"]) for layer in publisher["layers"]}
    assert sizes == {"h": (320, 180), "f": (640, 360)}, "the largest has the camera's size"
    assert 0 < sum(layer["bitrate_bps"] for layer in publisher["layers"]) <= publisher["bitrate_bps"]
    assert viewers["count"] == 2
    assert 0 <= viewers["rtt_ms_p50"] < 1_000
    assert 0 <= viewers["loss_p50"] < 0.05
    assert 0 <= viewers["freezes_per_min"] < 60
