"""The listening TCP socket of an installation."""

import socket
from typing import Final

BACKLOG: Final = 4096  # a crowd that comes back after a restart waits here, not at a refused port


def tcp_listener(host: str, port: int) -> socket.socket:
    """Listen; what is accepted sends at once (TCP_NODELAY). OSError when the address cannot be had.

    The kernel hands the option on to accepted sockets, of which asyncio sets it for none: a listener that
    Python makes has no protocol number. An answer in two writes then waits 40 ms for the peer's delayed ACK.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener
