"""The viewer's WebSocket as a lean `asyncio.Protocol`, handed to uvicorn as `Config(ws=…)`.

Handshake and framing are websockets' sans-I/O core (RFC 6455); rules are the door's and the showing's. This
class moves bytes and keeps a viewer small: no task, no queue and no parser while it only listens.
permessage-deflate is never negotiated: it halves what one core can deliver.
"""

import asyncio
import socket
from http import HTTPStatus
from typing import Any, Final, cast

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from server.live.door import Admitted, Denied, Door, Wish
from server.live.inbound import QUIET, Heard, Inbound, Left, MustClose, TooMany
from server.live.lanes import Seat, Sink, nowhere
from server.live.limits import FRAME_BYTES_MAX, WRITE_BUFFER_HIGH_BYTES, WRITE_BUFFER_LOW_BYTES
from server.live.protocol import SUBPROTOCOL, Decoded, Rejected
from server.live.showing import Showing
from server.live.viewers import Pass, Resume
from server.telemetry import counter, start_task

CLOSE_RESTART: Final = 1012
SILENT_MS: Final = 20_000  # a phone that changes networks takes some seconds
LINGER_S: Final = 1.0  # for the peer to answer a close; then the connection is cut

HANDSHAKES = counter("ws_handshakes", "Requests for a viewer WebSocket", ["status"])
UPGRADED = HANDSHAKES.labels(status=101)
CLOSES = counter("ws_closes", "Viewer connections that the server closed", ["code"])
_NOBODY: Final = Pass(show="")


class ViewerSocket(asyncio.Protocol):
    """One connection. States: shaking hands (`_handshake`), waiting for the store (`_opening`), open,
    closing.
    """

    __slots__ = (
        "_address",
        "_connections",
        "_door",
        "_handshake",
        "_head",
        "_inbound",
        "_loop",
        "_opening",
        "_showing",
        "_transport",
        "closing",
        "exempt",
        "first_frame_reported",
        "freezes_reported",
        "greeted",
        "holder",
        "resume",
        "roles",
        "seat",
        "sink",
        "write_paused",
    )

    def __init__(self, door: Door, connections: set[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._connections = connections
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._handshake: ServerProtocol | None = None
        self._opening: asyncio.Task[None] | None = None
        self._showing: Showing | None = None
        self._inbound: Inbound | None = None
        self._head = b""
        self.holder = _NOBODY
        self.roles: frozenset[str] = frozenset()
        self.resume: Resume | None = None
        self.seat: Seat | None = None
        self.sink: Sink = nowhere
        self._address: str | None = None
        self.first_frame_reported = False
        self.freezes_reported = 0
        self.greeted = self.write_paused = self.closing = self.exempt = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(WRITE_BUFFER_HIGH_BYTES, WRITE_BUFFER_LOW_BYTES)
        self.sink = self._transport.write

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closing = True
        self.sink = nowhere
        self._connections.discard(self)
        if self._address is not None:
            self._door.cap.give_back(self._address)
        if self._opening is not None:
            self._opening.cancel()
        if self._showing is not None:
            self._showing.leave(self)

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._transport is not None and not self.closing and not self._transport.is_closing():
            self._transport.pause_reading()  # or pings would still fill what cannot be written
            if self._showing is not None:
                self._showing.fell_behind(self)

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._transport is not None and not self.closing and not self._transport.is_closing():
            self._transport.resume_reading()
            if self._showing is not None:
                self._showing.drained(self)

    def data_received(self, data: bytes) -> None:
        if self._showing is not None:
            self._feed(data)
        elif self._opening is None and not self.closing:
            self._shake_hands(data)
        elif not self.closing:
            self.abort()  # a client speaks only after our answer

    def shutdown(self) -> None:
        """uvicorn is stopping."""
        if self._showing is not None:
            self.close(CLOSE_RESTART, "restart")
        elif self._transport is not None:
            self._transport.close()

    # What the crowd calls

    def write(self, frames: bytes) -> None:
        """Hand frames to the transport unless it is on its way out."""
        data, self._head = self._head + frames, b""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Leave the show at once, send a close frame, and cut the connection if the peer does not answer
        it.
        """
        if self.closing or self._showing is None:
            return
        self.closing = True
        CLOSES.labels(code=code).inc()
        self._showing.leave(self)
        inbound = self._listen()
        inbound.close(code, reason)
        self._send(inbound)
        self._hang_up_later()

    def abort(self) -> None:
        """Cut the connection."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    # Handshake

    def _shake_hands(self, data: bytes) -> None:
        if self._handshake is None:
            self._handshake = ServerProtocol(
                subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=FRAME_BYTES_MAX, logger=QUIET
            )
        handshake = self._handshake
        handshake.receive_data(data)
        for event in handshake.events_received():
            if isinstance(event, Request):
                wish = self._door.check(event) if self._has_room(event) else Denied(503, "full")
                if isinstance(wish, Denied):
                    self._deny(wish)
                else:
                    self._opening = start_task(self._open(event, wish), "viewer handshake")
                return
        if handshake.handshake_exc is not None:
            self._deny(Denied(400, "not a WebSocket request"))

    def _has_room(self, request: Request) -> bool:
        cap = self._door.cap
        client = self._transport.get_extra_info("peername") if self._transport is not None else None
        forwarded = ",".join(request.headers.get_all("X-Forwarded-For")) or None
        address = cap.address_of(client or None, forwarded)  # '' for a unix socket's peer
        if not cap.take(address):
            return False
        self._address, self.exempt = address, cap.exempts(address)
        return True

    async def _open(self, request: Request, wish: Wish) -> None:
        try:
            admitted = await self._door.admit(wish)
        except BaseException:
            self.abort()  # a bug, or the peer has gone: nobody may wait for an answer
            raise
        handshake, self._opening, self._handshake = self._handshake, None, None
        if self.closing or handshake is None:
            return
        if isinstance(admitted, Denied):
            self._handshake = handshake
            self._deny(admitted)
            return
        response = handshake.accept(request)
        handshake.send_response(response)
        self._head = b"".join(handshake.data_to_send())  # leaves with the first frames: one write less
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            UPGRADED.inc()
            self._enter(admitted, wish.resume)
        else:
            HANDSHAKES.labels(status=response.status_code).inc()
        self.write(b"")
        if self._showing is None:
            self._end()

    def _enter(self, admitted: Admitted, resume: Resume | None) -> None:
        self.holder, self.roles, self.resume = admitted.holder, admitted.roles, resume
        self._showing = admitted.showing
        _notice_silence(self._transport)
        self._showing.enter(self)

    def _deny(self, denied: Denied) -> None:
        HANDSHAKES.labels(status=denied.status).inc()
        handshake, self._handshake = self._handshake or ServerProtocol(logger=QUIET), None
        handshake.send_response(handshake.reject(HTTPStatus(denied.status), denied.reason + "\n"))
        self.write(b"".join(handshake.data_to_send()))
        self._end()

    # Frames

    def _feed(self, data: bytes) -> None:
        inbound = self._listen()
        for heard in inbound.feed(data, self._loop.time()):
            if self.closing:
                break
            self._on_heard(heard)
        self._send(inbound)
        if inbound.failed is not None and not self.closing:  # too long, or no WebSocket frames at all
            self._failed(inbound.failed)

    def _listen(self) -> Inbound:
        if self._inbound is None:
            self._inbound = Inbound()
        return self._inbound

    def _on_heard(self, heard: Heard) -> None:
        match heard:
            case Left():
                self._leave()
            case MustClose(code, reason):
                self.close(code, reason)
            case TooMany(wait_s):
                if self._showing is not None:
                    self._showing.refuse_rate(self, wait_s)
            case Decoded() | Rejected():
                if self._showing is not None:
                    self._showing.heard(self, heard)

    def _send(self, inbound: Inbound) -> None:
        data, is_over = inbound.to_send()
        self.write(data)
        if is_over and inbound.failed is None:  # both sides have closed
            self._end()

    # The end

    def _failed(self, code: int) -> None:
        """The close frame is on its way. The rest of what the peer sends is thrown away for a moment:
        closing with unread data would reset the connection and take that frame with it.
        """
        CLOSES.labels(code=code).inc()
        self._leave()
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        self._hang_up_later()

    def _leave(self) -> None:
        self.closing = True
        if self._showing is not None:
            self._showing.leave(self)

    def _hang_up_later(self) -> None:
        self._loop.call_later(LINGER_S, self.abort)

    def _end(self) -> None:
        self.closing = True
        if self._transport is not None:
            self._transport.close()


def _notice_silence(transport: asyncio.Transport | None) -> None:
    """Let the kernel end a connection whose peer acknowledges nothing for SILENT_MS (RFC 5482). Ticks are
    written at least once a second, so no pings of our own are needed.
    """
    bare = transport.get_extra_info("socket") if transport is not None else None
    if bare is not None and bare.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)


def viewer_socket_class(door: Door) -> type[asyncio.Protocol]:
    """The class for `uvicorn.Config(ws=…)`: uvicorn makes one for each upgrade request."""

    class BoundViewerSocket(ViewerSocket):
        __slots__ = ()

        def __init__(
            self,
            config: Any,  # noqa: ARG002 - uvicorn's signature
            server_state: Any,
            app_state: Any,  # noqa: ARG002
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(door, server_state.connections, _loop or asyncio.get_running_loop())

    return BoundViewerSocket
