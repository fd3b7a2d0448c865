"""One flash sale, here and at an open commerce back end: Vendure with PostgreSQL, side by side in one run.

python bench/shop.py [--purchases 60] [--units 60] [--attempts 90] [--buyers 4] [--rounds 3]

Every buyer is a person of their own, so many of them at once, and all are paid by a gateway that says yes at
once. Here as there an attempt is two requests: order and pay; there the second does all that a guest's
checkout needs beside the line: customer, address, shipping, payment. Both write to the same disk and sync it
before they answer. A round starts both anew and has three parts: `warm` purchases that are not counted;
`purchases` of what there is plenty of, for times and CPU of all server processes; and the sale, `attempts` at
`units`, for how many were told that they have one, and how many its own records call paid. Prints one JSON
line: medians, and the ratios. A round that takes more than five minutes ends the run.

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
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from buy import BUY_PATH, PRICE_MINOR, SECRET, SKU, prepare, running
from crowd import Waits
from support.http_client import Caller, Unanswered
from support.server_process import free_port

from server import tokens

HERE = Path(__file__).resolve().parent
VENDURE = HERE / "peers" / "vendure"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
START_S, INSTALL_S, ROUND_S = 120.0, 300.0, 300.0
FEW, PLENTY = "1", "2"  # the ids that Vendure gives its two products
PAID_THERE = f"""select coalesce(sum(line.quantity), 0) from order_line line
  join "order" bought on bought.id = line."orderId"
  where bought.state = 'PaymentSettled' and line."productVariantId" = {FEW}"""
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
    """Purchases' times and cost where there is plenty, and how a sale of few ended."""

    waits: Waits = field(default_factory=Waits)
    seconds: float = 0.0
    cpu_s: float = 0.0
    load_cpu_s: float = 0.0
    """Of this program: near `seconds`, it is the load that is measured."""
    told: Counter[str] = field(default_factory=Counter[str])
    """How the attempts of the sale were answered."""
    recorded: int = 0
    """Units of the sale that the server's own records call paid."""


Attempt = Callable[[str, bool], Awaitable[bool]]
"""A person (a name) tries to buy what is scarce, or what there is plenty of: sold?"""


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


async def crowd(attempt: Attempt, names: Iterable[str], buyers: int, *, scarce: bool) -> Round:
    """These people, so many of them at once."""
    found, waiting = Round(), iter(names)

    async def buyer() -> None:
        for name in waiting:
            asked = time.monotonic()
            try:
                outcome = "sold" if await attempt(name, scarce) else "refused"
            except Unanswered:
                outcome = "unanswered"
            found.told[outcome] += 1
            if outcome == "sold":
                found.waits.ms.append((time.monotonic() - asked) * 1000)

    await asyncio.gather(*(buyer() for _ in range(buyers)))
    return found


async def measure(attempt: Attempt, pids: list[int], options: argparse.Namespace) -> Round:
    """One round: see the module."""

    def people(what: str, number: int) -> list[str]:
        return [f"{what}{person}" for person in range(number)]

    await crowd(attempt, people("warm", options.warm), options.buyers, scarce=False)
    before, own, began = cpu_s(pids), time.process_time(), time.monotonic()
    found = await crowd(attempt, people("plenty", options.purchases), options.buyers, scarce=False)
    found.seconds, found.cpu_s = time.monotonic() - began, cpu_s(pids) - before
    found.load_cpu_s = time.process_time() - own
    if len(found.waits.ms) < options.purchases:
        raise SystemExit(f"of what there is plenty of, {dict(found.told)}")
    sale = await crowd(attempt, people("sale", options.attempts), options.buyers, scarce=True)
    found.told = sale.told
    return found


# Here


@contextlib.asynccontextmanager
async def vendue(scratch: Path, options: argparse.Namespace) -> AsyncGenerator[Round]:
    """A sale on a web worker with a store of its own."""
    async with running(scratch) as (port, pid):
        await prepare(port, few=options.units)
        own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        pids = [int(child) for child in own]
        assert pid in pids

        async def attempt(name: str, scarce: bool) -> bool:
            token = tokens.issue(SECRET, subject=name, role="viewer", show=None, ttl_s=600)
            caller = Caller(port, token)
            body = {"sku": "few" if scarce else SKU, "quantity": 1, "price_minor": PRICE_MINOR}
            status, order = await caller.call("POST", BUY_PATH, body, f"k-{name}")
            if status == 201:
                paid = f"{BUY_PATH}/{order['id']}/pay"
                status, order = await caller.call("POST", paid, {"payment_token": "tok_ok"}, f"p-{name}")
            caller.close()
            return status == 200 and order["state"] == "paid"

        found = await measure(attempt, pids, options)
        found.recorded = await paid_here(port)
        yield found


async def paid_here(port: int) -> int:
    """What the show's list of orders says."""
    creator = Caller(port, tokens.issue(SECRET, subject="creator", role="creator", show=None, ttl_s=600))
    units, after = 0, 0
    while after is not None:
        status, page = await creator.call("GET", f"{BUY_PATH}?after={after}")
        if status != 200:
            raise SystemExit(f"orders: {status} {page}")
        paid = [order for order in page["orders"] if order["state"] == "paid" and order["sku"] == "few"]
        units += sum(order["quantity"] for order in paid)
        after = page["next"]
    creator.close()
    return units


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
    init = [*as_owner, str(programs / "initdb"), "-U", "postgres", "--auth=trust"]
    init += ["--encoding=UTF8", "--locale=C.UTF-8", "-D", str(data)]
    subprocess.run(init, check=True, capture_output=True, timeout=START_S)
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

            async def ask(caller: Caller, query: str, **variables: str) -> dict[str, Any]:
                body = {"query": query, "variables": variables}
                status, answer = await caller.call("POST", "/shop-api", body)
                caller.close()
                if status != 200:
                    raise SystemExit(f"Vendure answered {status} {answer}")
                return answer.get("data") or {}  # null after an error of its database

            async def attempt(name: str, scarce: bool) -> bool:
                first = Caller(port, "nobody")
                added: dict[str, Any] = await ask(first, ADD, variant=FEW if scarce else PLENTY)
                line: dict[str, Any] = added.get("addItemToOrder") or {}
                if line.get("__typename") != "Order":
                    return False
                known = Caller(port, first.headers["vendure-auth-token"])
                bought = await ask(known, BUY, email=f"{name}@example.org")
                paid: dict[str, Any] = bought.get("addPaymentToOrder") or {}
                return paid.get("state") == "PaymentSettled"

            found = await measure(attempt, [node.pid, database], options)
            query = (
                str(POSTGRES[-1].with_name("psql")),
                "-h",
                str(socket),
                "-U",
                "postgres",
                "-Atc",
                PAID_THERE,
            )
            found.recorded = int(
                subprocess.run(query, check=True, capture_output=True, timeout=START_S).stdout
            )
            yield found
        finally:
            if node.returncode is None:
                node.terminate()
            await node.wait()


def figures(rounds: list[Round]) -> dict[str, Any]:
    """The medians of some rounds."""
    median = statistics.median
    return {
        "sale": [dict(one.told) for one in rounds],
        "recorded": [one.recorded for one in rounds],
        "purchases_per_s": round(median(len(one.waits.ms) / one.seconds for one in rounds), 1),
        "cpu_ms_a_purchase": round(median(one.cpu_s * 1000 / len(one.waits.ms) for one in rounds), 2),
        "load_cpu_share": round(median(one.load_cpu_s / one.seconds for one in rounds), 2),
        "p50_ms": round(median(one.waits.at(0.5) for one in rounds), 1),
        "slowest_ms": round(median(max(one.waits.ms) for one in rounds), 1),
    }


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--purchases", type=int, default=60)
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
        subprocess.run(command, check=True, cwd=home, timeout=INSTALL_S)
        for number in range(options.rounds):
            for kind in ("vendue", "vendure"):
                folder = home / f"{kind}-{number}"
                folder.mkdir()
                sold = vendue(folder, options) if kind == "vendue" else vendure(home, folder, options)
                async with asyncio.timeout(ROUND_S), sold as found:
                    (ours if kind == "vendue" else theirs).append(found)
    here, there = figures(ours), figures(theirs)
    row = {
        "what": f"a sale of {options.units} units, {options.attempts} attempts by {options.buyers} at once"
    }
    ratios = {
        name: round(there[name] / here[name], 1) for name in ("cpu_ms_a_purchase", "p50_ms", "slowest_ms")
    }
    print(json.dumps({**row, "vendue": here, "vendure": there, "vendure_over_vendue": ratios}))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
