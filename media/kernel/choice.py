"""Which fan-out there is here: the C one where it could be compiled, else the Python one."""

import socket

from media.kernel import Fanout
from media.kernel.pure import PureFanout


def open_fanout(sock: socket.socket) -> Fanout:
    """The fastest fan-out of this installation over a non-blocking UDP socket that the caller owns."""
    try:
        from media.kernel.native import NativeFanout  # noqa: PLC0415 - an optional extension
    except ImportError:
        return PureFanout(sock)
    return NativeFanout(sock)
