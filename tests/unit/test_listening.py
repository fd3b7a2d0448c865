"""What is accepted sends at once, in whichever loop: both kinds of listeners hand TCP_NODELAY on."""

import functools
import socket
from collections.abc import Callable

import pytest
from support.outside import missing

from media.transport import tcp
from server import listening

Listen = Callable[[str, int], socket.socket]


@pytest.mark.parametrize("listen", [listening.tcp_listener, functools.partial(tcp.tcp_listener, backlog=1)])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_accepted_connections_do_not_wait_for_acknowledgements(listen: Listen, host: str) -> None:
    try:
        listener = listen(host, 0)
    except OSError as error:
        missing(f"{host} on this machine", f"{error.strerror}")
        return
    with listener, socket.create_connection(listener.getsockname()[:2]):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
