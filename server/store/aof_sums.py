"""What the append-only file was: hashes of its files beside it, compared before the store starts.

Valkey notices a file that is cut within a command, or whose structure is broken. It does not notice a flipped
bit in a value (seven of eight single flips), nor a cut between two commands, which takes acknowledged orders
with it. So once a second the bytes that have been there for a second are hashed, and when the store has
stopped, the rest; `store.sums` has how many bytes of which file have which hash. What was written in the last
two seconds before a crash is not covered.

An operator who repairs a file on purpose removes `store.sums`.
"""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from server.telemetry import get_logger

LOOK_S: Final = 1.0
SUMS_FILE: Final = "store.sums"
READ_BYTES: Final = 1024 * 1024

log = get_logger(__name__)


class _File:
    """The hash of a file's first `length` bytes; it had `seen` bytes at the last look."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.length = self.seen = 0

    def extend(self, path: Path, upto: int) -> None:
        """Hash on, up to there or as far as the file reaches."""
        with path.open("rb") as file:
            file.seek(self.length)
            while self.length < upto and (block := file.read(min(READ_BYTES, upto - self.length))):
                self.hash.update(block)
                self.length += len(block)


class AofSums:
    """See the module. Methods block for as long as it takes to read what is new: call them in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self._dir, self._sums = data_dir / "appendonlydir", data_dir / SUMS_FILE
        self._files: dict[str, _File] = {}

    def check(self) -> Path | None:
        """The first file that is not what it was, or None. Call it before the store runs."""
        for name, (length, digest) in self._read().items():
            path = self._dir / name
            if not path.is_file():
                continue  # rewritten and deleted; a file that is missed, the store itself misses
            file = self._files[name] = _File()
            file.extend(path, length)
            if file.length < length or file.hash.hexdigest() != digest:
                return path
        return None

    def look(self, *, stopped: bool = False) -> None:
        """Take in what has been there since the last look; with `stopped`, all that is there."""
        before = {name: file.length for name, file in self._files.items()}
        paths = {path.name: path for path in self._dir.glob("appendonly.aof.*.*") if path.is_file()}
        self._files = {name: self._files.get(name) or _File() for name in paths}
        for name, file in self._files.items():
            size = paths[name].stat().st_size
            file.extend(paths[name], size if stopped else min(file.seen, size))
            file.seen = size
        if before != {name: file.length for name, file in self._files.items()}:
            self._write()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:  # a file that was just deleted, a disk that is full
                log.warning("aof_not_hashed", error=type(error).__name__)

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self._sums.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            log.warning("aof_sums_not_readable")
            return {}

    def _write(self) -> None:
        sums = {name: [file.length, file.hash.hexdigest()] for name, file in self._files.items()}
        fresh = self._sums.with_suffix(".new")
        fresh.write_text(json.dumps(sums))
        fresh.replace(self._sums)
