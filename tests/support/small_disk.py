"""A disk that is quickly full: a tmpfs of its own. Needs the right to mount."""

import contextlib
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

from support.outside import missing

FILL_STEP_BYTES = 64 * 1024


@contextlib.contextmanager
def small_disk(place: Path, size_mb: int) -> Generator[Path]:
    """An empty file system at `place`."""
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", place], capture_output=True, check=False
    )
    if mount.returncode != 0:
        missing("a disk that is full", f"mount: {mount.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """Fill the disk but for so much; gives the file that does it."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with filler.open("wb") as out:
        out.truncate(0)
        left = free.f_bavail * free.f_frsize - leave_bytes
        with contextlib.suppress(OSError):
            while left > 0:
                left -= out.write(b"\0" * min(left, FILL_STEP_BYTES))
                out.flush()
    return filler
