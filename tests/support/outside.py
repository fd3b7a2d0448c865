"""Other people's programs as peers: children that end with the test, and a loud word when one is missing."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NoReturn

import pytest

STOP_TIMEOUT_S = 5.0


def missing(what: str, remedy: str) -> NoReturn:
    """Skip this test, saying what was not checked and how it could be."""
    pytest.skip(f"NOT CHECKED: {what} is not there ({remedy})")


class Program:
    """A running child; what it writes is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def read(self) -> None:
        """Collect its output until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    async def says(self, word: str, timeout_s: float = 20.0) -> str:
        """The first line with the word; fails with everything that was said when it does not come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    for line in self.lines:
                        if word in line:
                            return line
                    if self.process.returncode is not None:
                        break
                    await asyncio.sleep(0.05)
        raise AssertionError(f"no {word!r} in:\n" + "\n".join(self.lines[-40:]))


@contextlib.asynccontextmanager
async def program(*command: str | Path, cwd: Path | None = None) -> AsyncGenerator[Program]:
    """Run a command; terminate it in the end."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
    )
    running = Program(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading
