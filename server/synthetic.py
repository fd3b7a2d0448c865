"""The demo's synthetic creator: a stock aiortc peer that publishes the clip over WHIP (RFC 9725) for ever.

It is a process of its own and knows only the public interface, so every part of the server's path is the
one that a browser uses. The packets are ready (`server.clip`): nothing is encoded while it runs. Run as
`python -m server.synthetic <show>` with the settings on standard input.
"""

import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import aioice.ice
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from server import clip, telemetry, tokens
from server.api_client import ApiClient, Unreachable, reachable_host
from server.children import receive_settings
from server.presence import Decision, Presence, Seen
from server.settings import Settings

SUBJECT: Final = "creator"
TOKEN_TTL_S: Final = 600
POLL_S: Final = 1.0
PAUSE_MAX_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 3.0
BEHIND_MAX_S: Final = 0.5  # after a longer standstill the missed part is left out, not sent in a burst

log = telemetry.get_logger(__name__)


def _loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: ARG001 - aioice's signature
    return ["127.0.0.1"]


def offer_loopback() -> None:
    """Have every peer of this process offer 127.0.0.1 alone, which aioice never does (checked on 0.13).

    The demo is on loopback, also on a machine without a network.
    """
    aioice.ice.get_host_addresses = _loopback


class LoopedTrack(MediaStreamTrack):
    """Ready packets at their pace, over and over, with time stamps that never start again."""

    def __init__(
        self, kind: str, units: Sequence[bytes], unit: Fraction, clock_hz: int, epoch: float
    ) -> None:
        super().__init__()
        self.kind = kind
        self._units = units
        self._unit_s = float(unit)
        self._ticks = int(unit * clock_hz)
        self._time_base = Fraction(1, clock_hz)
        self._epoch = epoch
        self._number = 0

    async def recv(self) -> "av.Packet[Any]":
        """The next packet when it is due. Raises MediaStreamError after `stop`."""
        if self.readyState != "live":
            raise MediaStreamError
        ahead_s = self._epoch + self._number * self._unit_s - time.monotonic()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        elif ahead_s < -BEHIND_MAX_S:  # go on with a whole second, where a keyframe is
            missed = math.ceil(-ahead_s) * round(1 / self._unit_s)
            self._number += missed + -self._number % round(1 / self._unit_s)
            return await self.recv()
        packet: av.Packet[Any] = av.Packet(self._units[self._number % len(self._units)])
        packet.pts = packet.dts = self._number * self._ticks
        packet.time_base = self._time_base
        self._number += 1
        return packet


class Publication:
    """One WHIP session of ours."""

    def __init__(self, peer: RTCPeerConnection, identity: str, resource: str) -> None:
        self.identity = identity
        self.resource = resource
        self._peer = peer

    @property
    def closed(self) -> bool:
        """Has the server, or a lost path, ended the connection?"""
        return self._peer.connectionState in ("closed", "failed")

    async def close(self) -> None:
        """Close the connection; does not tell the server."""
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await self._peer.close()


class Refused(Exception):
    """The server did not take the publication; the text says why."""


async def publish(api: ApiClient, show: str, media: clip.Clip) -> Publication:
    """Offer the clip to `show`. Raises Refused and Unreachable."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        epoch = time.monotonic()
        video = LoopedTrack("video", media.video, Fraction(1, clip.FRAMES_PER_S), 90_000, epoch)
        audio = LoopedTrack("audio", media.audio, Fraction(1, 50), clip.SAMPLES_PER_S, epoch)
        peer.addTransceiver(audio, direction="sendonly")
        transceiver = peer.addTransceiver(video, direction="sendonly")
        transceiver.setCodecPreferences(
            [
                codec
                for codec in RTCRtpSender.getCapabilities("video").codecs
                if codec.mimeType == "video/rtx"
                or (codec.mimeType == "video/H264" and codec.parameters.get("profile-level-id") == "42e01f")
            ]
        )
        await peer.setLocalDescription(await peer.createOffer())
        offer = peer.localDescription.sdp.encode()
        headers = {"Content-Type": "application/sdp"}
        answer = await asyncio.to_thread(api.send, "POST", f"/whip/{show}", offer, headers)
        if answer.status != 201:
            raise Refused(f"{answer.status} {answer.body[:200].decode(errors='replace')}")
        await peer.setRemoteDescription(RTCSessionDescription(answer.body.decode(), "answer"))
    except BaseException:
        await peer.close()
        raise
    resource = answer.headers["location"]
    return Publication(peer, answer.headers.get("vendue-publication", ""), resource)


async def look(api: ApiClient, show: str) -> Seen:
    """Whose publication the show has now."""
    try:
        answer = await asyncio.to_thread(api.call, "GET", f"/api/v1/shows/{show}/health")
    except Unreachable:
        return Seen(reachable=False)
    if answer.status != 200:
        return Seen(reachable=False)
    publisher = answer.json().get("publisher")
    return Seen(reachable=True, publication=publisher.get("publication", "") if publisher else None)


class Creator:
    """Publishes, watches over it, stays away while somebody else is on, comes back."""

    def __init__(self, api: ApiClient, show: str, media: clip.Clip) -> None:
        self._api, self._show, self._media = api, show, media
        self._presence = Presence()
        self._publication: Publication | None = None
        self._pause_s = POLL_S

    async def run(self) -> None:
        """Until cancelled; then the publication is ended properly."""
        try:
            while True:
                await self._step()
                await asyncio.sleep(self._pause_s)
        finally:
            await self._end()

    async def _step(self) -> None:
        now = time.monotonic()
        if self._publication is not None and self._publication.closed:
            self._presence.closed_by_server(now)
            await self._leave()
        seen = await look(self._api, self._show)
        ours = self._publication.identity if self._publication is not None else None
        match self._presence.decide(seen, ours, time.monotonic()):
            case Decision.PUBLISH:
                await self._publish()
            case Decision.LEAVE:
                await self._leave()
            case Decision.WAIT:
                pass

    async def _publish(self) -> None:
        try:
            self._publication = await publish(self._api, self._show, self._media)
        except (Refused, Unreachable) as error:
            log.warning("publish_refused", reason=str(error), retry_in_s=self._pause_s)
            self._pause_s = min(self._pause_s * 2, PAUSE_MAX_S)
            return
        self._pause_s = POLL_S
        self._presence.published(time.monotonic())
        log.info("published", publication=self._publication.identity)

    async def _leave(self) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            log.info("publication_over", publication=publication.identity)
            await publication.close()

    async def _end(self) -> None:
        if self._publication is None:
            return
        try:
            await asyncio.to_thread(self._api.send, "DELETE", self._publication.resource, b"", {})
        except Unreachable:
            log.info("server_gone")
        await self._leave()


def cache_directories(settings: Settings) -> tuple[Path, ...]:
    """Where the clip may be kept: the user's cache, else the data directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return (Path(cache) / "vendue", settings.data_dir / "cache")


async def main(settings: Settings, show: str) -> None:
    """Publish to `show` on the local server until SIGTERM."""

    def token() -> str:
        now_ms = time.time_ns() // 1_000_000
        return tokens.issue(
            settings.auth.secret, subject=SUBJECT, role="creator", show=show, ttl_s=TOKEN_TTL_S, now_ms=now_ms
        )

    media = await asyncio.to_thread(clip.cached, cache_directories(settings))
    api = ApiClient(reachable_host(settings.http.host), settings.http.port, token)
    creator = asyncio.create_task(Creator(api, show, media).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, creator.cancel)
    await asyncio.wait({creator})
    if not creator.cancelled():
        creator.result()


if __name__ == "__main__":
    received = receive_settings()
    telemetry.configure("creator", received.log.level)
    offer_loopback()
    asyncio.run(main(received, sys.argv[1]))
