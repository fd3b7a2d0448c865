"""A rush on a shop over HTTP: purchases sent again until they are answered, and what their buyers saw."""

import asyncio
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.http_client import Caller, Unanswered
from support.server_process import ServerProcess

from server import tokens

SHOW, SKU, PRICE_MINOR = "drop", "mug", 3_600
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
SETTINGS = {
    "VENDUE_AUTH__SECRET": SECRET,
    "VENDUE_PAYMENTS__GATEWAY": "test",
    "VENDUE_PAYMENTS__TEST_MODE": "true",
    "VENDUE_LIMITS__EXEMPT_LOOPBACK": "true",
}
ORDERS = f"/api/v1/shows/{SHOW}/orders"
MAX_TRIES = 120
RETRY_S = 0.25


@dataclass
class Tally:
    """What the buyers saw, by idempotency key."""

    answers: int = 0
    orders: dict[str, str] = field(default_factory=dict[str, str])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    contradictions: list[str] = field(default_factory=list[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    unanswered: int = 0

    def note(self, key: str, buyer: str, status: int, body: dict[str, Any]) -> None:
        """An answer to a purchase: the same key gives the same order for ever."""
        self.answers += 1
        if status in (200, 201):
            if self.orders.setdefault(key, body["id"]) != body["id"]:
                self.contradictions.append(f"{key}: two orders")
            self.owners[key] = buyer
            return
        self.refused[f"{status} {body.get('code')}"] += 1
        if key in self.orders:
            self.contradictions.append(f"{key}: {status} {body.get('code')} after a 201")


def bearer(subject: str, role: str) -> str:
    """A token that outlives the test."""
    now_ms = int(time.time() * 1000)
    return tokens.issue(SECRET, subject=subject, role=role, show=None, ttl_s=7_200, now_ms=now_ms)


async def open_show(server: ServerProcess, product: dict[str, Any]) -> Caller:
    """A live show of one product; its creator."""
    creator = Caller(server.port, bearer("creator", "creator"))
    show = {"id": SHOW, "title": "Drop", "currency": "USD"}
    product = {"title": "Mug", "price_minor": PRICE_MINOR, **product}
    for method, path, body, wanted in (
        ("POST", "/api/v1/shows", show, 201),
        ("PUT", f"/api/v1/shows/{SHOW}/products/{SKU}", product, 201),
        ("POST", f"/api/v1/shows/{SHOW}/start", {}, 200),
    ):
        status, answer = await creator.call(method, path, body, path)
        assert status == wanted, answer
    return creator


async def insist(
    caller: Caller, tally: Tally, path: str, body: object, key: str
) -> tuple[int, dict[str, Any]]:
    """Send a request until it has an answer that is not the server's fault."""
    for _ in range(MAX_TRIES):
        try:
            status, answer = await caller.call("POST", path, body, key)
        except Unanswered:
            tally.unanswered += 1
        else:
            if status < 500:
                return status, answer
            tally.refused[f"{status} {answer.get('code')}"] += 1
        await asyncio.sleep(RETRY_S)
    raise AssertionError(f"{key} never got an answer")


async def purchase(caller: Caller, tally: Tally, buyer: str, key: str, quantity: int = 1) -> str | None:
    """One purchase, until it is answered; the order's id, None when it was refused."""
    body = {"sku": SKU, "quantity": quantity, "price_minor": PRICE_MINOR}
    status, answer = await insist(caller, tally, ORDERS, body, key)
    tally.note(key, buyer, status, answer)
    return answer["id"] if status in (200, 201) else None


def prove(server: ServerProcess, timeout_s: float = 60) -> Path:
    """The log, exported while the server runs, passes `vendue verify` with the key that is published.
    Returns the export.
    """
    export, key = server.data_dir / "export.ndjson", server.data_dir / "public.pem"
    vendue = [sys.executable, "-m", "server"]
    with export.open("wb") as file:
        command = [*vendue, "export", SHOW, "--data-dir", str(server.data_dir)]
        subprocess.run(command, stdout=file, check=True, timeout=timeout_s)
    key.write_bytes(urllib.request.urlopen(f"{server.url}/.well-known/vendue-seal-key", timeout=10).read())
    command = [*vendue, "verify", str(export), "--key", str(key)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stderr
    with export.open("rb") as file:
        entries = sum(b'"body":' in line for line in file)
    assert f"{SHOW}: {entries} entries" in done.stdout
    return export


async def kill_at(server: ServerProcess, tally: Tally, victims: Sequence[tuple[int, str]]) -> None:
    """Each (answers, command line): SIGKILL to that child once so many answers are in."""
    for threshold, victim in victims:
        while tally.answers < threshold:
            await asyncio.sleep(0.05)
        server.kill_worker(victim)
