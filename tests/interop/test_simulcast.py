"""Chromium sends three layers; two of its viewers get what their paths carry. One of them loses packets."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Page, Route
from support.browser import chromium
from support.media import SDP, LossyPath, Worker, media_worker

PAGE = """<!doctype html><title>peer</title>
<video id=a autoplay muted></video>
<video id=b autoplay muted></video>
<script>
async function negotiate(peer, path, name) {
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await signal(path, name, peer.localDescription.sdp);
  await peer.setRemoteDescription({type: 'answer', sdp: answer});
}
function prefer(transceiver, capabilities, mime) {
  const codecs = capabilities.codecs;
  const first = codecs.filter((codec) => codec.mimeType === mime);
  const repair = codecs.filter((codec) => /rtx$/.test(codec.mimeType));
  transceiver.setCodecPreferences([...first, ...repair]);
}
async function publish(mime) {
  const video = {width: 1280, height: 720, frameRate: 30};
  const stream = await navigator.mediaDevices.getUserMedia({video});
  const peer = window.publisher = new RTCPeerConnection();
  const sendEncodings = [
    {rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000},
    {rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000},
    {rid: 'f', maxBitrate: 1_500_000},
  ];
  const options = {direction: 'sendonly', streams: [stream], sendEncodings};
  prefer(peer.addTransceiver(stream.getTracks()[0], options), RTCRtpSender.getCapabilities('video'), mime);
  await negotiate(peer, '/whip/demo', '');
}
async function watch(name) {
  const peer = (window.viewers ??= {})[name] = new RTCPeerConnection();
  peer.addTransceiver('video', {direction: 'recvonly'});
  peer.ontrack = (event) => { document.getElementById(name).srcObject = new MediaStream([event.track]); };
  await negotiate(peer, '/whep/demo', name);
}
async function inbound(name) {
  for (const report of (await window.viewers[name].getStats()).values())
    if (report.type === 'inbound-rtp') return {
      width: report.frameWidth ?? 0, frames: report.framesDecoded ?? 0, freezes: report.freezeCount ?? 0,
      frozen_s: report.totalFreezesDuration ?? 0, plis: report.pliCount ?? 0,
    };
  return {width: 0, frames: 0, freezes: 0, frozen_s: 0, plis: 0};
}
</script>"""

FREEZE_FRAMES = 6  # 200 ms
OWN_LOSSES = 0.02  # of a path that leads through this process, which is busy at times
RECOVERED_S = 2.0  # nobody goes up within five
URL = "http://localhost/"  # getUserMedia wants a secure origin


@dataclass
class Show:
    """A page that publishes, and one that watches twice: 'a' on a path that can be spoilt, 'b' directly."""

    worker: Worker
    studio: Page
    viewer: Page
    path: LossyPath

    async def stats(self, name: str) -> dict[str, Any]:
        return await self.viewer.evaluate("name => inbound(name)", name)

    async def until(self, what: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not await what():
                await asyncio.sleep(0.2)

    async def width(self, name: str, wanted: int, timeout_s: float) -> None:
        async def reached() -> bool:
            return (await self.stats(name))["width"] == wanted

        await self.until(reached, timeout_s)

    async def frames(self) -> dict[str, int]:
        """Decoded so far, by viewer."""
        return {name: (await self.stats(name))["frames"] for name in ("a", "b")}

    async def smaller(self) -> bool:
        spoilt, direct = await self.widths()
        return 0 < spoilt < direct

    async def equal(self) -> bool:
        spoilt, direct = await self.widths()
        return spoilt == direct > 320

    async def widths(self) -> tuple[int, int]:
        """Of a's picture and of b's."""
        spoilt, direct = [(await self.stats(name))["width"] for name in ("a", "b")]
        return spoilt, direct


@contextlib.asynccontextmanager
async def show() -> AsyncGenerator[Show]:
    async with media_worker() as worker, chromium() as browser:
        path = LossyPath(worker, lose_every=0)
        await path.open()
        names = (f"p_{number}" for number in itertools.count())

        async def signal(where: str, name: str, sdp: str) -> str:
            headers = {**SDP, "vendue-pid": next(names)}
            response = await worker.http.post(where, content=sdp, headers=headers)
            assert response.status_code == 201, response.text
            return path.put_into(response.text) if name == "a" else response.text

        async def page() -> Page:
            opened = await (await browser.new_context(permissions=["camera"])).new_page()
            await opened.expose_function("signal", signal)

            async def answer(route: Route) -> None:
                await route.fulfill(body=PAGE, content_type="text/html")

            await opened.route(URL, answer)
            await opened.goto(URL)
            return opened

        try:
            yield Show(worker, await page(), await page(), path)
        finally:
            path.close()


@pytest.mark.parametrize("mime", ["video/H264", "video/VP8"])
async def test_who_loses_packets_gets_a_smaller_layer_and_the_large_one_back(mime: str) -> None:
    async with show() as live:
        await live.studio.evaluate("mime => publish(mime)", mime)
        for name in ("a", "b"):
            await live.viewer.evaluate("name => watch(name)", name)
        for name in ("a", "b"):
            await live.width(name, 1280, 40)
        health = (await live.worker.http.get("/shows/demo/health")).json()
        assert {layer["rid"] for layer in health["publisher"]["layers"]} == {"q", "h", "f"}
        assert sum(health["viewers"]["layers"].values()) == 2

        live.path.lose_every = 3
        await live.until(live.smaller, 40)

        live.path.lose_every = 0
        await asyncio.sleep(RECOVERED_S)  # what was lost last, and the keyframe that it takes
        # Both are in one browser, whose own stalls meet them alike: what one lacks beside the other is ours.
        before = await live.frames()
        # What the other viewer has: on a busy machine the browser itself may stop encoding the largest layer.
        await live.until(live.equal, 90)
        after = await live.frames()
        assert after["a"] > before["a"]
        spoilt, direct = [after[name] - before[name] for name in ("a", "b")]
        assert spoilt >= direct * (1 - OWN_LOSSES) - FREEZE_FRAMES, "going up is no freeze"
