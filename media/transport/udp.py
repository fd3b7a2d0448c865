"""The worker's UDP socket."""

import contextlib
import socket
import sys

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h; not in the socket module


def open_socket(host: str, port: int, buffer_bytes: int) -> socket.socket:
    """A non-blocking socket with big buffers (as root beyond the system's limit); OSError when taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option, force in ((socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)):
        sock.setsockopt(socket.SOL_SOCKET, option, buffer_bytes)
        if sys.platform == "linux":
            with contextlib.suppress(PermissionError):  # not root: the system's limit stands
                sock.setsockopt(socket.SOL_SOCKET, force, buffer_bytes)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
