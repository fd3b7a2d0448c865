"""`make bench`: every figure that the README gives, one JSON line each.

Each benchmark is a program of its own and measures its yardstick in the same run; figures of different
machines, or of one machine under other load, do not compare. One that cannot run here (the load generator
wants gcc, ffmpeg, libssl-dev and libsrtp2-dev) says why and does not keep the others from running.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = (
    ("relay.py", "-n", "100,300"),
    ("fanout.py",),
    ("ws_deliveries.py",),
    ("buy.py",),
    ("crowd.py",),
    ("glass.py",),
)


def main() -> int:
    failed = 0
    for program, *arguments in PROGRAMS:
        print(f"# bench/{' '.join((program, *arguments))}", flush=True)
        failed += (
            subprocess.run([sys.executable, str(HERE / program), *arguments], check=False).returncode != 0
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
