"""ICE-TCP, passive (RFC 6544): a way in for networks that let no UDP through and have no TURN server.

Every TCP connection becomes a UDP source on this machine: frames (RFC 4571) go to the worker's own UDP port
from a socket of their own, and what comes back goes into the stream. So the gate, DTLS, SRTP and the fan-out
know nothing of TCP, and a viewer over it costs one hop over loopback more. A connection that the worker does
not answer is a stranger's and ends; a reader that is too slow loses packets, as a slow link would.
"""

import asyncio
import socket
from collections import Counter
from typing import cast

MAX_CONNECTIONS = 500
"""Of one worker: each holds two sockets. Strangers can take them all for `SILENCE_S`; UDP does not notice."""

SILENCE_S = 10.0
"""How long the worker may have nothing to say: a viewer gets an answer to its checks every few seconds."""

MAX_WAITING_BYTES = 256 * 1024
"""Of a slow reader: a second of 2 Mbit/s. Later packets are dropped, as a slow link would lose them."""

_MAX_FRAME = 1500
_BATCH = 64


def tcp_listener(host: str, port: int, *, backlog: int, dualstack_ipv6: bool = False) -> socket.socket:
    """Listen; what is accepted sends at once (TCP_NODELAY). OSError when the address cannot be had.

    The kernel hands the option on to accepted sockets, of which asyncio sets it for none: a listener that
    Python makes has no protocol number. Packets would wait for the ACK of those before them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(
        (host, port), family=family, backlog=backlog, dualstack_ipv6=dualstack_ipv6
    )
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class TcpPassages:
    """The listening side. `target` is where the worker's UDP port can be reached from here."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self.counters: Counter[str] = Counter()
        self.target = target
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._open: set[_Passage] = set()

    @property
    def port(self) -> int:
        """What candidates name."""
        return self._listener.getsockname()[1]

    async def start(self) -> None:
        """Accept connections until `stop`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Passage(self), sock=self._listener)

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for passage in list(self._open):
            passage.close()

    def admit(self, passage: "_Passage") -> bool:
        """Take a new connection, unless there are too many."""
        if len(self._open) >= MAX_CONNECTIONS:
            self.counters["tcp_refused"] += 1
            return False
        self._open.add(passage)
        self.counters["tcp_connections"] += 1
        return True

    def forget(self, passage: "_Passage") -> None:
        """The connection has ended."""
        self._open.discard(passage)


class _Passage(asyncio.Protocol):
    """One TCP connection and its UDP socket."""

    def __init__(self, owner: TcpPassages) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._stream: asyncio.Transport | None = None
        self._udp: socket.socket | None = None
        self._buffer = bytearray()
        self._answered = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast("asyncio.Transport", transport)
        if not self._owner.admit(self):
            self._stream.abort()
            return
        family = socket.AF_INET6 if ":" in self._owner.target[0] else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.setblocking(False)
        self._udp.connect(self._owner.target)
        self._loop.add_reader(self._udp.fileno(), self._from_worker)
        self._timer = self._loop.call_later(SILENCE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.close()

    def data_received(self, data: bytes) -> None:
        """Frames of two bytes of length and as many of a packet."""
        buffer, udp = self._buffer, self._udp
        buffer += data
        position = 0
        while udp is not None and len(buffer) - position >= 2:
            size = int.from_bytes(buffer[position : position + 2])
            if not 0 < size <= _MAX_FRAME:
                self._owner.counters["tcp_junk"] += 1
                self.close()
                return
            if len(buffer) - position < 2 + size:
                break
            try:
                udp.send(buffer[position + 2 : position + 2 + size])
            except OSError:  # the worker's buffer is full: lost, like any datagram
                self._owner.counters["tcp_dropped"] += 1
            position += 2 + size
        del buffer[:position]

    def close(self) -> None:
        """End both sides."""
        self._owner.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._udp is not None:
            self._loop.remove_reader(self._udp.fileno())
            self._udp.close()
            self._udp = None
        if self._stream is not None:
            self._stream.abort()

    def _from_worker(self) -> None:
        udp, stream = self._udp, self._stream
        for _ in range(_BATCH):
            if udp is None or stream is None:
                return
            try:
                packet = udp.recv(2048)
            except OSError:
                return
            self._answered = True
            if stream.get_write_buffer_size() > MAX_WAITING_BYTES:
                self._owner.counters["tcp_dropped"] += 1
            else:
                stream.write(len(packet).to_bytes(2) + packet)

    def _look(self) -> None:
        if not self._answered:
            self.close()
            return
        self._answered = False
        self._timer = self._loop.call_later(SILENCE_S, self._look)
