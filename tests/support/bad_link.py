"""A namespace behind a bad network, for peers that a test puts there (`link_carrier.py` carries it)."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from support import link_carrier
from support.outside import missing

SERVER = {
    "VENDUE_HTTP__HOST": "0.0.0.0",
    "VENDUE_UDP__HOST": "0.0.0.0",
    "VENDUE_UDP__PUBLIC_IP": f"127.0.0.1,{link_carrier.HERE}",
}
"""Of a server that is reached from here and from behind the link."""


class BadLink:
    """A link that stands; `change` damages it from now on."""

    def __init__(self, namespace: str, process: subprocess.Popen[str]) -> None:
        self.namespace = namespace
        self._process = process

    def change(self, **damage: float) -> None:
        """Set these and leave the others."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(damage) + "\n")
        self._process.stdin.flush()

    def command(self, program: str, folder: Path) -> str:
        """An executable that runs `program` inside the namespace."""
        script = folder / f"in-{self.namespace}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} {program} "$@"\n')
        script.chmod(0o755)
        return str(script)

    def inside(self, command: str) -> None:
        """Run a command of iproute2 in the namespace."""
        subprocess.run(f"ip -n {self.namespace} {command}".split(), check=True)


@contextlib.contextmanager
def bad_link(seed: int) -> Generator[BadLink]:
    """One at a time on a machine. Skips the test, loudly, where there can be none."""
    namespace = f"vendue-{os.getpid()}"
    if os.geteuid() != 0 or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        missing("a network namespace", "run as root, with Debian's iproute2 and /dev/net/tun")
    made = subprocess.run(["ip", "netns", "add", namespace], check=False, capture_output=True, text=True)
    if made.returncode:
        missing("a network namespace", f"the system refuses one: {made.stderr.strip()}")
    try:
        command = [sys.executable, link_carrier.__file__, namespace, str(seed)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the link did not come up")
            yield BadLink(namespace, process)
        finally:
            process.terminate()
            process.communicate(timeout=10)
    finally:
        subprocess.run(["ip", "netns", "delete", namespace], check=True)
