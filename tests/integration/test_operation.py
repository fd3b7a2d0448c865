"""The `vendue` command as a person or an init system runs it: start, die in parts, drain, leave nothing."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.demo import Demo
from support.http_client import Caller, Unanswered
from support.server_process import ServerProcess, descendants, free_port
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SECRET = "a-secret-of-at-least-thirty-two-bytes!"
WAIT_S = 30.0
PARTS = ("valkey-server", "server web", "server media", "server.synthetic")
ADDRESS_OR_TOKEN = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|eyJ[\w-]{5,}\.")


async def until(ask: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Ask four times a second until the answer is true; a server that is away counts as false."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            if answer := await ask():
                return answer
        except Unanswered:
            pass
        await asyncio.sleep(0.25)
    raise AssertionError(f"not within {WAIT_S} s: {what}")


async def call(demo: Demo, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """One call as the creator, on a connection of its own: the server comes and goes in these tests."""
    caller = demo.creator()
    try:
        return await caller.call(method, path, body)
    finally:
        caller.close()


async def publisher(demo: Demo) -> dict[str, Any] | None:
    """The health of the synthetic creator's publication, once its video flows."""
    status, health = await call(demo, "GET", "/api/v1/shows/demo/health")
    there = health["publisher"] if status == 200 else None
    return there if there and there["bitrate_bps"] > 1_000_000 else None


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def demo(tmp_path: Path, cache: Path) -> Iterator[Demo]:
    """`vendue demo` that keeps its log at info, in a private TMPDIR."""
    (tmp_path / "tmp").mkdir()
    settings = {"TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(cache), "VENDUE_LOG__LEVEL": "info"}
    data_dir = tmp_path / "data"
    server = ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)], settings)
    with server:
        yield Demo(server)


async def readiness(port: int) -> tuple[int, Any]:
    caller = Caller(port, "")
    try:
        return await caller.call("GET", "/readyz")
    finally:
        caller.close()


async def ready(port: int) -> bool:
    return (await readiness(port))[0] == 200


async def missing(port: int, part: str) -> bool:
    status, body = await readiness(port)
    return status == 503 and part in json.dumps(body)


def left_behind(pids: dict[int, str]) -> dict[int, str]:
    """Those of `pids` that still run, a few seconds being given to die."""
    end = time.monotonic() + 5.0
    while (alive := {pid: what for pid, what in pids.items() if Path(f"/proc/{pid}").exists()}) and (
        time.monotonic() < end
    ):
        time.sleep(0.05)
    return alive


async def test_demo_publishes_and_leaves_nothing(demo: Demo, tmp_path: Path) -> None:
    assert set(demo.links) == {"watch", "studio", "moderate"}
    there = await until(lambda: publisher(demo), "the synthetic creator")
    assert there["codec"].lower().endswith("h264")
    status, show = await call(demo, "GET", "/api/v1/shows/demo")
    assert (status, show["state"], show["pin"], len(show["products"])) == (200, "live", "dune", 6)

    children = descendants(demo.server.pid)
    for part in PARTS:
        assert any(part in command for command in children.values()), part
    assert demo.server.stop(signal.SIGINT) == 0
    assert left_behind(children) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_logs_carry_no_address_and_no_token(demo: Demo) -> None:
    await until(lambda: publisher(demo), "the synthetic creator")
    demo.server.stop()
    lines = [line for line in demo.server.tail(10_000).splitlines() if line.startswith("{")]
    assert any(json.loads(line)["event"] == "published" for line in lines)
    assert [line for line in lines if ADDRESS_OR_TOKEN.search(line)] == []


@pytest.mark.slow
async def test_every_part_comes_back_after_kill_9(demo: Demo) -> None:
    await until(lambda: publisher(demo), "the synthetic creator")
    for word in PARTS:
        killed = demo.server.kill_worker(word)
        await until(lambda word=word, killed=killed: _replaced(demo, word, killed), f"another {word}")
        demo.server.wait_ready()
        await until(lambda: publisher(demo), f"video after {word} died")
    status, show = await call(demo, "GET", "/api/v1/shows/demo")
    assert (status, show["pin"], len(show["products"])) == (200, "dune", 6)


async def _replaced(demo: Demo, word: str, killed: int) -> bool:
    return bool(set(demo.server.workers(word)) - {killed})


async def test_children_die_with_the_supervisor(demo: Demo, tmp_path: Path) -> None:
    children = descendants(demo.server.pid)
    assert len(children) >= 3
    os.kill(demo.server.pid, signal.SIGKILL)
    assert left_behind(children) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_sigterm_drains(demo: Demo) -> None:
    status, ticket = await call(demo, "POST", "/api/v1/shows/demo/ticket", {})
    assert status == 201
    subprotocols = [Subprotocol("vendue.v1"), Subprotocol(f"ticket.{ticket['ticket']}")]
    url = f"ws://127.0.0.1:{demo.server.port}/ws/demo"
    async with connect(url, subprotocols=subprotocols, proxy=None) as updates:
        assert json.loads(await updates.recv())["type"] == "hello"
        os.kill(demo.server.pid, signal.SIGTERM)
        assert "drain" in await types_until_closed(updates)
    assert updates.close_code == 1012
    assert await asyncio.to_thread(demo.server.stop) == 0


async def types_until_closed(updates: ClientConnection) -> list[str]:
    types: list[str] = []
    while True:
        try:
            types.append(json.loads(await updates.recv())["type"])
        except ConnectionClosed:
            return types


async def test_a_demo_with_a_data_directory_goes_on(demo: Demo) -> None:
    status, _ = await call(demo, "PUT", "/api/v1/shows/demo/pin", {"sku": "mug"})
    assert status == 200
    exported = export(demo.server.data_dir)
    assert exported[-1]["kind"] == "seal"
    running = [entry for entry in exported if entry["kind"] != "seal"]
    assert [entry["seq"] for entry in running] == list(range(1, len(running) + 1))
    assert running[-1]["kind"] == "product.pinned"

    assert await asyncio.to_thread(demo.server.stop) == 0
    stopped = export(demo.server.data_dir)
    assert stopped[: len(exported)] == exported
    await asyncio.to_thread(demo.server.start)
    _, show = await call(demo, "GET", "/api/v1/shows/demo")
    assert (show["pin"], show["state"], len(show["products"])) == ("mug", "live", 6)


def export(data_dir: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "server", "export", "demo", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_taken_port_is_1_and_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run(
            [sys.executable, "-m", "server", "demo", "--port", str(port)],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert str(port) in done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_cannot_stay_up_ends_serve_with_1(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "VENDUE_DATA_DIR": str(tmp_path / "data"),
        "VENDUE_HTTP__HOST": "127.0.0.1",
        "VENDUE_HTTP__PORT": str(free_port()),
        "VENDUE_UDP__HOST": "192.0.2.254",  # documentation address: nobody has it, so media cannot bind
        "VENDUE_PAYMENTS__TEST_MODE": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "server", "serve"], env=environ, capture_output=True, timeout=90, check=False
    )
    assert done.returncode == 1
    assert "media-0" in done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_roles_alone_on_an_outside_store(tmp_path: Path, store_url: str) -> None:
    """`vendue media` and `vendue web` as containers run them, each under another supervisor than ours."""
    port = free_port()
    environ = {
        **os.environ,
        "VENDUE_REDIS__URL": store_url,
        "VENDUE_AUTH__SECRET": SECRET,
        "VENDUE_RUN_DIR": str(tmp_path / "run"),
        "VENDUE_DATA_DIR": str(tmp_path / "data"),
        "VENDUE_HTTP__HOST": "127.0.0.1",
        "VENDUE_HTTP__PORT": str(port),
        "VENDUE_UDP__HOST": "127.0.0.1",
        "VENDUE_UDP__PORT": "0",
        "VENDUE_PAYMENTS__TEST_MODE": "true",
    }
    log = (tmp_path / "log").open("wb")
    with log:
        roles = {
            role: subprocess.Popen([sys.executable, "-m", "server", role], env=environ, stderr=log)
            for role in ("media", "web")
        }
        try:
            await until(lambda: ready(port), "both roles")
            roles["media"].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(roles["media"].wait, 15) == 0
            await until(lambda: missing(port, "media"), "/readyz names media")
            roles["web"].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(roles["web"].wait, 15) == 0
        finally:
            for process in roles.values():
                process.kill()
                process.wait()
    kept = [path.name for path in (tmp_path / "data").iterdir()]
    assert kept == ["seal.key"]  # no signing key, no store
