"""GStreamer's webrtcbin (1.22, as Debian has it): its own RSA certificate, libnice, its own RTP stack."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.outside import Program, missing, program
from support.studio import Studio, studio_of
from support.web import SHOW

from server.store.store import Store

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent.parent / "support" / "gstreamer_peer.py"
PYTHON = "/usr/bin/python3"
PROBE = """
import gi
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstWebRTC
Gst.init(None)
names = "webrtcbin nicesrc dtlsenc srtpenc vp8enc openh264enc opusenc"
raise SystemExit(not all(Gst.ElementFactory.find(name) for name in names.split()))
"""


@pytest.fixture(scope="module", autouse=True)
def there() -> None:
    """webrtcbin and its Python bindings, or a word about what is not checked."""
    probe = [PYTHON, "-c", PROBE]
    if not Path(PYTHON).exists() or subprocess.run(probe, check=False, capture_output=True).returncode:
        missing(
            "GStreamer's webrtcbin", "Debian: gstreamer1.0-plugins-bad -good -nice gir1.2-gst-plugins-bad-1.0"
        )


@pytest.fixture
async def studio(store: Store, second_address: str) -> AsyncIterator[Studio]:
    """libnice uses loopback only when there is nothing else, so this worker has an address more."""
    async with studio_of(store, udp_host="0.0.0.0", public_ips=("127.0.0.1", second_address)) as opened:
        yield opened


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_gstreamer_publishes(studio: Studio, codec: str) -> None:
    viewer = await studio.watch()
    url = f"{studio.web.url}/whip/{SHOW}"
    async with program(PYTHON, SCRIPT, "whip", url, studio.web.creator, codec) as publisher:
        try:
            await viewer.sees(video=45, audio=45)
        except TimeoutError:
            raise AssertionError(_words(publisher)) from None


async def test_gstreamer_plays(studio: Studio) -> None:
    await studio.publish()
    async with program(PYTHON, SCRIPT, "whep", f"{studio.web.url}/whep/{SHOW}", "") as player:
        await player.says("frame video 60")
        await player.says("frame audio 60")


def _words(of: Program) -> str:
    return "\n".join(of.lines[-40:]) or "it said nothing"
