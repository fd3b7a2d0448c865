"""Child processes that are kept running: started again when they die, stopped in order, never left behind.

A child gets its complete settings as JSON on standard input, so that all workers of an installation run on
the same ones and no secret stands in a command line or an environment.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from server import telemetry
from server.settings import Process, Settings

STEADY_AFTER_S: Final = 10.0  # a child that lived so long was not in a crash loop
GIVE_UP_AFTER: Final = 6  # deaths in a row without a steady life between them: about three seconds of pauses
PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
BAD_SETTINGS_EXIT: Final = 2  # the next start would read the same settings
SETTINGS_TIMEOUT_S: Final = 10.0
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

log = telemetry.get_logger(__name__)


@dataclass(slots=True)
class RestartPolicy:
    """How long to wait before a child is started again; pure."""

    deaths: int = 0

    def died(self, lived_s: float) -> float | None:
        """The pause in seconds before the next start, or None: give up."""
        self.deaths = 1 if lived_s >= STEADY_AFTER_S else self.deaths + 1
        if self.deaths >= GIVE_UP_AFTER:
            return None
        return min(PAUSE_FIRST_S * 2.0 ** (self.deaths - 1), PAUSE_MAX_S)


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: `python -m <words>` with `settings` on standard input and `fds` open in it."""

    words: tuple[str, ...]
    settings: Settings
    index: int = 0
    fds: tuple[int, ...] = ()

    def stdin(self, restarts: int) -> bytes:
        """The settings as the child reads them, telling it who it is."""
        process = Process(
            index=self.index,
            parent_pid=os.getpid(),
            listen_fd=self.fds[0] if self.fds else None,
            restarts=restarts,
        )
        return self.settings.model_copy(update={"process": process}).model_dump_json().encode()


@dataclass(slots=True)
class Child:
    """One process that is kept running until `stop`. `gave_up(name)` is called when it cannot be."""

    name: str
    command: Command
    gave_up: Callable[[str], None]
    restarts: int = 0
    _policy: RestartPolicy = field(default_factory=RestartPolicy)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _process: asyncio.subprocess.Process | None = None
    _keeper: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Start the process and keep it running, in a task that this object owns."""
        self._keeper = telemetry.start_task(self._keep(), f"keep {self.name}")

    async def stop(self, grace_s: float) -> None:
        """Ask the process to end, kill it after `grace_s`, and return when it is gone."""
        self._stop.set()
        self._signal(signal.SIGTERM)
        if self._keeper is None:
            return
        done, _ = await asyncio.wait({self._keeper}, timeout=grace_s)
        if not done:
            log.warning("worker_killed", child=self.name, after_s=grace_s)
            self._signal(signal.SIGKILL)
            await self._keeper

    async def _keep(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            exit_code = await self._run_once()
            if self._stop.is_set():
                return
            pause_s = (
                None if exit_code == BAD_SETTINGS_EXIT else self._policy.died(time.monotonic() - started)
            )
            log.error("worker_died", child=self.name, exit_code=exit_code, restart_in_s=pause_s)
            if pause_s is None:
                self.gave_up(self.name)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stop.wait()
            self.restarts += 1

    async def _run_once(self) -> int | None:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self.command.words,
                stdin=asyncio.subprocess.PIPE,
                pass_fds=self.command.fds,
                process_group=0,  # Ctrl-C in a terminal is for the supervisor alone, which stops in order
            )
        except OSError as error:  # no memory, too many processes
            log.error("worker_not_started", child=self.name, reason=error.strerror)
            return None
        self._process = process
        if self._stop.is_set():  # asked while the process was being made
            self._signal(signal.SIGTERM)
        log.info("worker_started", child=self.name, pid=process.pid, restarts=self.restarts)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(self.command.stdin(self.restarts))
                await process.stdin.drain()
            process.stdin.close()
        return await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def stop_all(children: Sequence[Child], grace_s: float) -> None:
    """Stop `children` side by side."""
    await asyncio.gather(*(child.stop(grace_s) for child in children))


def raise_open_files() -> int:
    """Allow this process as many open files as it may have: a socket is one, and 1,024 are soon used up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def receive_settings() -> Settings:
    """In a child: the settings that its parent wrote to standard input; ties its life to the parent's."""
    settings = Settings.model_validate_json(sys.stdin.buffer.read())
    if settings.process.parent_pid is not None:
        die_with(settings.process.parent_pid)
    return settings


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however it dies (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the kernel was told
        os._exit(1)
