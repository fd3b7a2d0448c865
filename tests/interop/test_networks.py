"""Networks between a viewer and the server: several addresses, IPv6, and TURN as the only way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page
from support.browser import chromium
from support.coturn import SECRET, coturn
from support.other_origin import origin_of
from support.own_network import ADDRESS
from support.studio import Studio, studio_of
from support.web import SHOW

from media.config import IceServer
from server.store.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("second_address")]

UNREACHABLE = "203.0.113.1"  # documentation's own network (RFC 5737)
PLAY = b"""
async function play(url, policy, only) {
  const peer = new RTCPeerConnection({iceTransportPolicy: policy});
  const stream = document.querySelector('video').srcObject = new MediaStream();
  peer.ontrack = event => stream.addTrack(event.track);
  for (const kind of ['audio', 'video']) peer.addTransceiver(kind, {direction: 'recvonly'});
  const offer = await peer.createOffer();
  const headers = {'Content-Type': 'application/sdp'};
  const answer = await fetch(url, {method: 'POST', headers, body: offer.sdp});
  if (!answer.ok) throw new Error(await answer.text());
  const links = (answer.headers.get('Link') ?? '').split(/, (?=<)/);
  const iceServers = links.filter(link => link.includes('rel="ice-server"')).map(link => ({
    urls: /<(.*?)>/.exec(link)[1],
    username: /username="(.*?)"/.exec(link)?.[1],
    credential: /credential="(.*?)"/.exec(link)?.[1],
  }));
  peer.setConfiguration({...peer.getConfiguration(), iceServers});
  await peer.setLocalDescription(offer);
  const hidden = line => only && line.startsWith('a=candidate:') && !line.includes(only);
  const sdp = (await answer.text()).split('\\r\\n').filter(line => !hidden(line)).join('\\r\\n');
  await peer.setRemoteDescription({type: 'answer', sdp});
  globalThis.peer = peer;
}
async function pair() {
  const reports = await peer.getStats();
  for (const report of reports.values()) {
    if (report.type !== 'transport') continue;
    const chosen = reports.get(report.selectedCandidatePairId);
    const [local, remote] = [reports.get(chosen.localCandidateId), reports.get(chosen.remoteCandidateId)];
    const {candidateType: type, protocol, relayProtocol: relay = ''} = local;
    return {type, protocol, relay, remote: remote.address};
  }
}
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of another origin in Chromium."""
    async with origin_of(PLAY) as origin, chromium() as browser:
        opened = await browser.new_page()
        await opened.goto(origin)
        yield opened


def origin(page: Page) -> str:
    return page.url.rstrip("/")


async def played(studio: Studio, page: Page, policy: str = "all", only: str = "") -> dict[str, str]:
    """Play until pictures have come; the candidate pair that they came by. `only`: the answer's candidates
    without this word are kept from the page.
    """
    url = f"{studio.web.url}/whep/{SHOW}"
    await page.evaluate("([url, policy, only]) => play(url, policy, only)", [url, policy, only])
    await page.wait_for_function(
        "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames >= 30",
        timeout=15_000,
    )
    return await page.evaluate("pair()")


async def test_of_several_addresses_the_one_that_answers_is_used(store: Store, page: Page) -> None:
    addresses = (UNREACHABLE, ADDRESS, "127.0.0.1")
    async with studio_of(store, origin(page), udp_host="0.0.0.0", public_ips=addresses) as studio:
        publisher = await studio.publish()
        candidates = [line.split()[4] for line in publisher.response.text.splitlines() if " typ host" in line]
        assert candidates == list(addresses)
        assert (await played(studio, page))["remote"] in addresses[1:]


async def test_ipv6_from_end_to_end(store: Store, page: Page) -> None:
    async with studio_of(store, origin(page), udp_host="::1") as studio:
        publisher = await studio.publish()
        assert " ::1 " in publisher.response.text
        viewer = await studio.watch()
        assert (await played(studio, page))["remote"] == "::1"
        await viewer.sees(video=10, audio=10)


async def test_one_port_for_both_families(store: Store, page: Page) -> None:
    """The socket on :: takes IPv4, too. It answers from the address of the route back: this machine's own."""
    async with studio_of(store, origin(page), udp_host="::", public_ips=(ADDRESS,)) as studio:
        await studio.publish()
        assert (await played(studio, page))["remote"] == ADDRESS


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_turn_is_way_enough(store: Store, page: Page, tmp_path: Path, transport: str) -> None:
    """`iceTransportPolicy: relay`, with credentials from the server's Link header."""
    async with coturn(tmp_path) as port:
        server = IceServer(f"turn:127.0.0.1:{port}?transport={transport}", secret=SECRET)
        async with studio_of(store, origin(page), ice_servers=(server,)) as studio:
            await studio.publish()
            pair = await played(studio, page, "relay")
            assert (pair["type"], pair["relay"]) == ("relay", transport)


async def test_tcp_where_no_udp_passes(store: Store, page: Page) -> None:
    async with studio_of(store, origin(page), tcp_port=0) as studio:
        publisher = await studio.publish()
        assert " tcptype passive" in publisher.response.text
        pair = await played(studio, page, only="tcptype")
        assert (pair["protocol"], pair["remote"]) == ("tcp", "127.0.0.1")
