"""One viewer behind a link that becomes narrow, beside ten on good ones: when it has its layer, and what the
ten notice.

    python bench/narrow.py [--rate-bps 1000000] [--neighbours 10] [--rounds 3]

A studio in Chromium sends two layers, the larger one at 2.5 Mbit/s; the viewer is a watch page in another
Chromium, behind a link between two network namespaces (needs root); its neighbours are viewers of the load
generator, which count packets. Prints a JSON line of medians: ms from the link's narrowing to the first frame
of the smaller layer, the frames a second that the viewer sees from then on, and of all neighbours together
the packets a second and the lost ones, in eight seconds before and in eight within which the link narrows.
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

from support.bad_link import SERVER, bad_link  # noqa: E402 - the checkout is on the path only from here on
from support.browser import chromium, installed, until_width  # noqa: E402
from support.burnt_in import SHOW, burnt_in  # noqa: E402
from support.link_carrier import HERE as OUR_ADDRESS  # noqa: E402

PRODUCT = ("thing", {"title": "Thing", "price_minor": 1_000, "stock": 5})
SMALL, LARGE = 320, 640
SETTLE_S, WINDOW_S, FOUND_S = 6, 8, 30
NOW = "performance.timeOrigin + performance.now()"


async def neighbours(whep: str, number: int) -> dict[str, Any]:
    """So many viewers for a while; what they received together."""
    command = [sys.executable, str(HERE / "rtcload" / "rtcload.py"), "--whep", whep, "--no-publish"]
    command += ["-n", str(number), "--warm", "2", "--window", str(WINDOW_S), "--twcc", "--nack"]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(WINDOW_S + FOUND_S):
            out, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    row = json.loads(out)
    if row["connected"] < number:
        raise SystemExit(f"{row['connected']} of {number} neighbours connected")
    return row


async def measure(rate_bps: float, number: int, seed: int) -> dict[str, float]:
    """One round."""
    with tempfile.TemporaryDirectory() as scratch, bad_link(seed) as link:
        command = link.command(installed() or "chromium", Path(scratch))
        async with (
            chromium() as browser,
            chromium(command) as elsewhere,
            burnt_in(Path(scratch), browser, [PRODUCT], SERVER) as live,
            live.studio(noise=True),
            live.viewer(browser=elsewhere, host=OUR_ADDRESS) as viewer,
        ):
            await until_width(viewer, LARGE, FOUND_S)
            await asyncio.sleep(SETTLE_S)
            whep = f"{live.server.url}/whep/{SHOW}"
            before = await neighbours(whep, number)
            beside = asyncio.create_task(neighbours(whep, number))
            await asyncio.sleep(3)  # they have joined, and are counted
            link.change(rate_bps=rate_bps, delay_s=0.02)
            narrowed_ms = await viewer.evaluate(NOW)
            await until_width(viewer, SMALL, FOUND_S)
            layer_ms = await viewer.evaluate(NOW) - narrowed_ms
            after = await beside
            frames = [at for _, at in await viewer.evaluate("seen.frames") if at > narrowed_ms + layer_ms]
            fps = (len(frames) - 1) / (frames[-1] - frames[0]) * 1000
    return {
        "layer_after_ms": layer_ms,
        "narrow_fps": fps,
        **{f"{key}_before": before[key] for key in ("pkts_s", "lost")},
        **{f"{key}_beside": after[key] for key in ("pkts_s", "lost")},
    }


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate-bps", type=float, default=1_000_000)
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = [await measure(options.rate_bps, options.neighbours, seed) for seed in range(options.rounds)]
    medians = {key: round(statistics.median(row[key] for row in rows), 1) for key in rows[0]}
    row = {"what": "a viewer whose link narrows, beside others", "rate_bps": options.rate_bps}
    print(json.dumps({**row, "neighbours": options.neighbours, **medians, "rounds": options.rounds}))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
