"""Firefox: its own WebRTC stack above libwebrtc's codecs, NSS for DTLS."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.firefox import Tab, firefox
from support.other_origin import origin_of
from support.studio import Studio, studio_of
from support.web import SHOW

from server.store.store import Store

pytestmark = pytest.mark.slow

SCRIPT = b"""
async function exchange(peer, url, token) {
  await peer.setLocalDescription();
  const headers = {'Content-Type': 'application/sdp', ...(token ? {Authorization: `Bearer ${token}`} : {})};
  const answer = await fetch(url, {method: 'POST', headers, body: peer.localDescription.sdp});
  if (!answer.ok) throw new Error(await answer.text());
  await peer.setRemoteDescription({type: 'answer', sdp: await answer.text()});
}
async function publish(url, token) {
  globalThis.peer = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({video: true, audio: true});
  for (const track of stream.getTracks()) peer.addTransceiver(track, {direction: 'sendonly'});
  await exchange(peer, url, token);
}
async function play(url) {
  globalThis.peer = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) peer.addTransceiver(kind, {direction: 'recvonly'});
  const stream = document.querySelector('video').srcObject = new MediaStream();
  peer.ontrack = event => stream.addTrack(event.track);
  await exchange(peer, url);
}
async function decoded() {
  for (const report of (await peer.getStats()).values())
    if (report.type === 'inbound-rtp' && report.kind === 'video') return report.framesDecoded ?? 0;
  return 0;
}
"""


@pytest.fixture
async def origin(second_address: str) -> AsyncIterator[str]:
    async with origin_of(SCRIPT) as there:
        yield there


@pytest.fixture
async def tab(tmp_path: Path, origin: str) -> AsyncIterator[Tab]:
    async with firefox(tmp_path) as opened:
        await opened.goto(origin)
        yield opened


@pytest.fixture
async def studio(store: Store, origin: str, second_address: str) -> AsyncIterator[Studio]:
    """Firefox avoids loopback, so this worker has an address more."""
    addresses = ("127.0.0.1", second_address)
    async with studio_of(store, origin, udp_host="0.0.0.0", public_ips=addresses) as opened:
        yield opened


async def test_firefox_publishes(studio: Studio, tab: Tab) -> None:
    viewer = await studio.watch()
    await tab.evaluate(f"publish({json.dumps(f'{studio.web.url}/whip/{SHOW}')}, '{studio.web.creator}')")
    await viewer.sees(video=30, audio=30)


async def test_firefox_plays(studio: Studio, tab: Tab) -> None:
    await studio.publish(vp8=True)  # its H264 comes from a plug-in that it fetches by itself
    await tab.evaluate(f"play({json.dumps(f'{studio.web.url}/whep/{SHOW}')})")
    async with asyncio.timeout(15):
        while await tab.evaluate("decoded()") < 30:
            await asyncio.sleep(0.2)
