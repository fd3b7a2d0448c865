"""WHIP and WHEP libraries from npm in Chromium, on a page of another origin than the server's: CORS, too."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, Response
from support.browser import chromium
from support.npm import bundled, installed
from support.other_origin import origin_of
from support.studio import Studio, studio_of
from support.web import SHOW

from server.store.store import Store

pytestmark = pytest.mark.slow

PACKAGES = {
    "@binbat/whip-whep": "1.1.1-sdp-trickle-throw",
    "@eyevinn/whip-web-client": "1.1.7",
    "@eyevinn/webrtc-player": "0.13.0",
    "esbuild": "0.28.2",
}
KNOWN = {
    "404 DELETE",  # binbat says goodbye over DTLS first, which already ends the resource
    "428 PATCH",  # binbat's WHEP client does not keep the ETag of its 201; a lite agent needs no candidates
}
ENTRY = """
import {WHIPClient as BinbatWhip} from '@binbat/whip-whep/whip.js';
import {WHEPClient as BinbatWhep} from '@binbat/whip-whep/whep.js';
import {WHIPClient as EyevinnWhip} from '@eyevinn/whip-web-client';
import {WebRTCPlayer} from '@eyevinn/webrtc-player';

const camera = () => navigator.mediaDevices.getUserMedia({video: {width: 320, height: 240}, audio: true});

globalThis.publish = {
  async binbat(url, token) {
    const peer = new RTCPeerConnection(), client = new BinbatWhip();
    for (const track of (await camera()).getTracks()) peer.addTransceiver(track, {direction: 'sendonly'});
    await client.publish(peer, url, token);
    return () => client.stop();
  },
  async eyevinn(url, token) {
    const client = new EyevinnWhip({endpoint: url, opts: {authkey: token, iceServers: []}});
    await client.ingest(await camera());
    return () => client.destroy();
  },
};
globalThis.play = {
  async binbat(url, token, video) {
    const peer = new RTCPeerConnection(), client = new BinbatWhep();
    for (const kind of ['audio', 'video']) peer.addTransceiver(kind, {direction: 'recvonly'});
    const stream = video.srcObject = new MediaStream();
    peer.ontrack = event => stream.addTrack(event.track);
    await client.view(peer, url, token);
    return () => client.stop();
  },
  async eyevinn(url, token, video) {
    const player = new WebRTCPlayer({video, type: 'whep', iceServers: []});
    await player.load(new URL(url), token && `Bearer ${token}`);
    return () => player.unload();
  },
};
"""


@dataclass
class Pages:
    """The server, and a browser with pages of another origin."""

    studio: Studio
    origin: str
    browser: Browser

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncGenerator[Page]:
        """A page whose every request has to succeed, but for KNOWN."""
        context = await self.browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        refused: list[str] = []

        def judge(response: Response) -> None:
            said = f"{response.status} {response.request.method}"
            if response.status >= 400 and said not in KNOWN:
                refused.append(said)

        page.on("response", judge)
        try:
            await page.goto(self.origin)
            yield page
            assert refused == []
        finally:
            await context.close()


@pytest.fixture
async def pages(store: Store, pytestconfig: pytest.Config) -> AsyncIterator[Pages]:
    folder = await installed(pytestconfig.cache.mkdir("interop-web"), PACKAGES)
    async with (
        origin_of(await bundled(folder, ENTRY)) as origin,
        studio_of(store, origin) as studio,
        chromium() as browser,
    ):
        yield Pages(studio, origin, browser)


@pytest.mark.parametrize("client", ["binbat", "eyevinn"])
async def test_a_page_elsewhere_publishes(pages: Pages, client: str) -> None:
    studio = pages.studio
    viewer = await studio.watch()
    async with pages.page() as page:
        await page.evaluate(
            "async ([client, url, token]) => { globalThis.stop = await publish[client](url, token); }",
            [client, f"{studio.web.url}/whip/{SHOW}", studio.web.creator],
        )
        await viewer.sees(video=30, audio=30)
        await page.evaluate("() => stop()")
        await viewer.until(lambda: not studio.media.status()["publishers"])


@pytest.mark.parametrize("client", ["binbat", "eyevinn"])
async def test_a_page_elsewhere_plays(pages: Pages, client: str) -> None:
    studio = pages.studio
    publisher = await studio.publish()
    async with pages.page() as page:
        await page.evaluate(
            """async ([client, url]) => {
                 globalThis.stop = await play[client](url, undefined, document.querySelector('video'));
               }""",
            [client, f"{studio.web.url}/whep/{SHOW}"],
        )
        await page.wait_for_function(
            "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames >= 30",
            timeout=15_000,
        )
        await page.evaluate("() => stop()")
        await publisher.until(lambda: not studio.media.status()["viewers"])
