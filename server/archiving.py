"""Archiving a show: sealed entries become files, and only what a file surely has is trimmed from the store.

For each segment in turn: write the entries with their seals under another name, read it back through
`verify`, which also gives the state at its end, add that state's checkpoint, sync, give the file its name,
sync the directory, trim. A crash between any two of these loses nothing: what has no name is written again,
and what has a name but was not trimmed is read back before it is trimmed.
"""

import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.commerce.buyer_index import BuyerIndex
from server.log import checkpoints, reader
from server.log.archive import NAME, Archive, ArchiveError, ending
from server.log.checkpoints import Checkpoint
from server.log.sealer import newest_seal, read_seals
from server.log.seals import Seal
from server.settings_sections import Archive as Limits
from server.store.outcome import Refused
from server.store.store import Store
from server.telemetry import get_logger
from server.verify import state
from server.verify.chain import Broken, Sound, verify
from server.verify.replay import Replay

LOCK_NAME: Final = "lock"
PART: Final = ".part"
PAGE: Final = 500
TRIMMED_MAX: Final = 2_000  # entries that one script trims: 2 ms in which nobody buys
REPAIR_PAGES: Final = 1_000_000

log = get_logger(__name__)


@dataclass(frozen=True)
class _End:
    """Where a segment ends, and so the next one begins."""

    replay: Replay
    checkpoint: Checkpoint


class Archivist:
    """Archives the shows of one store into one directory. Raises ArchiveError, StoreError, OSError."""

    def __init__(self, store: Store, archive: Archive, key: Ed25519PrivateKey, segment_entries: int) -> None:
        self._store, self._archive, self._key = store, archive, key
        self._segment_entries = segment_entries

    async def archive(self, show: str, up_to: int) -> int:
        """Archive and trim sealed entries up to `up_to` at most. Returns up to where the archive goes now.

        When another process is at it, nothing is done.
        """
        async for _ in self.steps(show, up_to):
            pass
        return self._archive.last_seq(show)

    async def steps(self, show: str, up_to: int) -> AsyncGenerator[str]:
        """The same step by step, saying what has just been done."""
        directory = self._archive.of(show)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory / LOCK_NAME) as is_ours:
            if not is_ours:
                return
            for left in directory.glob("*" + PART):
                left.unlink()
            done, trimmed = self._archive.last_seq(show), await trimmed_seq(self._store, show)
            if done < trimmed:
                raise ArchiveError(
                    f"{directory} ends with entry {done}, but {trimmed} are gone from the store"
                )
            end = self._read_back(show) if done > trimmed else None
            yield "found"
            if end:
                await self._trim(show, done)
                yield "trimmed"
            while (last := await self._end_after(show, done, up_to)) > done:
                end = end or self._read_back(show)
                part = directory / (NAME.format(done + 1, last) + PART)
                async with contextlib.aclosing(self._write(show, part, end, last)) as writing:
                    async for step, made in writing:
                        end = made or end
                        yield step
                part.rename(part.with_suffix(""))
                yield "named"
                _sync(directory)
                yield "on disk"
                await self._trim(show, last)
                yield "trimmed"
                done = last

    async def _end_after(self, show: str, done: int, up_to: int) -> int:
        """Where the next segment ends: at a seal, after `segment_entries` at most."""
        newest = await newest_seal(self._store, show, min(up_to, done + self._segment_entries))
        return newest.seq if newest else 0

    def _read_back(self, show: str) -> "_End | None":
        """What the newest segment leads to; None without any. Raises ArchiveError when it is damaged."""
        found = self._archive.segments(show)
        if not found:
            return None
        sound = self._judged(found[-1].path)
        return _End(sound.replay, ending(found[-1].path)[1])

    async def _write(
        self, show: str, part: Path, before: "_End | None", last: int
    ) -> AsyncGenerator[tuple[str, "_End | None"]]:
        """Write a whole segment, after the one that ended with `before`."""
        with part.open("w+b") as file:
            if before:
                file.write(state.encode(before.replay) + b"\n")
                file.write(checkpoints.encode(before.checkpoint) + b"\n")
            yield "begun", None
            await self._copy(show, file, before.checkpoint.seq if before else 0, last)
            file.flush()
            yield "written", None
            sound = self._judged(part)
            if not isinstance(sound.newest, Seal) or sound.newest.seq != last:
                raise ArchiveError(f"{part} ends with entry {sound.newest.seq}, not with {last}")
            checkpoint = checkpoints.at(sound.newest, state.digest(sound.replay), self._key)
            file.write(checkpoints.encode(checkpoint) + b"\n")
            file.flush()
            yield "complete", None
            os.fsync(file.fileno())
            yield "synced", _End(sound.replay, checkpoint)

    def _judged(self, path: Path) -> Sound:
        """What a segment leads to, by `verify` and this installation's key. Raises ArchiveError."""
        with path.open("rb") as file:
            verdict = verify(file, self._key.public_key())
        if isinstance(verdict, Broken):
            raise ArchiveError(f"{path}: {verdict}")
        return verdict

    async def _copy(self, show: str, file: BinaryIO, seq: int, last: int) -> None:
        while seq < last:
            entries = await reader.entries(self._store, show, seq, min(PAGE, last - seq))
            sealed = dict(await read_seals(self._store, show, seq, PAGE))
            for entry in entries:
                file.write(entry.raw + b"\n")
                if seal := sealed.get(entry.seq):
                    file.write(seal + b"\n")
            if not entries or entries[0].seq != seq + 1:
                raise ArchiveError(f"{show}: entry {seq + 1} is missing in the store")
            seq = entries[-1].seq

    async def _trim(self, show: str, upto: int) -> None:
        """Trim what the newest segment ends with, once its buyers are in the index for good."""
        await BuyerIndex(self._store).repair(show, pages=REPAIR_PAGES)
        seal, _ = ending(self._archive.segments(show)[-1].path)
        trimmed = 0
        while trimmed < upto:
            outcome = await self._store.scripts.run("trim", show, "", "", upto, seal, TRIMMED_MAX)
            if isinstance(outcome, Refused):
                raise ArchiveError(f"{show}: the store has another seal of entry {upto} than the archive")
            trimmed = cast("int", outcome[1])
        log.info("log_archived", show=show, seq=upto)


@dataclass(frozen=True)
class Due:
    """A show with something to archive, and up to which entry."""

    show: str
    up_to: int


async def due(store: Store, show: str, limits: Limits, *, at_once: bool = False) -> Due | None:
    """What to archive of a show now.

    Of one that is over and has been quiet for `after_end_s`: all. Of another: whole segments, as far as
    `keep_entries` stay. With `at_once` neither waits to be whole nor to be quiet. Raises StoreError.
    """
    reply = await store.read_scripts.run("sealing", show, "", "")
    if isinstance(reply, Refused):
        return None
    _, ts, head, _, show_state = cast("tuple[bytes, int, int, bytes, bytes]", tuple(reply))
    trimmed = await trimmed_seq(store, show)
    last_ts = int(cast("bytes", await store.reads.call("HGET", f"ls:{{{show}}}:show", "last_ts")))
    if show_state == b"ended":
        is_quiet = at_once or ts - last_ts >= limits.after_end_s * 1000
        return Due(show, head) if is_quiet and head > trimmed else None
    more = head - limits.keep_entries - trimmed
    more -= 0 if at_once else more % limits.segment_entries
    return Due(show, trimmed + more) if more > 0 else None


async def trimmed_seq(store: Store, show: str) -> int:
    """Up to which entry a show's log is trimmed; 0: it is whole."""
    kept = cast("bytes | None", await store.reads.call("HGET", f"ls:{{{show}}}:show", "archived_seq"))
    return int(kept or 0)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Generator[bool]:
    """Whether this process is the one that archives this show; for as long as the block runs."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
