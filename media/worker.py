"""The media process: one UDP port, one HTTP service, one event loop. It has no store and reads no settings.

`run_media` is the whole life of a worker; `MediaWorker` is its parts for those who own a loop already.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Generator
from pathlib import Path

import structlog
import uvicorn

from media.config import IceServer, MediaConfig
from media.events import Events
from media.memory import TRIM_AFTER_SETTLED, trimmer
from media.signalling import Signalling
from media.transport.relay import Relay
from media.transport.tcp import TcpPassages, tcp_listener
from media.transport.udp import open_socket

__all__ = ["IceServer", "MediaConfig", "MediaWorker", "run_media"]

STATE_INTERVAL_S = 1.0
STOP_TIMEOUT_S = 3
"""What open HTTP requests get at the end; none takes longer than a few milliseconds."""

log = structlog.get_logger("media")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process's signals belong to `run_media`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class MediaWorker:
    """A running worker: `start`, then `stop`, both from the loop that it runs on."""

    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        self._udp = open_socket(config.udp_host, config.udp_port, config.socket_buffer_bytes)
        self._http = _listen(config)
        self.udp_port: int = self._udp.getsockname()[1]
        self.http_port: int = 0 if config.socket_path else self._http.getsockname()[1]
        self._events = Events(self._state)
        hosts = config.public_ips or (_own_address(config.udp_host),)
        self._tcp = _tcp_passages(config, self._udp)
        self._relay = Relay(config, self._udp, hosts, self._events.emit, self._tcp)
        signalling = Signalling(config, self._relay, self._events, self.status)
        self._server = _Server(
            uvicorn.Config(
                signalling.app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=STOP_TIMEOUT_S,
            )
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve both ports; returns when the HTTP service accepts."""
        self._relay.start(asyncio.get_running_loop())
        if self._tcp is not None:
            await self._tcp.start()
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets=[self._http]), name="media-http"),
            asyncio.create_task(self._every_second(), name="media-state"),
        ]
        while not self._server.started:
            if self._tasks[0].done():
                await self._tasks[0]
            await asyncio.sleep(0.005)
        log.info("media_ready", worker=self._config.index, udp_port=self.udp_port)

    async def wait(self) -> None:
        """Until a part of the worker ends by itself, which is a failure and raises."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a part of the media worker ended by itself")

    async def stop(self) -> None:
        """Say goodbye to every peer, end the streams, close the ports."""
        self._relay.stop()
        if self._tcp is not None:
            self._tcp.stop()
        self._events.close()
        self._server.should_exit = True
        if self._tasks:
            self._tasks[1].cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._http.close()
        self._udp.close()
        _unlink(self._config.socket_path)

    async def _every_second(self) -> None:
        trim, trimmed_at = trimmer(), 0
        while True:
            await asyncio.sleep(STATE_INTERVAL_S)
            self._events.emit_state()
            settled = self._relay.counters().get("settled", 0)
            if settled - trimmed_at >= TRIM_AFTER_SETTLED:
                trim()
                trimmed_at = settled

    def _state(self) -> dict[str, object]:
        return {"type": "state", "shows": self._relay.publications()}

    def status(self) -> dict[str, object]:
        """What GET /health tells: the ports and how many peers there are."""
        gauges = self._relay.gauges()
        return {"status": "ok", "worker": self._config.index, "udp_port": self.udp_port, **gauges}


async def run_media(config: MediaConfig) -> None:
    """Run a worker until SIGTERM or SIGINT, then stop gracefully. OSError when a port cannot be had."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker = MediaWorker(config)
    await worker.start()
    # What exists now lives for ever: the collector need not walk it while packets wait.
    gc.collect()
    gc.freeze()
    waits = [asyncio.create_task(stopping.wait()), asyncio.create_task(worker.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if waits[1].done():
            waits[1].result()
    finally:
        for task in waits:
            task.cancel()
        await worker.stop()
        log.info("media_stopped", worker=config.index)


def _listen(config: MediaConfig) -> socket.socket:
    """The HTTP service's socket; a unix socket is for this user alone."""
    if not config.socket_path:
        return tcp_listener(config.http_host, config.http_port, backlog=512)
    _unlink(config.socket_path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(config.socket_path)
    finally:
        os.umask(before)
    sock.listen(512)
    return sock


def _tcp_passages(config: MediaConfig, udp: socket.socket) -> TcpPassages | None:
    """The ICE-TCP port beside the UDP one, if it is wanted; OSError when it is taken."""
    if config.tcp_port is None:
        return None
    host, port = str(udp.getsockname()[0]), int(udp.getsockname()[1])
    listener = tcp_listener(host, config.tcp_port, backlog=128, dualstack_ipv6=host == "::")
    return TcpPassages(listener, ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port))


def _unlink(socket_path: str) -> None:
    if socket_path:
        Path(socket_path).unlink(missing_ok=True)


def _own_address(bound: str) -> str:
    """The address for candidates when none is configured: the bound one, or the one that packets leave by."""
    if bound not in ("", "0.0.0.0", "::"):
        return bound
    family, probe = (socket.AF_INET6, "2001:db8::1") if bound == "::" else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((probe, 9))  # chooses a route, sends nothing
            return str(sock.getsockname()[0])
        except OSError:
            return "::1" if bound == "::" else "127.0.0.1"
