"""Run as a file: `python bound_exec.py COMMAND…` becomes COMMAND, which the kernel kills when our parent
dies.

A separate process instead of a `preexec_fn`: code between fork and exec of a process with threads may
deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept across exec


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent = os.getppid()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if parent == 1 or os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
