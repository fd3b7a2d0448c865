"""A flash sale over HTTP that loses its store and its web worker in the middle, and no order with them.

20,000 attempts by 2,000 buyers on 100 units; every attempt is sent one to three times with its key.
"""

import asyncio
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.http_client import Caller, Unanswered
from support.server_process import ServerProcess

from server import tokens

SHOW = "drop"
SKU = "mug"
UNITS = 100
BUYERS = 2_000
ATTEMPTS_PER_BUYER = 10
CALLERS = 64  # buyers that are on the wire at once
KILLS_AFTER_ANSWERS = (3_000, 9_000)  # the store, then the web worker
MAX_TRIES = 60
RETRY_S = 0.25
PRICE_MINOR = 3_600
SECRET = "a-secret-of-at-least-thirty-two-bytes!"


@dataclass
class Tally:
    """What the buyers saw."""

    answers: int = 0
    orders: dict[str, str] = field(default_factory=dict[str, str])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    contradictions: list[str] = field(default_factory=list[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    unanswered: int = 0

    def note(self, key: str, buyer: str, status: int, body: dict[str, Any]) -> None:
        self.answers += 1
        if status in (200, 201):
            if self.orders.setdefault(key, body["id"]) != body["id"]:
                self.contradictions.append(f"{key}: two orders")
            self.owners[key] = buyer
            return
        self.refused[f"{status} {body.get('code')}"] += 1
        if key in self.orders:
            self.contradictions.append(f"{key}: {status} {body.get('code')} after a 201")


@pytest.fixture
async def sale(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    settings = {
        "VENDUE_AUTH__SECRET": SECRET,
        "VENDUE_PAYMENTS__GATEWAY": "test",
        "VENDUE_PAYMENTS__TEST_MODE": "true",
        "VENDUE_LIMITS__EXEMPT_LOOPBACK": "true",
    }
    with ServerProcess(tmp_path / "data", ["serve"], settings) as server:
        yield server


def bearer(subject: str, role: str) -> str:
    return tokens.issue(
        SECRET, subject=subject, role=role, show=None, ttl_s=3_600, now_ms=int(time.time() * 1000)
    )


async def open_show(server: ServerProcess) -> Caller:
    creator = Caller(server.port, bearer("creator", "creator"))
    status, _ = await creator.call(
        "POST", "/api/v1/shows", {"id": SHOW, "title": "Drop", "currency": "USD"}, "c1"
    )
    assert status == 201
    product = {"title": "Mug", "price_minor": PRICE_MINOR, "stock": UNITS, "per_viewer_max": 1}
    status, _ = await creator.call("PUT", f"/api/v1/shows/{SHOW}/products/{SKU}", product)
    assert status == 201
    status, _ = await creator.call("POST", f"/api/v1/shows/{SHOW}/start", {}, "c2")
    assert status == 200
    return creator


async def attempt(caller: Caller, tally: Tally, buyer: str, key: str, times: int) -> None:
    """Send one purchase `times` times, and go on with the same key until each has an answer."""
    path = f"/api/v1/shows/{SHOW}/orders"
    body = {"sku": SKU, "quantity": 1, "price_minor": PRICE_MINOR}
    for _ in range(times):
        for _ in range(MAX_TRIES):
            try:
                status, answer = await caller.call("POST", path, body, key)
            except Unanswered:
                tally.unanswered += 1
                await asyncio.sleep(RETRY_S)
                continue
            if status >= 500:
                tally.refused[f"{status} {answer.get('code')}"] += 1
                await asyncio.sleep(RETRY_S)
                continue
            tally.note(key, buyer, status, answer)
            break
        else:
            raise AssertionError(f"{key} never got an answer")


async def kill_in_the_middle(server: ServerProcess, tally: Tally) -> None:
    for threshold, victim in zip(KILLS_AFTER_ANSWERS, ("valkey-server", "server web"), strict=True):
        while tally.answers < threshold:
            await asyncio.sleep(0.05)
        server.kill_worker(victim)


async def run_sale(server: ServerProcess, tally: Tally, seed: int) -> None:
    dice = random.Random(seed)
    todo = [
        (f"buyer{b}", f"buyer{b}-{n}", dice.randint(1, 3))
        for b in range(BUYERS)
        for n in range(ATTEMPTS_PER_BUYER)
    ]
    dice.shuffle(todo)
    queue = iter(todo)

    async def work() -> None:
        for buyer, key, times in queue:
            caller = Caller(server.port, bearer(buyer, "viewer"))
            await attempt(caller, tally, buyer, key, times)
            caller.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_in_the_middle(server, tally))
        for _ in range(CALLERS):
            group.create_task(work())


@pytest.mark.slow
async def test_hundred_units_survive_the_loss_of_store_and_web_worker(sale: ServerProcess) -> None:
    creator = await open_show(sale)
    tally = Tally()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    await run_sale(sale, tally, seed)
    sale.wait_ready()

    print(
        f"answers {tally.answers}, unanswered {tally.unanswered}, "
        f"orders {len(tally.orders)}, refused {tally.refused}"
    )
    assert tally.contradictions == []
    assert tally.unanswered > 0, "nothing was killed while buyers waited: the test proves nothing"
    assert len(set(tally.orders.values())) == len(tally.orders), "two keys share an order"
    assert len(tally.orders) == UNITS
    assert len(set(tally.owners.values())) == UNITS, "per_viewer_max is 1"

    creator.close()
    status, show = await creator.call("GET", f"/api/v1/shows/{SHOW}")
    creator.close()
    assert status == 200
    (product,) = show["products"]
    assert (product["left"], product["held"] + product["sold"]) == (0, UNITS)
    for key, order in tally.orders.items():
        buyer = Caller(sale.port, bearer(tally.owners[key], "viewer"))
        status, body = await buyer.call("GET", f"/api/v1/shows/{SHOW}/orders/{order}")
        buyer.close()
        assert (status, body["state"], body["sku"], body["unit_price_minor"]) == (
            200,
            "held",
            SKU,
            PRICE_MINOR,
        )
    prove(sale)


def prove(server: ServerProcess) -> None:
    """The log, exported while the sale runs, passes `vendue verify` with the key that is published."""
    export, key = server.data_dir / "export.ndjson", server.data_dir / "public.pem"
    vendue = [sys.executable, "-m", "server"]
    export.write_bytes(
        subprocess.run(
            [*vendue, "export", SHOW, "--data-dir", str(server.data_dir)],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
    )
    key.write_bytes(urllib.request.urlopen(f"{server.url}/.well-known/vendue-seal-key", timeout=10).read())
    done = subprocess.run(
        [*vendue, "verify", str(export), "--key", str(key)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    entries = export.read_bytes().count(b'"body":')
    assert f"{SHOW}: {entries} entries" in done.stdout
