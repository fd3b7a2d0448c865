"""A network of the test's own: a namespace with loopback and one address more, which nothing leaves.

Some peers avoid loopback, and a test of several addresses needs more than one.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Generator

from support.outside import missing

ADDRESS = "198.18.0.1"  # the network for tests of devices (RFC 2544)
CLONE_NEWNET = 0x40000000
COMMANDS = (
    "ip link set lo up",
    "ip link add own0 type veth peer name own1",
    f"ip addr add {ADDRESS}/24 dev own0",
    "ip link set own0 up",
    "ip link set own1 up",
    "ip route add default dev own0",
    "ip addr add fd00::1/64 dev own0 nodad",  # Chromium wants a way out to use IPv6 at all
    "ip -6 route add default dev own0",
)


@contextlib.contextmanager
def own_network() -> Generator[str]:
    """Move this thread, and with it the event loop's new sockets and all children, into a fresh namespace.

    Gives its address beside loopback. Needs root and Debian's iproute2.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        missing("a network namespace", "run as root, with Debian's iproute2")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET):
            missing("a network namespace", f"the system refuses one: {os.strerror(ctypes.get_errno())}")
        try:
            for command in COMMANDS:
                subprocess.run(command.split(), check=True)
            yield ADDRESS
        finally:
            if libc.setns(before, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(before)
