"""Glass to glass: how long after a frame was drawn in the studio's page it is on the screen of a watch page.

    python bench/glass.py [--seconds 20] [--behind-ms 0,300]

One machine, one headless Chromium (software encoding, decoding and drawing), the real server between the two
pages. A frame's number is burnt into its picture when it is drawn and read back from the frame that the watch
page shows; both times are of one clock, the second is Chromium's `expectedDisplayTime`. So capture from a
canvas, encoder, relay, jitter buffer, decoder and compositor are in it; a camera's and a display's own delays
are not. The page itself asks for 300 ms, so that prices can come with their frame (sale mode); 0 is what the
way takes. Prints a JSON line for each: p50 and p95 in ms, and where Chromium's own counters say they went.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from playwright.async_api import Page  # noqa: E402 - the checkout is on the path only from here on
from support.browser import chromium  # noqa: E402
from support.burnt_in import burnt_in, delays_ms  # noqa: E402

SETTLE_S = 8.0  # the encoder's rate and the jitter buffer have found their place
PRODUCT = ("thing", {"title": "Thing", "price_minor": 1_000, "stock": 5})  # a show without any does not begin
STATS = """async (type) => {
  for (const peer of window.vendue?.peers ?? [])
    for (const report of (await peer.getStats()).values())
      if (report.type === type && report.kind === 'video') return {...report};
  return {};
}"""
PARTS = {
    "encode": ("outbound-rtp", "totalEncodeTime", "framesEncoded"),
    "pace": ("outbound-rtp", "totalPacketSendDelay", "packetsSent"),
    "jitter_buffer": ("inbound-rtp", "jitterBufferDelay", "jitterBufferEmittedCount"),
    "decode": ("inbound-rtp", "totalDecodeTime", "framesDecoded"),
}


async def stats(studio: Page, viewer: Page) -> dict[str, dict[str, Any]]:
    """Chromium's counters of what is sent and what is received."""
    return {
        "outbound-rtp": await studio.evaluate(STATS, "outbound-rtp"),
        "inbound-rtp": await viewer.evaluate(STATS, "inbound-rtp"),
    }


def parts_ms(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """Mean ms a frame (a packet, for `pace`) of each part between two readings."""
    found: dict[str, float | None] = {}
    for name, (kind, total, count) in PARTS.items():
        old, new = before[kind], after[kind]
        number = new.get(count, 0) - old.get(count, 0)
        spent_s = new.get(total, 0.0) - old.get(total, 0.0)
        found[name] = round(spent_s / number * 1000, 2) if number else None
    return found


async def measure(seconds: float, behind_ms: int) -> dict[str, Any]:
    """One publisher and one viewer for so long."""
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            chromium() as browser,
            burnt_in(Path(scratch), browser, [PRODUCT]) as live,
            live.studio() as studio,
            live.viewer(behind_ms) as viewer,
        ):
            await asyncio.sleep(SETTLE_S)
            before = await stats(studio, viewer)
            since_ms = await viewer.evaluate("performance.timeOrigin + performance.now()")
            await asyncio.sleep(seconds)
            delays = await delays_ms(studio, viewer, since_ms)
            after = await stats(studio, viewer)
    cuts = statistics.quantiles(delays, n=100)
    return {
        "what": "glass to glass",
        "behind_ms": behind_ms,
        "frames": len(delays),
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "parts_ms": parts_ms(before, after),
    }


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--behind-ms", default="0,300", help="playout delays that the page asks for")
    options = parser.parse_args()
    for behind_ms in map(int, options.behind_ms.split(",")):
        print(json.dumps(asyncio.run(measure(options.seconds, behind_ms))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
