"""How long a purchase over HTTP takes, at a steady rate and beside a crowd at a product that is sold out.

python bench/crowd.py [--rate 1000] [--beside 100] [--seconds 5] [--rounds 3]

Purchases come at times that do not wait for answers, so a late one counts in full: from when it was due to
its answer. The crowd is `wrk` with 256 connections, each asking again at once, for what is gone; the
purchases beside it are of another product. Load, web worker and store share the machine. Two yardsticks in
the same run: the same requests at the same times to the server's empty route, and as many bytes as an order's
written and synced to the store's disk, again and again, by nobody else. Prints one JSON line of medians.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from buy import BUY_PATH, EMPTY_PATH, PRICE_MINOR, SKU, Load, prepare, run_wrk, running
from support.http_client import Caller

GONE = "gone"
CALLERS = 64
SYNCED_BYTES = 2_000  # what a purchase adds to the append-only file
KEYS = itertools.count()


@dataclass
class Waits:
    """Milliseconds from when each purchase was due to its answer."""

    ms: list[float] = field(default_factory=list[float])

    def at(self, share: float) -> float:
        """The wait that this share of the purchases did not exceed."""
        return sorted(self.ms)[min(len(self.ms) - 1, int(share * len(self.ms)))]


async def paced(
    port: int, bearers: list[str], rate_per_s: float, seconds: float, *, path: str = BUY_PATH
) -> Waits:
    """Purchases at random times, so many a second on average (a Poisson process)."""
    waits, due, began = Waits(), 0.0, time.monotonic()
    free: asyncio.Queue[Caller] = asyncio.Queue()
    for token in bearers[:CALLERS]:
        free.put_nowait(Caller(port, token))

    async def buy(due_s: float) -> None:
        caller = await free.get()
        body = {"sku": SKU, "quantity": 1, "price_minor": PRICE_MINOR}
        status, answer = await caller.call("POST", path, body, f"paced-{next(KEYS)}")
        if status != (201 if path == BUY_PATH else 200):
            raise SystemExit(f"a purchase was answered {status} {answer}")
        waits.ms.append((time.monotonic() - began - due_s) * 1000)
        free.put_nowait(caller)

    async with asyncio.TaskGroup() as purchases:
        while (due := due + random.expovariate(rate_per_s)) < seconds:
            await asyncio.sleep(began + due - time.monotonic())
            purchases.create_task(buy(due))
    while not free.empty():
        free.get_nowait().close()
    return waits


def synced(scratch: Path, seconds: float) -> Waits:
    """The disk alone: so many bytes appended and synced, as the store does before it answers."""
    waits, until = Waits(), time.monotonic() + seconds
    file = os.open(scratch / "synced", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while (began := time.monotonic()) < until:
        os.write(file, b"x" * SYNCED_BYTES)
        os.fdatasync(file)
        waits.ms.append((time.monotonic() - began) * 1000)
    os.close(file)
    return waits


async def beside_a_crowd(
    port: int, bearers: list[str], options: argparse.Namespace, scratch: Path
) -> tuple[Waits, float]:
    """Purchases while everybody else asks for what is gone; and how many times a second they do."""
    body = json.dumps({"sku": GONE, "quantity": 1, "price_minor": PRICE_MINOR})
    crowd = asyncio.create_task(
        asyncio.to_thread(run_wrk, port, Load(BUY_PATH, 409, body), bearers, options, scratch)
    )
    await asyncio.sleep(0.5)
    waits = await paced(port, bearers, options.beside, options.seconds - 1)
    return waits, await crowd / options.seconds


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--beside", type=float, default=100)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=256)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("bench/crowd.py needs wrk (Debian's package of that name)", file=sys.stderr)
        return 1
    disk, empty, steady = list[Waits](), list[Waits](), list[Waits]()
    crowded: list[tuple[Waits, float]] = []
    with tempfile.TemporaryDirectory(prefix="vendue-bench-") as scratch:
        async with running(Path(scratch)) as (port, _):
            bearers = await prepare(port, **{GONE: 0})
            await paced(port, bearers, options.rate, 1)  # warms up and is not counted
            for _ in range(options.rounds):
                disk.append(synced(Path(scratch), 1))
                empty.append(await paced(port, bearers, options.rate, options.seconds, path=EMPTY_PATH))
                steady.append(await paced(port, bearers, options.rate, options.seconds))
                crowded.append(await beside_a_crowd(port, bearers, options, Path(scratch)))
    row = {"what": "purchases over HTTP, one web worker: ms from due to answered", "rate_per_s": options.rate}
    beside = [waits for waits, _ in crowded]
    for name, waits in (("sync", disk), ("empty", empty), ("steady", steady), ("beside_a_crowd", beside)):
        for share in (0.5, 0.99):
            row[f"{name}_p{share * 100:.0f}_ms"] = round(statistics.median(one.at(share) for one in waits), 1)
    row["attempts_per_s"] = round(statistics.median(attempts for _, attempts in crowded))
    print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
