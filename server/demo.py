"""`vendue demo`: a whole installation on loopback, with a live show that nobody has to set up.

It starts the same supervisor as `vendue serve` and then only uses the public interface: it creates the show
and its products over HTTP, and a synthetic creator publishes over WHIP. Three links are printed; the tokens
stand in their fragments, which no server and no log ever sees.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server import telemetry, tokens
from server.api_client import Answer, ApiClient, Unreachable, reachable_host
from server.children import Command
from server.settings import Settings, load
from server.supervisor import StartError, Supervisor, run
from server.synthetic import SUBJECT, look

SHOW: Final = "demo"
TITLE: Final = "Autumn kiln drop"
READY_TIMEOUT_S: Final = 30.0
VIDEO_TIMEOUT_S: Final = 10.0
LINK_TTL_S: Final = 86_400  # a demo that is left open over night still works in the morning
DEFAULTS: Final[dict[str, Any]] = {
    "http": {"host": "127.0.0.1"},
    "udp": {"host": "127.0.0.1", "port": 0},
    "payments": {"gateway": "test", "test_mode": True},
    "limits": {"exempt_loopback": True},
    "workers": {"drain_s": 1.0},
    "log": {"level": "warning"},
}


@dataclass(frozen=True, slots=True)
class Ware:
    """One product of the demo show."""

    sku: str
    title: str
    price_minor: int
    stock: int
    per_viewer_max: int
    floor_minor: int


WARES: Final = (
    Ware("dune", "Dune pour-over set", 3600, 60, 2, 2400),
    Ware("mug", "Tide mug", 1800, 140, 6, 900),
    Ware("vase", "Ember vase", 6400, 12, 1, 4000),
    Ware("plates", "Salt plates", 5200, 35, 2, 3000),
    Ware("planter", "Moss planter", 2900, 48, 4, 1500),
    Ware("teapot", "Cinder teapot", 7200, 9, 1, 4500),
)


async def run_demo(port: int | None, data_dir: Path | None) -> int:
    """Run the demo until a stop signal; the exit code. Raises SettingsError and StartError."""
    overrides: dict[str, Any] = {}
    if port is not None:
        overrides["http"] = {"port": port}
    if data_dir is not None:
        overrides["data_dir"] = data_dir
    temporary: str | None = None
    if data_dir is None and "VENDUE_DATA_DIR" not in os.environ:
        temporary = tempfile.mkdtemp(prefix="vendue-demo-")
        overrides["data_dir"] = Path(temporary)
    try:
        settings = load(overrides=overrides, defaults=DEFAULTS, serving=True)
        telemetry.configure("demo", settings.log.level)
        return await run(settings, _furnish)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


async def _furnish(supervisor: Supervisor) -> None:
    settings = supervisor.settings
    host = reachable_host(settings.http.host)
    api = ApiClient(host, settings.http.port, lambda: _token(settings, SUBJECT, "creator", None, 60))
    await _wait_ready(api)
    show = await asyncio.to_thread(open_show, api)
    supervisor.add("creator", Command(("server.synthetic", show), settings))
    await _wait_video(api, show)
    _print_links(settings, show)


async def _wait_ready(api: ApiClient) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    reason = ""
    while time.monotonic() < until:
        try:
            answer = await asyncio.to_thread(api.call, "GET", "/readyz")
        except Unreachable as error:
            reason = str(error)
        else:
            if answer.status == 200:
                return
            reason = answer.body.decode(errors="replace")
        await asyncio.sleep(0.05)
    raise StartError(f"not ready after {READY_TIMEOUT_S:.0f} s: {reason}")


async def _wait_video(api: ApiClient, show: str) -> None:
    """Until there is a picture behind the links, but not for ever: the first run encodes the clip."""
    until = time.monotonic() + VIDEO_TIMEOUT_S
    while time.monotonic() < until:
        if (await look(api, show)).publication is not None:
            return
        await asyncio.sleep(0.1)


def open_show(api: ApiClient) -> str:
    """Have a live demo show with its products and one pinned, new or left from an earlier run; its id.

    A show that has ended stays as it is, and the next number is taken.
    """
    for number in range(1, 100):
        show = SHOW if number == 1 else f"{SHOW}-{number}"
        body = {"id": show, "title": TITLE, "currency": "USD", "guests": "buy"}
        created = api.call("POST", "/api/v1/shows", body, key=f"{show}-create")
        snapshot = _expect(api.call("GET", f"/api/v1/shows/{show}"), 200).json()
        if snapshot["state"] == "ended":
            continue
        if created.status not in (200, 201, 409):
            _expect(created, 201)
        _fill(api, f"/api/v1/shows/{show}", snapshot)
        return show
    raise StartError("a hundred demo shows have ended in this data directory; take another one")


def _fill(api: ApiClient, base: str, snapshot: dict[str, Any]) -> None:
    there = {product["sku"] for product in snapshot["products"]}
    for number, ware in enumerate(WARES, 1):
        if ware.sku in there:
            continue
        product = {
            "title": ware.title,
            "price_minor": ware.price_minor,
            "stock": ware.stock,
            "per_viewer_max": ware.per_viewer_max,
            "floor_minor": ware.floor_minor,
            "image_url": f"/static/assets/p{number}.svg",
        }
        _expect(api.call("PUT", f"{base}/products/{ware.sku}", product), 200, 201)
    match snapshot["state"]:
        case "scheduled":
            _expect(api.call("POST", f"{base}/start", key=secrets.token_hex(8)), 200)
        case "paused":
            _expect(api.call("POST", f"{base}/resume", key=secrets.token_hex(8)), 200)
        case _:
            pass
    if snapshot["pin"] is None:
        _expect(api.call("PUT", f"{base}/pin", {"sku": WARES[0].sku}), 200)


def _expect(answer: Answer, *statuses: int) -> Answer:
    if answer.status not in statuses:
        raise StartError(
            f"the demo show cannot be made: {answer.status} {answer.body.decode(errors='replace')}"
        )
    return answer


def _token(settings: Settings, subject: str, role: str, show: str | None, ttl_s: int) -> str:
    now_ms = time.time_ns() // 1_000_000
    return tokens.issue(
        settings.auth.secret, subject=subject, role=role, show=show, ttl_s=ttl_s, now_ms=now_ms
    )


def _print_links(settings: Settings, show: str) -> None:
    host = reachable_host(settings.http.host)
    host = f"[{host}]" if ":" in host else host
    base = settings.http.public_url or f"http://{host}:{settings.http.port}"
    creator = _token(settings, SUBJECT, "creator", show, LINK_TTL_S)
    moderator = _token(settings, "moderator", "moderator", show, LINK_TTL_S)
    print(
        f"\nA live show with a synthetic creator is on.\n\n"
        f"  Watch and buy      {base}/watch/{show}\n"
        f"  Go live yourself   {base}/studio/{show}#token={creator}\n"
        f"  Moderate           {base}/moderate/{show}#token={moderator}\n\n"
        f"Ctrl-C stops everything.\n",
        flush=True,
    )
