"""The relay under load: `vendue serve`, one WHIP publisher and N WHEP viewers, all real peers on loopback.

    python bench/relay.py [-n 100] [--window 15]

Prints one JSON line a measurement: CPU of the media process per forwarded packet, loss, latency, join cost.
The viewers are `bench/rtcload` (full ICE, DTLS, SRTP); the packets are those of a 720p30 2 Mbit/s clip.
Needs gcc, ffmpeg, libssl-dev and libsrtp2-dev.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from support.http_client import Caller  # noqa: E402
from support.server_process import ServerProcess  # noqa: E402

from server import tokens  # noqa: E402 - the checkout is on the path only from here on

SHOW = "bench"
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
SETTINGS = {
    "VENDUE_AUTH__SECRET": SECRET,
    "VENDUE_PAYMENTS__GATEWAY": "test",
    "VENDUE_PAYMENTS__TEST_MODE": "true",
    "VENDUE_LIMITS__EXEMPT_LOOPBACK": "true",
}


def clip() -> Path:
    """The pre-packetised clip, made once."""
    path = HERE / "rtcload" / "clip.rtpclip"
    if not path.exists():
        subprocess.run([sys.executable, str(HERE / "rtcload" / "clip.py"), str(path)], check=True)
    return path


async def open_show(port: int, token: str) -> None:
    """Create and start the show that is measured."""
    creator = Caller(port, token)
    for path, body in (
        ("/api/v1/shows", {"id": SHOW, "title": "Bench", "currency": "USD"}),
        (f"/api/v1/shows/{SHOW}/start", {}),
    ):
        status, answer = await creator.call("POST", path, body, f"bench{path}")
        if status not in (200, 201):
            raise SystemExit(f"{path}: {status} {answer}")
    creator.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", default="100", help="viewers; 50,100 makes two measurements")
    parser.add_argument("--window", default="15", help="seconds a measurement")
    parser.add_argument(
        "--srtp", default="SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", help="offered by the viewers"
    )
    options = parser.parse_args()
    token = tokens.issue(
        SECRET, subject="creator", role="creator", show=None, ttl_s=3_600, now_ms=int(time.time() * 1000)
    )
    with (
        tempfile.TemporaryDirectory() as scratch,
        ServerProcess(Path(scratch) / "data", ["serve"], SETTINGS) as server,
    ):
        asyncio.run(open_show(server.port, token))
        (media,) = server.workers("server media")
        out = Path(scratch) / "rows.json"
        command = [
            *(
                sys.executable,
                str(HERE / "rtcload" / "rtcload.py"),
                "--name",
                "vendue",
                "--clip",
                str(clip()),
            ),
            *("--whip", f"{server.url}/whip/{SHOW}", "--whep", f"{server.url}/whep/{SHOW}"),
            *("--header", f"Authorization: Bearer {token}", "--pid", str(media), "-n", options.n),
            *("--window", options.window, "--srtp", options.srtp, "--out", str(out)),
        ]
        status = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
        for row in json.loads(out.read_text()):
            print(json.dumps(row))
    return status


if __name__ == "__main__":
    sys.exit(main())
