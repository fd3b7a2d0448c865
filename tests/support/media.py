"""A media worker in the test's own loop, and stock aiortc peers that publish to it and watch from it."""

import asyncio
import contextlib
import fractions
import re
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import av
import httpx
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from support.http_client import NO_TLS

from media.worker import MediaConfig, MediaWorker

SDP = {"content-type": "application/sdp"}
FRAGMENT = "application/trickle-ice-sdpfrag"


@dataclass
class Worker:
    """A running worker and an HTTP client of its service."""

    media: MediaWorker
    http: httpx.AsyncClient

    async def counters(self) -> dict[str, int]:
        """The metrics by name, without the `vendue_media_` before them."""
        text = (await self.http.get("/metrics")).text
        pairs = [line.split() for line in text.splitlines() if not line.startswith("#")]
        return {name.removeprefix("vendue_media_"): int(value) for name, value in pairs}


@contextlib.asynccontextmanager
async def media_worker(**settings: object) -> AsyncGenerator[Worker]:
    """A worker on loopback with ports of its own."""
    config = MediaConfig(udp_host="127.0.0.1", **settings)  # pyright: ignore[reportArgumentType]
    media = MediaWorker(config)
    await media.start()
    base = f"http://127.0.0.1:{media.http_port}"
    try:
        async with httpx.AsyncClient(verify=NO_TLS, base_url=base, timeout=10) as http:
            yield Worker(media, http)
    finally:
        await media.stop()


class CountingVideo(VideoStreamTrack):
    """A small picture that changes with every frame."""

    def __init__(self, size: tuple[int, int] = (160, 120)) -> None:
        super().__init__()
        self._size = size
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        self._count += 1
        frame = av.VideoFrame(*self._size, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([self._count * 7 % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class ToneAudio(MediaStreamTrack):
    """A quiet noise in 20 ms frames at 48 kHz."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        self._started = self._started or time.monotonic()
        await asyncio.sleep(max(0.0, self._started + self._pts / 48000 - time.monotonic()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(bytes(range(96)) * 20)
        frame.pts, frame.sample_rate = self._pts, 48000
        frame.time_base = fractions.Fraction(1, 48000)
        self._pts += 960
        return frame


@dataclass
class Peer:
    """An aiortc peer connection with its WHIP or WHEP resource."""

    pc: RTCPeerConnection
    response: httpx.Response
    frames: dict[str, int] = field(default_factory=lambda: {"audio": 0, "video": 0})
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def location(self) -> str:
        return self.response.headers["location"]

    async def until(self, what: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Wait for a condition; TimeoutError when it does not come."""
        async with asyncio.timeout(timeout_s):
            while not what():
                await asyncio.sleep(0.02)

    async def connected(self) -> None:
        await self.until(lambda: self.pc.connectionState == "connected")

    async def sees(self, video: int, audio: int = 0) -> None:
        """Wait until so many more frames have been decoded."""
        want_video, want_audio = self.frames["video"] + video, self.frames["audio"] + audio
        await self.until(lambda: self.frames["video"] >= want_video and self.frames["audio"] >= want_audio)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.pc.close()


async def publish(
    worker: Worker,
    show: str = "demo",
    pid: str = "p_creator",
    *,
    tracks: list[MediaStreamTrack] | None = None,
    change_offer: Callable[[str], str] = lambda sdp: sdp,
    change_answer: Callable[[str], str] = lambda sdp: sdp,
) -> Peer:
    """Publish with stock aiortc over WHIP. The response is in the peer, whatever its status."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for track in tracks if tracks is not None else [CountingVideo(), ToneAudio()]:
        transceiver = pc.addTransceiver(track, direction="sendonly")
        assert transceiver.sender.track is track
    path = f"/whip/{show}"
    return await _signal(worker, pc, path, pid, change_offer=change_offer, change_answer=change_answer)


async def watch(
    worker: Worker,
    show: str = "demo",
    pid: str = "p_viewer",
    *,
    change_answer: Callable[[str], str] = lambda sdp: sdp,
) -> Peer:
    """Watch with stock aiortc over WHEP, decoding everything."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        pc.addTransceiver(kind, direction="recvonly")
    tracks: list[MediaStreamTrack] = []
    pc.on("track", tracks.append)
    peer = await _signal(worker, pc, f"/whep/{show}", pid, change_answer=change_answer)
    peer.tasks = [asyncio.create_task(_consume(peer, track)) for track in tracks]
    return peer


class LossyPath(asyncio.DatagramProtocol):
    """A UDP hop between one peer and the worker; every n-th packet of the video down is lost (0: none), every
    packet of media up is sent so many times.
    """

    def __init__(self, worker: Worker, lose_every: int = 0) -> None:
        self._worker_address = ("127.0.0.1", worker.media.udp_port)
        self.lose_every = lose_every
        self.copies = 1
        self._peer: tuple[str, int] | None = None
        self._seen = 0
        self._ssrc = b""
        self.lost = 0
        self._transport: asyncio.DatagramTransport | None = None
        self.port = 0

    async def open(self) -> None:
        """Start; `port` is what a candidate must name."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]

    def put_into(self, answer: str) -> str:
        """The worker's answer with this hop as its candidate."""
        video = answer[answer.index("m=video") :]
        if ssrc := re.search(r"a=ssrc:(\d+) ", video):  # not in a publisher's
            self._ssrc = int(ssrc[1]).to_bytes(4, "big")
        return answer.replace(f" {self._worker_address[1]} typ", f" {self.port} typ")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is None:
            return
        if addr != self._worker_address:
            self._peer = addr
            for _ in range(self.copies if 127 < data[0] < 192 else 1):
                self._transport.sendto(data, self._worker_address)
            return
        if 127 < data[0] < 192 and data[8:12] == self._ssrc:
            self._seen += 1
            if self.lose_every and self._seen % self.lose_every == 0:
                self.lost += 1
                return
        if self._peer is not None:
            self._transport.sendto(data, self._peer)


async def _signal(
    worker: Worker,
    pc: RTCPeerConnection,
    path: str,
    pid: str,
    *,
    change_offer: Callable[[str], str] = lambda sdp: sdp,
    change_answer: Callable[[str], str] = lambda sdp: sdp,
) -> Peer:
    await pc.setLocalDescription(await pc.createOffer())
    offer = change_offer(pc.localDescription.sdp)
    response = await worker.http.post(path, content=offer, headers={**SDP, "vendue-pid": pid})
    peer = Peer(pc, response)
    if response.status_code == 201:
        await pc.setRemoteDescription(RTCSessionDescription(change_answer(response.text), "answer"))
    return peer


async def _consume(peer: Peer, track: MediaStreamTrack) -> None:
    while True:
        await track.recv()
        peer.frames[track.kind] += 1
