"""Keeps an installation running: the embedded store, the media workers, the web workers, in that order.

The supervisor binds the one TCP socket and hands it to every web worker, so that a worker can die and come
back while the kernel goes on queueing connections. A worker that dies is started again after a growing
pause; one that cannot stay up ends everything, because a loop of crashes helps nobody. Stopping runs the
other way round: web workers drain first, while media and store are still there.

It decides nothing about shows and opens no connection to the store.
"""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from server import telemetry
from server.children import Child, Command, stop_all
from server.listening import tcp_listener
from server.secret import with_secret
from server.settings import Settings
from server.settings_sections import UNIX_PATH_MAX_BYTES
from server.store.embedded import EmbeddedStore, EmbeddedStoreError

STOP_GRACE_S: Final = 5.0  # to end after the drain, before SIGKILL
SOCKET_NAME: Final = "media-99.sock"  # the longest
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = telemetry.get_logger(__name__)


class StartError(Exception):
    """The installation cannot start; the text is for the person who started it."""


class Supervisor:
    """One installation: `start`, then `failed.wait()`, then `stop` (also after a start that broke off)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.failed = asyncio.Event()
        self._store: EmbeddedStore | None = None
        self._listener: socket.socket | None = None
        self._run_dir: Path | None = None
        self._web: list[Child] = []
        self._media: list[Child] = []
        self._others: list[Child] = []

    async def start(self) -> None:
        """Start everything; `settings` is then complete. Raises SettingsError and StartError."""
        self.settings = with_secret(self.settings)
        self._listener = listen(self.settings.http.host, self.settings.http.port)
        port = self._listener.getsockname()[1]
        changes: dict[str, object] = {"http": self.settings.http.model_copy(update={"port": port})}
        if not self.settings.redis.url:
            self._store = EmbeddedStore(self.settings.data_dir, lambda: self._gave_up("store"))
            try:
                url = await self._store.start()
            except EmbeddedStoreError as error:
                raise StartError(str(error)) from None
            changes["redis"] = self.settings.redis.model_copy(update={"url": url})
            in_archive = {"dir": self.settings.archive_dir, "enabled": self.settings.archive.enabled}
            changes["archive"] = self.settings.archive.model_copy(update=in_archive)
        if self.settings.run_dir is None:
            self._run_dir = changes["run_dir"] = self._make_run_dir()
        self.settings = self.settings.model_copy(update=changes)
        self.settings.sockets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = self._listener.fileno()
        for index in range(self.settings.workers.media):
            self._media.append(
                self._keep("media", Command(("server", "media", FROM_PARENT), self.settings, index))
            )
        for index in range(self.settings.workers.web):
            command = Command(("server", "web", FROM_PARENT), self.settings, index, (fd,))
            self._web.append(self._keep("web", command))
        log.info(
            "serving", port=port, web=len(self._web), media=len(self._media), embedded=self._store is not None
        )

    def add(self, name: str, command: Command) -> None:
        """Keep one more process running until `stop`; it is stopped first."""
        self._others.append(self._keep(name, command))

    async def stop(self) -> None:
        """Stop all in order and remove what was made for this run; does nothing to what was not started."""
        await stop_all(self._others, STOP_GRACE_S)
        await stop_all(self._web, self.settings.workers.drain_s + STOP_GRACE_S)
        await stop_all(self._media, STOP_GRACE_S)
        if self._store is not None:
            await self._store.stop()
        if self._listener is not None:
            self._listener.close()
        if self._run_dir is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)

    def _make_run_dir(self) -> Path:
        """A directory for sockets, in `data_dir` when that is ours alone: the store holds a lock on it.

        There a killed supervisor leaves nothing that the next one would not use again.
        """
        inside = self.settings.data_dir.absolute() / "run"
        if self._store is None or len(os.fsencode(inside / SOCKET_NAME)) > UNIX_PATH_MAX_BYTES:
            return Path(tempfile.mkdtemp(prefix="vendue-run-"))
        inside.mkdir(mode=0o700, exist_ok=True)
        return inside

    def _keep(self, role: str, command: Command) -> Child:
        child = Child(f"{role}-{command.index}", command, self._gave_up)
        child.start()
        return child

    def _gave_up(self, name: str) -> None:
        log.error("worker_cannot_stay_up", child=name)
        self.failed.set()


FROM_PARENT: Final = "--from-parent"


def listen(host: str, port: int) -> socket.socket:
    """The listening TCP socket; raises StartError when the address cannot be had."""
    try:
        return tcp_listener(host, port)
    except OSError as error:
        raise StartError(f"cannot listen on http.host {host}, http.port {port}: {error.strerror}") from None


async def run(settings: Settings, then: Callable[[Supervisor], Awaitable[None]] | None = None) -> int:
    """Supervise until a stop signal (0) or until something cannot be kept up (1). `then` runs once started.

    Raises what `Supervisor.start` and `then` raise, after everything has been stopped.
    """
    supervisor = Supervisor(settings)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked.set)

    async def live() -> None:
        await supervisor.start()
        if then is not None:
            await then(supervisor)
        await asyncio.Event().wait()

    life = loop.create_task(live(), name="supervise")
    ends = [loop.create_task(event.wait()) for event in (asked, supervisor.failed)]
    try:
        await asyncio.wait({life, *ends}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (life, *ends):
            task.cancel()
        await asyncio.wait({life, *ends})
        await supervisor.stop()
    if not life.cancelled() and (failure := life.exception()) is not None:
        raise failure
    return 0 if asked.is_set() else 1
