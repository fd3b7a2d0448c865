"""How long a purchase over HTTP takes, at a steady rate and beside a crowd at a product that is sold out.

python bench/crowd.py [--rate 1000] [--beside 100] [--attempts 10000] [--seconds 5] [--rounds 3]

Requests come at random times that do not wait for answers, so a late one counts in full: from when it was
due to its answer. `paced.c` sends them, which takes a fiftieth of a core for 1,000 a second. The crowd asks
for what is gone; the purchases beside it are of another product. Load, web worker and store share the
machine. Two yardsticks in the same run: the same requests at the same times to the server's empty route, and
as many bytes as an order's written and synced to the store's disk, again and again, by nobody else. Prints
one JSON line of medians.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import uvloop
from buy import (
    BUY_PATH,
    EMPTY_PATH,
    HERE,
    PRICE_MINOR,
    SKU,
    prepare,
    request_of,
    running,
)

GONE = "gone"
CONNECTIONS = 256
SYNCED_BYTES = 2_000  # what a purchase adds to the append-only file
KEYS = itertools.count()


@dataclass
class Waits:
    """Milliseconds from when each purchase was due to its answer."""

    ms: list[float] = field(default_factory=list[float])

    def at(self, share: float) -> float:
        """The wait that this share of the purchases did not exceed."""
        return sorted(self.ms)[min(len(self.ms) - 1, int(share * len(self.ms)))]


class Sender(NamedTuple):
    """What sends, to which port, in whose names."""

    binary: Path
    port: int
    bearers: list[str]


class Requests:
    """Sends requests of one kind at random times, so many a second on average (a Poisson process)."""

    def __init__(self, sender: Sender, path: str, sku: str, *, status: int) -> None:
        self._command = (str(sender.binary), str(sender.port), str(CONNECTIONS), str(status))
        self._bearers, self._path = sender.bearers, path
        self._body = json.dumps({"sku": sku, "quantity": 1, "price_minor": PRICE_MINOR})
        self._schedule = sender.binary.with_name(f"schedule-{next(KEYS)}")

    def plan(self, rate_per_s: float, seconds: float) -> None:
        """Write what is sent when."""
        due_s, schedule = 0.0, bytearray()
        while (due_s := due_s + random.expovariate(rate_per_s)) < seconds:
            number = next(KEYS)
            bearer = self._bearers[number % len(self._bearers)]
            request = request_of(self._path, bearer, f"paced-{number}", self._body)
            schedule += struct.pack("=QI", int(due_s * 1e6), len(request)) + request
        self._schedule.write_bytes(schedule)

    async def send(self) -> Waits:
        """Send what was planned."""
        process = await asyncio.create_subprocess_exec(
            *self._command, str(self._schedule), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        if process.returncode:
            raise SystemExit(f"paced.c ended with {process.returncode}")
        return Waits([int(line) / 1000 for line in told.split()])

    async def at(self, rate_per_s: float, seconds: float) -> Waits:
        """Plan and send."""
        self.plan(rate_per_s, seconds)
        return await self.send()


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
    buying: Requests, asking: Requests, options: argparse.Namespace
) -> tuple[Waits, Waits]:
    """Purchases while everybody else asks for what is gone."""
    buying.plan(options.beside, options.seconds)
    asking.plan(options.attempts, options.seconds)
    bought, asked = await asyncio.gather(buying.send(), asking.send())
    return bought, asked


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--beside", type=float, default=100)
    parser.add_argument("--attempts", type=float, default=10_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if shutil.which("cc") is None:
        print("bench/crowd.py needs a C compiler", file=sys.stderr)
        return 1
    waits: dict[str, list[Waits]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="vendue-bench-") as name:
        scratch = Path(name)
        binary = scratch / "paced"
        subprocess.run(
            ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", binary, HERE / "paced.c"], check=True
        )
        async with running(scratch) as (port, _):
            sender = Sender(binary, port, await prepare(port, **{GONE: 0}))
            buying = Requests(sender, BUY_PATH, SKU, status=201)
            asking = Requests(sender, BUY_PATH, GONE, status=409)
            nothing = Requests(sender, EMPTY_PATH, SKU, status=200)
            await buying.at(options.rate, 1)  # warms up and is not counted
            for _ in range(options.rounds):
                waits["sync"].append(synced(scratch, 1))
                waits["empty"].append(await nothing.at(options.rate, options.seconds))
                waits["steady"].append(await buying.at(options.rate, options.seconds))
                bought, asked = await beside_a_crowd(buying, asking, options)
                waits["beside_a_crowd"].append(bought)
                waits["crowd"].append(asked)
    row = {
        "what": "purchases over HTTP, one web worker: ms from due to answered",
        "rate_per_s": options.rate,
        "attempts_per_s": options.attempts,
    }
    for kind, rounds in waits.items():
        for share in (0.5, 0.99):
            row[f"{kind}_p{share * 100:.0f}_ms"] = round(
                statistics.median(one.at(share) for one in rounds), 1
            )
    print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
