"""werift, WebRTC written in TypeScript, on node: its own ICE, DTLS and SRTP."""

import shutil
import sys
from pathlib import Path

import pytest
from support import rtp_sender
from support.npm import installed
from support.outside import program
from support.studio import Studio
from support.web import SHOW, expect

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent.parent / "support" / "werift_peer.mjs"


@pytest.fixture
async def folder(pytestconfig: pytest.Config) -> Path:
    """Where werift is."""
    return await installed(pytestconfig.cache.mkdir("interop-node"), {"werift": "0.25.2"})


async def test_werift_plays(studio: Studio, folder: Path) -> None:
    await studio.publish()
    url = f"{studio.web.url}/whep/{SHOW}"
    async with program(shutil.which("node") or "node", SCRIPT, "whep", url, cwd=folder) as player:
        await player.says("state connected")
        await player.says("keyframe")
        await player.says("packets video 60")
        await player.says("packets audio 60")


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_werift_publishes(studio: Studio, folder: Path, b_frames: int) -> None:
    """B-frames, which browsers do not show in order, are named in the show's health."""
    viewer = await studio.watch()
    url = f"{studio.web.url}/whip/{SHOW}"
    node = shutil.which("node") or "node"
    async with program(node, SCRIPT, "whip", url, studio.web.creator, cwd=folder) as publisher:
        port = (await publisher.says("port ")).split()[1]
        await publisher.says("state connected")
        async with program(sys.executable, Path(rtp_sender.__file__), port, str(b_frames)):
            await viewer.sees(video=30)
            health = await expect(200, studio.web.call("GET", "health", token=studio.web.creator))
            assert health["publisher"]["b_frames"] is bool(b_frames)
