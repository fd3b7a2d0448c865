"""Archived segments: what was trimmed from a show's log, as files that verify by themselves.

A segment is `<dir>/<show>/<first seq>-<last seq>.ndjson`: entries and seals as in an export, then a
checkpoint. A later segment begins with the state at the checkpoint before it and that checkpoint. Segments
follow one another without a gap; a file that is being written has another name. Reading a place of a segment
looks at a few dozen places of the file, not at all of it. All of this blocks: call it in a thread.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from server.log import checkpoints, seals
from server.log.checkpoints import Checkpoint
from server.log.seals import LINE_START

TAIL_BYTES: Final = 65_536  # a seal of COVERED_MAX entries takes 8,400, a checkpoint 600
NAME: Final = "{:012d}-{:012d}.ndjson"  # sorts by name up to 10^12 entries
_NAME: Final = re.compile(r"(\d{12,16})-(\d{12,16})\.ndjson")
_ENTRY: Final = re.compile(rb'\{"seq":(\d{1,16}),')


class ArchiveError(Exception):
    """The archive lacks what was trimmed, or it is not readable here."""


@dataclass(frozen=True)
class Segment:
    """One file, which covers these entries."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True)
class Sealed:
    """Entries under one seal: the hash before them, their bytes, the seal's bytes."""

    before: bytes
    entries: tuple[bytes, ...]
    seal: bytes


class Archive:
    """The archive of an installation."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, show: str) -> Path:
        """The directory of one show."""
        return self._directory / show

    def segments(self, show: str) -> list[Segment]:
        """The show's segments in order, as far as they go from entry 1 without a gap. Raises ArchiveError."""
        found: list[Segment] = []
        try:
            paths = sorted(self.of(show).iterdir()) if self.of(show).is_dir() else []
        except OSError as error:
            raise ArchiveError(f"{self.of(show)}: {error.strerror}") from None
        for path in paths:
            if named := _NAME.fullmatch(path.name):
                first, last = int(named[1]), int(named[2])
                if first == (found[-1].last + 1 if found else 1) and first <= last:
                    found.append(Segment(path, first, last))
        return found

    def last_seq(self, show: str) -> int:
        """Up to which entry there are segments; 0: there are none."""
        found = self.segments(show)
        return found[-1].last if found else 0

    def entries(self, show: str, seqs: Sequence[int]) -> list[bytes]:
        """These entries' bytes, in that order. Raises ArchiveError when one is not there."""
        found = self.segments(show)
        return [self._sealed(found, show, seq).entries[-1] for seq in seqs]

    def sealed(self, show: str, seq: int) -> Sealed:
        """Entry `seq` as the last of `entries`, those before it under the same seal, and that seal.

        Raises ArchiveError.
        """
        return self._sealed(self.segments(show), show, seq)

    def lines(self, show: str, after_seq: int) -> Iterator[bytes]:
        """The lines of an export from the entry after `after_seq` on, as far as the archive goes."""
        for segment in self.segments(show):
            if segment.last > after_seq:
                with segment.path.open("rb") as file:
                    yield from _after(file, after_seq)

    def _sealed(self, segments: Sequence[Segment], show: str, seq: int) -> Sealed:
        at = next((i for i, each in enumerate(segments) if each.first <= seq <= each.last), None)
        if at is None:
            raise ArchiveError(f"entry {seq} of {show} is not in the archive")
        segment = segments[at]
        chained = bytes.fromhex(ending(segments[at - 1].path)[1].hash) if at else seals.genesis(show)
        entries: list[bytes] = []
        try:
            with segment.path.open("rb") as file:
                start = max(segment.first, seq - seals.COVERED_MAX)
                for line in _from(file, start, segment.path.stat().st_size):
                    if line.startswith(LINE_START):
                        seal = seals.decode(line[:-1])
                        if seal.seq >= seq:
                            return Sealed(chained, tuple(entries), line[:-1])
                        chained, entries = bytes.fromhex(seal.hash), []
                    elif (found := _seq(line)) is not None and found <= seq:
                        entries.append(line[:-1])
        except (OSError, seals.SealError) as error:
            raise ArchiveError(f"{segment.path}: {error}") from None
        raise ArchiveError(f"{segment.path} has no seal for entry {seq}")


def _after(file: BinaryIO, seq: int) -> Iterator[bytes]:
    """A segment from the first entry after `seq` on: without the state and checkpoint that it begins with."""
    begun = False
    for line in file:
        begun = begun or (_seq(line) or 0) > seq
        if begun:
            yield line


def _from(file: BinaryIO, seq: int, size: int) -> Iterator[bytes]:
    """The lines from entry `seq` on, after some seals: found by halving, for entries lie in order."""
    low, high = 0, size  # at low the file begins, or an entry before `seq`
    while high - low > 4096:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        at, found = file.tell(), None
        while at < high and found is None:
            found = _seq(line) if (line := file.readline()) else seq
            at += len(line) if found is None else 0
        if found is not None and found < seq:
            low = at
        else:
            high = middle
    file.seek(low)
    for line in file:
        if (found := _seq(line)) is None or found >= seq:
            yield line


def _seq(line: bytes) -> int | None:
    entry = _ENTRY.match(line)
    return int(entry[1]) if entry else None


def ending(path: Path) -> tuple[bytes, Checkpoint]:
    """The seal's bytes and the checkpoint that a segment ends with. Raises ArchiveError."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            *_, seal, last = file.read().splitlines()
        return seal, checkpoints.decode(last)
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{path}: {error}") from None
