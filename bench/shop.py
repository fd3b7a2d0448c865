"""One flash sale, here and at an open commerce back end: Vendure with PostgreSQL, side by side in one run.

python bench/shop.py [--units 60] [--attempts 90] [--buyers 4] [--rounds 3]

`units` of one product, `attempts` by so many buyers at once, each a person of their own on a connection of
their own, all paid by a gateway that says yes at once. Here as there an attempt is two requests: order and
pay; there the second does all that a guest's checkout needs beside the line: customer, address, shipping,
payment. Both write to the same disk and sync it before they answer. Prints one JSON line: what
was sold of the units, purchases a second, CPU of all server processes a purchase, and the times of those
that bought; and the ratios of CPU and time.

Needs PostgreSQL's programs (as root, its user `postgres`, too), node and npm; says so otherwise.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from buy import BUY_PATH, PRICE_MINOR, SECRET, SHOW, prepare, running
from crowd import Waits
from support.http_client import Caller
from support.server_process import free_port

from server import tokens

HERE = Path(__file__).resolve().parent
VENDURE = HERE / "peers" / "vendure"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
START_S = 120.0
ADD = """mutation Add($variant: ID!) {
  addItemToOrder(productVariantId: $variant, quantity: 1) { __typename ... on ErrorResult { errorCode } }
}"""
BUY = """mutation Buy($email: String!) {
  setCustomerForOrder(input: {firstName: "A", lastName: "B", emailAddress: $email}) { __typename }
  setOrderShippingAddress(input: {fullName: "A B", streetLine1: "Street 1", countryCode: "DE"}) { __typename }
  setOrderShippingMethod(shippingMethodId: ["1"]) { __typename }
  transitionOrderToState(state: "ArrangingPayment") { __typename }
  addPaymentToOrder(input: {method: "yes", metadata: {}}) { __typename ... on Order { state } }
}"""


@dataclass
class Round:
    """One sale: its purchases' times, what was refused, and what it cost."""

    waits: Waits = field(default_factory=Waits)
    refused: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


Attempt = Callable[[int], Awaitable[bool]]
"""One person (a number) tries to buy: sold?"""


def cpu_s(pids: list[int]) -> float:
    """User and system time of processes, of their children, and of those that were waited for."""
    total, waiting = 0, list(pids)
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return total / os.sysconf("SC_CLK_TCK")


async def sale(attempt: Attempt, pids: list[int], options: argparse.Namespace) -> Round:
    """`attempts` people, so many of them at once."""
    found, people = Round(), iter(range(options.attempts))
    before, began = cpu_s(pids), time.monotonic()

    async def buyer() -> None:
        for person in people:
            asked = time.monotonic()
            if await attempt(person):
                found.waits.ms.append((time.monotonic() - asked) * 1000)
            else:
                found.refused += 1

    await asyncio.gather(*(buyer() for _ in range(options.buyers)))
    found.seconds, found.cpu_s = time.monotonic() - began, cpu_s(pids) - before
    return found


# Here


@contextlib.asynccontextmanager
async def vendue(scratch: Path, options: argparse.Namespace) -> AsyncGenerator[Round]:
    """A sale on a web worker with a store of its own."""
    async with running(scratch) as (port, pid):
        await prepare(port, sale=options.units)
        own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        pids = [int(child) for child in own]
        assert pid in pids

        async def attempt(person: int) -> bool:
            token = tokens.issue(SECRET, subject=f"p{person}", role="viewer", show=None, ttl_s=600)
            caller = Caller(port, token)
            body = {"sku": "sale", "quantity": 1, "price_minor": PRICE_MINOR}
            status, order = await caller.call("POST", BUY_PATH, body, f"k{person}")
            if status == 201:
                paid = f"/api/v1/shows/{SHOW}/orders/{order['id']}/pay"
                status, order = await caller.call("POST", paid, {"payment_token": "tok_ok"}, f"p{person}")
            caller.close()
            return status == 200 and order["state"] == "paid"

        yield await sale(attempt, pids, options)


# There


@contextlib.contextmanager
def postgres(scratch: Path) -> Generator[tuple[int, Path]]:
    """A PostgreSQL of its own, on a socket in a directory: its pid and that. Its settings are those of
    initdb.
    """
    data, programs = scratch / "data", POSTGRES[-1].parent
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    as_owner = drop if os.getuid() == 0 else []
    if as_owner:
        shutil.chown(scratch, "postgres", "postgres")
    init = [*as_owner, str(programs / "initdb"), "-U", "postgres", "--auth=trust", "-D", str(data)]
    subprocess.run(init, check=True, capture_output=True)
    command = [*as_owner, str(programs / "postgres"), "-D", str(data), "-k", str(scratch), "-h", ""]
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_S
        while not (scratch / ".s.PGSQL.5432").exists():
            if time.monotonic() > until or server.poll() is not None:
                raise SystemExit((scratch / "log").read_text())
            time.sleep(0.1)
        yield server.pid, scratch
    finally:
        server.terminate()
        server.wait(30)


@contextlib.asynccontextmanager
async def vendure(shop: Path, scratch: Path, options: argparse.Namespace) -> AsyncGenerator[Round]:
    """The same sale on Vendure, with a database of its own."""
    with postgres(scratch) as (database, socket):
        port = free_port()
        command = ["node", "shop.cjs", str(port), str(socket), str(options.units)]
        node = await asyncio.create_subprocess_exec(
            *command,
            cwd=shop,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "NODE_ENV": "production", "VENDURE_DISABLE_TELEMETRY": "true"},
        )
        try:
            assert node.stdout is not None
            async with asyncio.timeout(START_S):
                while (line := await node.stdout.readline()) != b"ready\n":
                    if not line:
                        raise SystemExit("Vendure did not start")

            async def ask(caller: Caller, query: str, **variables: str) -> Any:
                body = {"query": query, "variables": variables}
                status, answer = await caller.call("POST", "/shop-api", body)
                caller.close()
                if status != 200 or not answer.get("data"):
                    raise SystemExit(f"Vendure answered {status} {answer}")
                return answer["data"]

            async def attempt(person: int) -> bool:
                first = Caller(port, "nobody")
                added = await ask(first, ADD, variant="1")
                if added["addItemToOrder"]["__typename"] != "Order":
                    return False
                known = Caller(port, first.headers["vendure-auth-token"])
                bought = await ask(known, BUY, email=f"p{person}@example.org")
                paid: dict[str, Any] = bought["addPaymentToOrder"] or {}
                return paid.get("state") == "PaymentSettled"

            yield await sale(attempt, [node.pid, database], options)
        finally:
            node.terminate()
            await node.wait()


def figures(rounds: list[Round]) -> dict[str, Any]:
    """The medians of some rounds."""
    median = statistics.median
    return {
        "sold": [len(one.waits.ms) for one in rounds],
        "refused": [one.refused for one in rounds],
        "purchases_per_s": round(median(len(one.waits.ms) / one.seconds for one in rounds), 1),
        "cpu_ms_a_purchase": round(median(one.cpu_s * 1000 / len(one.waits.ms) for one in rounds), 2),
        "p50_ms": round(median(one.waits.at(0.5) for one in rounds), 1),
        "p99_ms": round(median(one.waits.at(0.99) for one in rounds), 1),
    }


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=60)
    parser.add_argument("--attempts", type=int, default=90)
    parser.add_argument("--buyers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not POSTGRES or shutil.which("npm") is None:
        print("bench/shop.py needs PostgreSQL's programs, node and npm: not measured", file=sys.stderr)
        return 0
    ours, theirs = list[Round](), list[Round]()
    with tempfile.TemporaryDirectory(prefix="vendue-bench-") as scratch:
        home = Path(scratch)
        home.chmod(0o755)
        for name in ("package.json", "shop.cjs"):
            shutil.copy(VENDURE / name, home)
        command = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock")
        subprocess.run(command, check=True, cwd=home)
        for number in range(options.rounds):
            for kind in ("vendue", "vendure"):
                folder = home / f"{kind}-{number}"
                folder.mkdir()
                sold = vendue(folder, options) if kind == "vendue" else vendure(home, folder, options)
                async with sold as found:
                    (ours if kind == "vendue" else theirs).append(found)
    here, there = figures(ours), figures(theirs)
    row = {"what": f"{options.units} units, {options.attempts} attempts by {options.buyers} at once"}
    ratios = {name: round(there[name] / here[name], 1) for name in ("cpu_ms_a_purchase", "p50_ms", "p99_ms")}
    print(json.dumps({**row, "vendue": here, "vendure": there, "vendure_over_vendue": ratios}))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
