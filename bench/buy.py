"""Purchases over HTTP: how many a second one web worker takes, as a ratio to its own empty route.

python bench/buy.py [--rounds 5] [--seconds 3] [--connections 256]

Every purchase is a real one: bearer, rate limits, decoding, one script, a log entry, `appendfsync always`; a
new idempotency key each time, 500 buyers in turn. Two yardsticks answer as many bytes to the same request, in
the same process behind the same server, in alternating rounds of the same run: `bare`, an ASGI callable in
front of everything, and `empty`, the same as the only route of the application's own edge. `wrk` makes the
load where it is installed, else a small client here. Prints one JSON line: medians, and the ratios of answers
a second and of CPU an answer.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvloop
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from support.http_client import Caller  # noqa: E402

from server import settings as server_settings  # noqa: E402
from server import telemetry, tokens  # noqa: E402 - the checkout is on the path only from here on
from server.app import web_worker  # noqa: E402
from server.listening import tcp_listener  # noqa: E402
from server.routes.edge import Edge  # noqa: E402
from server.store.embedded import EmbeddedStore  # noqa: E402
from server.web import WebServer, settle_memory  # noqa: E402

SHOW, SKU, PRICE_MINOR = "bench", "mug", 3_600
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
BUYERS = 500
ORDER = json.dumps({"sku": SKU, "quantity": 1, "price_minor": PRICE_MINOR})
BUY_PATH, BARE_PATH, EMPTY_PATH = f"/api/v1/shows/{SHOW}/orders", "/bare", "/empty"
EMPTY_BODY = b'"%s"' % (b"x" * 558)  # about an order

LUA = """
local tokens = {%(tokens)s}
local n, run = 0, "%(run)s"
function request()
  n = n + 1
  wrk.headers["Authorization"] = "Bearer " .. tokens[n %% #tokens + 1]
  wrk.headers["Idempotency-Key"] = run .. n
  return wrk.format()
end
wrk.method, wrk.path, wrk.body = "POST", "%(path)s", '%(body)s'
wrk.headers["Content-Type"] = "application/json"
local bad = 0
function response(status) if status ~= %(status)d then bad = bad + 1; print("status " .. status) end end
"""


# The server under measurement, a process of its own.


class Empty:
    """Answers without a look at what was asked."""

    head: Final = [(b"content-type", b"application/json"), (b"content-length", str(len(EMPTY_BODY)).encode())]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.head})
        await send({"type": "http.response.body", "body": EMPTY_BODY})


async def serve(url: str, listener: socket.socket) -> None:
    """A web worker with the yardsticks in front of it."""
    telemetry.configure("web", "warning")
    overrides = {
        "redis": {"url": url},
        "auth": {"secret": SECRET},
        "payments": {"test_mode": True},
        "limits": {"exempt_loopback": True},
    }
    async with web_worker(server_settings.load(None, overrides, environ={})) as worker:
        settle_memory()
        apps: dict[str, ASGIApp] = {BARE_PATH: Empty(), EMPTY_PATH: Edge([Route(EMPTY_PATH, Empty())])}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await apps.get(scope["path"], worker.app)(scope, receive, send)

        await WebServer(replace(worker, app=app), 1.0).serve([listener])


# The measurement.


class Load:
    """Answers a second and CPU an answer of one kind of request."""

    def __init__(self, path: str, status: int, body: str = ORDER) -> None:
        self.path, self.status, self.body = path, status, body
        self.per_s: list[float] = []
        self.cpu_us: list[float] = []

    def note(self, answers: int, seconds: float, cpu_s: float) -> None:
        self.per_s.append(answers / seconds)
        self.cpu_us.append(cpu_s / answers * 1e6)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_wrk(port: int, load: Load, bearers: list[str], options: argparse.Namespace, scratch: Path) -> int:
    """One round by wrk; the number of answers."""
    script = scratch / "round.lua"
    listed = ",".join(f'"{token}"' for token in bearers)
    run = f"{time.monotonic_ns():x}-"
    script.write_text(
        LUA % {"tokens": listed, "run": run, "path": load.path, "body": load.body, "status": load.status}
    )
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", str(script)]
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True
    ).stdout
    if bad := re.findall(r"^status \d+|Socket errors: (?!connect 0, read 0, write 0).*", out, re.MULTILINE):
        raise SystemExit(f"{load.path}: {len(bad)} wrong answers, first: {bad[0]}")
    found = re.search(r"(\d+) requests in", out)
    assert found is not None
    return int(found[1])


def request_of(path: str, bearer: str, key: str, body: str = ORDER) -> bytes:
    """A POST as it goes over the wire."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Pump(asyncio.Protocol):
    """One connection that asks again as soon as it has been answered."""

    def __init__(self, requests: Iterator[bytes], status: bytes) -> None:
        self._requests, self._status = requests, b"HTTP/1.1 " + status
        self.answers = 0
        self._rest = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head[head.index(b"content-length: ") + 16 :].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(self._status):
            raise SystemExit(f"wrong answer: {head!r}")
        self._rest = b""
        self.answers += 1
        self._transport.write(next(self._requests))


def run_pump(port: int, load: Load, bearers: list[str], options: argparse.Namespace) -> int:
    """One round by our own client; the number of answers."""
    run = f"{time.monotonic_ns():x}-"

    def requests() -> Iterator[bytes]:
        for number in itertools.count(1):
            yield request_of(load.path, bearers[number % len(bearers)], f"{run}{number}", load.body)

    async def pump() -> int:
        loop, made = asyncio.get_running_loop(), requests()
        pumps = [Pump(made, str(load.status).encode()) for _ in range(options.connections)]
        opened = [await loop.create_connection(lambda p=p: p, "127.0.0.1", port) for p in pumps]
        await asyncio.sleep(options.seconds)
        for transport, _ in opened:
            transport.abort()
        return sum(pump.answers for pump in pumps)

    return uvloop.run(pump())


async def prepare(port: int, **more_stock: int) -> list[str]:
    """Open the show that sells; the buyers' tokens. `more_stock`: further products, by sku."""

    def bearer(subject: str, role: str) -> str:
        return tokens.issue(SECRET, subject=subject, role=role, show=None, ttl_s=3_600)

    creator = Caller(port, bearer("creator", "creator"))
    product = {"title": "Mug", "price_minor": PRICE_MINOR, "stock": 10**9}
    for method, path, body in (
        ("POST", "/api/v1/shows", {"id": SHOW, "title": "Bench", "currency": "USD"}),
        ("PUT", f"/api/v1/shows/{SHOW}/products/{SKU}", product),
        *(
            ("PUT", f"/api/v1/shows/{SHOW}/products/{sku}", {**product, "stock": stock})
            for sku, stock in more_stock.items()
        ),
        ("POST", f"/api/v1/shows/{SHOW}/start", {}),
    ):
        status, answer = await creator.call(method, path, body)
        if status not in (200, 201):
            raise SystemExit(f"{path}: {status} {answer}")
    creator.close()
    return [bearer(f"buyer{n}", "viewer") for n in range(BUYERS)]


def measure(
    port: int, pid: int, bearers: list[str], options: argparse.Namespace, scratch: Path
) -> dict[str, Any]:
    """Alternate the loads; the medians."""
    bare, empty, buy = Load(BARE_PATH, 200), Load(EMPTY_PATH, 200), Load(BUY_PATH, 201)
    has_wrk = shutil.which("wrk") is not None and not options.own_client
    for number in range(options.rounds + 1):  # the first round warms up and is not counted
        for load in (bare, empty, buy):
            before, started = cpu_s(pid), time.monotonic()
            if has_wrk:
                answers = run_wrk(port, load, bearers, options, scratch)
            else:
                answers = run_pump(port, load, bearers, options)
            if number:
                load.note(answers, time.monotonic() - started, cpu_s(pid) - before)
    measured: dict[str, Any] = {"what": "purchases over HTTP beside an empty ASGI route, one web worker"}
    for name, load in (("purchase", buy), ("empty", empty), ("bare", bare)):
        measured[f"{name}_per_s"] = round(statistics.median(load.per_s))
        measured[f"{name}_cpu_us"] = round(statistics.median(load.cpu_us), 1)
    for name in ("empty", "bare"):
        rate = measured["purchase_per_s"] / measured[f"{name}_per_s"]
        cpu = measured[f"{name}_cpu_us"] / measured["purchase_cpu_us"]
        measured |= {f"rate_ratio_{name}": round(rate, 3), f"cpu_ratio_{name}": round(cpu, 3)}
    return {**measured, "client": "wrk" if has_wrk else "own", "rounds": options.rounds}


@contextlib.asynccontextmanager
async def running(scratch: Path, *python: str) -> AsyncGenerator[tuple[int, int]]:
    """A web worker with a store of its own: its port and pid. `python` goes before this file's name."""
    store = EmbeddedStore(scratch / "data")
    url = await store.start()
    listener = tcp_listener("127.0.0.1", 0)
    fd = listener.fileno()
    server = subprocess.Popen([sys.executable, *python, __file__, "--serve", url, str(fd)], pass_fds=[fd])
    try:
        yield int(listener.getsockname()[1]), server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)
        listener.close()
        await store.stop()


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--own-client", action="store_true", help="even where wrk is installed")
    parser.add_argument("--profile", help="write the server's cProfile to this file")
    parser.add_argument("--serve", nargs=2, metavar=("URL", "FD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    profile = ["-m", "cProfile", "-o", options.profile] if options.profile else []
    with tempfile.TemporaryDirectory(prefix="vendue-bench-") as scratch:
        async with running(Path(scratch), *profile) as (port, pid):
            bearers = await prepare(port)
            print(json.dumps(await asyncio.to_thread(measure, port, pid, bearers, options, Path(scratch))))
    return 0


if __name__ == "__main__":
    if "--serve" in sys.argv:
        redis_url, number = sys.argv[sys.argv.index("--serve") + 1 :]
        uvloop.run(serve(redis_url, socket.socket(fileno=int(number))))
        sys.exit(0)
    sys.exit(asyncio.run(main()))
