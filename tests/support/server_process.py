"""Runs the real `vendue` command as a child, the way a person would, and finds its workers to kill them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

READY_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20.0


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that was free a moment ago on loopback."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> dict[int, str]:
    """pid → command line of every living process below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found: dict[int, str] = {}
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        for child in frontier:
            with contextlib.suppress(OSError):
                found[child] = (
                    Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                )
    return found


class ServerProcess:
    """`vendue <args>` with its own data directory and ports; a context manager that stops what it started."""

    def __init__(self, data_dir: Path, args: list[str], settings: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.args = args
        self._env = {
            **os.environ,
            "VENDUE_HTTP__HOST": "127.0.0.1",
            "VENDUE_HTTP__PORT": str(self.port),
            "VENDUE_UDP__HOST": "127.0.0.1",
            "VENDUE_UDP__PORT": str(free_port(socket.SOCK_DGRAM)),
            "VENDUE_DATA_DIR": str(data_dir),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server", *self.args], env=self._env, stdout=log, stderr=log
            )
        self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns once /readyz answers 200; raises with the log's tail otherwise."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with (
                contextlib.suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"the server did not get ready:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )

    def workers(self, word: str) -> list[int]:
        """Pids of the children whose command line has `word`."""
        return sorted(pid for pid, command in descendants(self.pid).items() if word in command)

    def kill_worker(self, word: str) -> int:
        """SIGKILL to the one child whose command line has `word`; its pid."""
        (pid, *_) = self.workers(word)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code; a server that does not stop in time fails the test."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not stop in {STOP_TIMEOUT_S} s:\n{self.tail()}") from None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            if self._process is not None:
                self._process.terminate()
                self._process.wait(STOP_TIMEOUT_S)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
