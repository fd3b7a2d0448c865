"""Media servers for the relay's bench: this one, and peers as yardsticks. Each runs alone.

A server is a context manager that gives a `Running`: the process whose CPU counts, and where the load
generator finds it. All listen on loopback only; what has to be built is built in a folder outside the tree.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from support.http_client import Caller  # noqa: E402
from support.server_process import ServerProcess, free_port  # noqa: E402

from server import tokens  # noqa: E402 - the checkout is on the path only from here on

SHOW = "bench"
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
SETTINGS = {
    "VENDUE_AUTH__SECRET": SECRET,
    "VENDUE_PAYMENTS__GATEWAY": "test",
    "VENDUE_PAYMENTS__TEST_MODE": "true",
    "VENDUE_LIMITS__EXEMPT_LOOPBACK": "true",
}
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
PEERS = HERE / "peers"
GO_SOURCES = Path("/usr/share/gocode")  # where Debian's golang-…-dev packages lie


class Missing(Exception):
    """The server cannot be had here; the message says what to install."""


class Running(NamedTuple):
    """A server that takes publishers and viewers; `arguments` are the load generator's."""

    pid: int
    arguments: tuple[str, ...]


Server = Callable[[Path], "contextlib.AbstractContextManager[Running]"]
"""Starts in the given empty folder; raises Missing."""


@contextlib.contextmanager
def vendue(scratch: Path) -> Generator[Running]:
    """`vendue serve` with one show; what counts is its media process, as media is all that the peers do."""
    now_ms = int(time.time() * 1000)
    token = tokens.issue(SECRET, subject="creator", role="creator", show=None, ttl_s=3_600, now_ms=now_ms)
    with ServerProcess(scratch / "data", ["serve"], SETTINGS) as server:
        asyncio.run(_open_show(server.port, token))
        (media,) = server.workers("server media")
        urls = ("--whip", f"{server.url}/whip/{SHOW}", "--whep", f"{server.url}/whep/{SHOW}")
        yield Running(media, (*urls, "--publish-header", f"Authorization: Bearer {token}"))


async def _open_show(port: int, token: str) -> None:
    creator = Caller(port, token)
    for path, body in (
        ("/api/v1/shows", {"id": SHOW, "title": "Bench", "currency": "USD"}),
        (f"/api/v1/shows/{SHOW}/start", {}),
    ):
        status, answer = await creator.call("POST", path, body, f"bench{path}")
        if status not in (200, 201):
            raise SystemExit(f"{path}: {status} {answer}")
    creator.close()


JANUS_CONFIG = {
    "janus.jcfg": """general: {{
  configs_folder = "{folder}"
  plugins_folder = "{library}/plugins"
  transports_folder = "{library}/transports"
  events_folder = "{library}/events"
  loggers_folder = "{library}/loggers"
  debug_level = 3
  admin_secret = "x"
  interface = "127.0.0.1"
  event_loops = 2
}}
media: {{ rtp_port_range = "20000-40000" }}
nat: {{ ice_enforce_list = "127.0.0.1" }}
plugins: {{ disable = "{disabled}" }}
transports: {{ disable = "{transports}" }}
events: {{ broadcast = false }}
""",
    "janus.transport.http.jcfg": """general: {{
  json = "compact"
  base_path = "/janus"
  http = true
  port = {port}
  ip = "127.0.0.1"
  https = false
}}
admin: {{ admin_http = false }}
""",
    "janus.plugin.videoroom.jcfg": "general: {{ }}\n",
}
JANUS_TRANSPORTS_UNUSED = "rabbitmq mqtt nanomsg pfunix websockets"
JANUS_PLUGINS_UNUSED = (
    "voicemail recordplay nosip sip textroom videocall audiobridge echotest streaming lua duktape"
)


@contextlib.contextmanager
def janus(scratch: Path) -> Generator[Running]:
    """Debian's Janus with two event loops, its video room as the relay."""
    libraries = [*Path("/usr/lib").glob("*/janus")]
    if shutil.which("janus") is None or not libraries:
        raise Missing("janus: apt-get install janus")
    port = free_port()
    values = {
        "folder": scratch,
        "library": libraries[0],
        "port": port,
        "disabled": _janus_files(JANUS_PLUGINS_UNUSED),
        "transports": _janus_files(JANUS_TRANSPORTS_UNUSED),
    }
    for name, text in JANUS_CONFIG.items():
        (scratch / name).write_text(text.format(**values))
    shim = scratch / "lo_shim.so"  # without it Janus does not take loopback as a candidate
    _run("gcc", "-shared", "-fPIC", "-o", str(shim), str(PEERS / "janus" / "lo_shim.c"), "-ldl")
    command = ["janus", "-F", str(scratch), "-o"]
    url = f"http://127.0.0.1:{port}/janus"
    with _process(command, scratch, {"LD_PRELOAD": str(shim)}, url + "/info") as pid:
        yield Running(pid, ("--janus", url))


def _janus_files(names: str) -> str:
    return ",".join(f"libjanus_{name}.so" for name in names.split())


@contextlib.contextmanager
def pion(scratch: Path) -> Generator[Running]:
    """A small SFU on pion's WebRTC for Go, one UDP port for all, its default interceptors."""
    if shutil.which("go") is None or not (GO_SOURCES / "src/github.com/pion/webrtc").exists():
        raise Missing("pion: apt-get install golang-go golang-github-pion-webrtc.v3-dev")
    source = scratch / "gopath" / "src" / "sfu"
    source.mkdir(parents=True)
    shutil.copy(PEERS / "pion" / "main.go", source)
    (source / "go.mod").write_text("module sfu\n\ngo 1.19\n")
    binary = scratch / "pion-sfu"
    environment = {"GO111MODULE": "off", "GOPATH": f"{scratch / 'gopath'}:{GO_SOURCES}", "GOFLAGS": ""}
    _run("go", "build", "-o", str(binary), ".", cwd=source, environment=environment)
    port = free_port()
    command = [str(binary), "-addr", f"127.0.0.1:{port}", "-mux", str(free_port(socket.SOCK_DGRAM))]
    url = f"http://127.0.0.1:{port}"
    with _process(command, scratch, {}, url) as pid:
        yield Running(pid, ("--whip", f"{url}/whip", "--whep", f"{url}/whep"))


@contextlib.contextmanager
def werift(scratch: Path) -> Generator[Running]:
    """A small SFU on werift, WebRTC in TypeScript, under node."""
    if shutil.which("npm") is None:
        raise Missing("werift: node and npm")
    for name in ("package.json", "sfu.mjs"):
        shutil.copy(PEERS / "werift" / name, scratch)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", cwd=scratch)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with _process(["node", "sfu.mjs", str(port)], scratch, {}, url) as pid:
        yield Running(pid, ("--whip", f"{url}/whip", "--whep", f"{url}/whep"))


def _run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Missing(f"{' '.join(command[:2])}: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def _process(command: list[str], scratch: Path, environment: dict[str, str], url: str) -> Generator[int]:
    """Run it until the block ends; begin once it answers HTTP, with whatever status."""
    with (scratch / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=scratch, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        _wait_for(url, process, command[0])
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", name: str) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Missing(f"{name} did not start")
