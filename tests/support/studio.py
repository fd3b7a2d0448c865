"""A web worker with its media worker, as `vendue serve` runs them, in the test's own loop."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from support import media, offers
from support.http_client import NO_TLS
from support.media import Peer, Worker
from support.web import SHOW, Web, running

from media.worker import MediaConfig, MediaWorker
from server.store.store import Store

SDP = {"Content-Type": "application/sdp"}
ORIGIN = "https://studio.example"


@dataclass
class Studio:
    """A web worker with its media worker, and peers that sign in with a token."""

    web: Web
    media: MediaWorker
    peers: list[Peer]

    @contextlib.asynccontextmanager
    async def as_user(self, token: str | None) -> AsyncGenerator[Worker]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(
            verify=NO_TLS, base_url=self.web.url, headers=headers, timeout=10
        ) as client:
            yield Worker(self.media, client)

    async def publish(self, token: str | None = None, *, vp8: bool = False) -> Peer:
        """With stock aiortc, in H264 or in VP8."""
        change = without_h264 if vp8 else str
        async with self.as_user(token or self.web.creator) as user:
            self.peers.append(peer := await media.publish(user, SHOW, change_offer=change))
        return peer

    async def watch(self, token: str | None = None) -> Peer:
        async with self.as_user(token) as user:
            self.peers.append(peer := await media.watch(user, SHOW))
        return peer

    async def offer(self, path: str, token: str | None, sdp: str = "", **headers: str) -> httpx.Response:
        sent = {**SDP, **headers}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return await self.web.client.post(path, content=sdp or offers.chrome(), headers=sent)


def without_h264(sdp: str) -> str:
    """The offer with H264 renamed to something that nobody relays."""
    return sdp.replace("H264/90000", "H261/90000")


@contextlib.asynccontextmanager
async def studio_of(
    store: Store, origin: str = ORIGIN, *, exempt: bool = True, **settings: Any
) -> AsyncGenerator[Studio]:
    """`origin` may signal from its pages; `exempt`: loopback is not limited; `settings` are the media
    worker's.
    """
    with tempfile.TemporaryDirectory(prefix="vendue-") as scratch:  # a unix socket's path must be short
        sockets = Path(scratch)
        given: dict[str, Any] = {"udp_host": "127.0.0.1", **settings}
        config = MediaConfig(socket_path=str(sockets / "media-0.sock"), **given)
        worker = MediaWorker(config)
        await worker.start()
        peers: list[Peer] = []
        try:
            http = {"allowed_origins": (origin,)}
            limits = {"exempt_loopback": exempt}
            async with running(store, sockets, run_dir=str(sockets), http=http, limits=limits) as web:
                await web.open_show()
                try:
                    yield Studio(web, worker, peers)
                finally:
                    await asyncio.gather(*(peer.close() for peer in peers))
        finally:
            await worker.stop()
