"""Shifts the wall clock of a child process while it runs: what an administrator or a failover does to a
store.

A few lines of C between the process and libc (LD_PRELOAD) add what a file says to every reading of the wall
clock; the monotonic clock stays true. Needs gcc.
"""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long long *shift_us(void) {
    static volatile long long *shared;
    static long long none;
    if (!shared) {
        const char *path = getenv("CLOCK_SHIFT_FILE");
        int fd = path ? open(path, O_RDONLY) : -1;
        void *map = fd < 0 ? MAP_FAILED : mmap(0, sizeof(long long), PROT_READ, MAP_SHARED, fd, 0);
        shared = map == MAP_FAILED ? &none : map;
    }
    return shared;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(tv, tz);
    long long us = tv->tv_sec * 1000000LL + tv->tv_usec + *shift_us();
    tv->tv_sec = us / 1000000;
    tv->tv_usec = us % 1000000;
    return result;
}
"""


class ClockShift:
    """Build with a scratch directory; start the process with `env`; then `set_ms`."""

    def __init__(self, scratch: Path) -> None:
        self._file = scratch / "shift"
        self._file.write_bytes(struct.pack("q", 0))
        with self._file.open("r+b") as file:  # shared memory on both sides: a written file may be seen late
            self._shared = mmap.mmap(file.fileno(), 8)
        source, self._library = scratch / "shift.c", scratch / "shift.so"
        source.write_text(SOURCE)
        gcc = shutil.which("gcc")
        assert gcc is not None
        subprocess.run([gcc, "-shared", "-fPIC", "-O1", "-o", self._library, source, "-ldl"], check=True)

    @property
    def env(self) -> dict[str, str]:
        """What the process needs in its environment."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_SHIFT_FILE": str(self._file)}

    def set_ms(self, ms: int) -> None:
        """From now on the process's wall clock is `ms` ahead."""
        self._shared[:8] = struct.pack("q", ms * 1000)
