"""The viewer's WebSocket as a lean `asyncio.Protocol`, handed to uvicorn as `Config(ws=…)`.

Handshake and framing are websockets' sans-I/O core (RFC 6455); rules are the door's and the showing's. This
class moves bytes and keeps a viewer small: no task, no queue and no parser while it only listens.
permessage-deflate is never negotiated: it halves what one core can deliver.
"""

import asyncio
import contextlib
import logging
from http import HTTPStatus
from typing import Any, Final, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from server.live.door import Admitted, Denied, Door, Wish
from server.live.lanes import Seat, Sink, nowhere
from server.live.limits import (
    BAD_FRAMES_BURST,
    BAD_FRAMES_PER_S,
    FRAME_BYTES_MAX,
    FRAMES_BURST,
    FRAMES_PER_S,
    WRITE_BUFFER_HIGH_BYTES,
    WRITE_BUFFER_LOW_BYTES,
    TokenBucket,
)
from server.live.protocol import SUBPROTOCOL, Rejected, decode_command
from server.live.showing import Showing
from server.live.viewers import Pass, Resume
from server.telemetry import counter, start_task

CLOSE_NOT_TEXT: Final = 1003
CLOSE_NOT_UTF8: Final = 1007
CLOSE_RESTART: Final = 1012
CLOSE_RATE: Final = 4009
LINGER_S: Final = 1.0  # for the peer to answer a close; then the connection is cut

HANDSHAKES = counter("ws_handshakes", "Requests for a viewer WebSocket", ["status"])
UPGRADED = HANDSHAKES.labels(status=101)
CLOSES = counter("ws_closes", "Viewer connections that the server closed", ["code"])
_NOBODY: Final = Pass(show="")
_quiet = logging.getLogger("server.live.viewer_socket.framing")
_quiet.setLevel(logging.WARNING)  # websockets says per-connection things at info


class ViewerSocket(asyncio.Protocol):
    """One connection. States: shaking hands (`_handshake`), waiting for the store (`_opening`), open,
    closing.
    """

    __slots__ = (
        "_bad",
        "_connections",
        "_door",
        "_fragments",
        "_frames",
        "_framing",
        "_handshake",
        "_head",
        "_loop",
        "_opening",
        "_showing",
        "_transport",
        "closing",
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
        self._framing: Protocol | None = None
        self._fragments: list[bytes] | None = None
        self._head = b""
        self._frames: TokenBucket | None = None
        self._bad: TokenBucket | None = None
        self.holder = _NOBODY
        self.roles: frozenset[str] = frozenset()
        self.resume: Resume | None = None
        self.seat: Seat | None = None
        self.sink: Sink = nowhere
        self.greeted = self.write_paused = self.closing = False

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
        if self._opening is not None:
            self._opening.cancel()
        if self._showing is not None:
            self._showing.leave(self)

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._transport is not None and not self.closing:
            self._transport.pause_reading()  # or pings would still fill what cannot be written
            if self._showing is not None:
                self._showing.fell_behind(self)

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._transport is not None and not self.closing:
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
        framing = self._parser()
        with contextlib.suppress(InvalidState):  # the peer's own close has just been answered
            framing.send_close(code, reason)
        self._send(framing)
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
                subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=FRAME_BYTES_MAX, logger=_quiet
            )
        handshake = self._handshake
        handshake.receive_data(data)
        for event in handshake.events_received():
            if isinstance(event, Request):
                wish = self._door.check(event)
                if isinstance(wish, Denied):
                    self._deny(wish)
                else:
                    self._opening = start_task(self._open(event, wish), "viewer handshake")
                return
        if handshake.handshake_exc is not None:
            self._deny(Denied(400, "not a WebSocket request"))

    async def _open(self, request: Request, wish: Wish) -> None:
        admitted = await self._door.admit(wish)
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
        self._showing.enter(self)

    def _deny(self, denied: Denied) -> None:
        HANDSHAKES.labels(status=denied.status).inc()
        handshake, self._handshake = self._handshake or ServerProtocol(logger=_quiet), None
        handshake.send_response(handshake.reject(HTTPStatus(denied.status), denied.reason + "\n"))
        self.write(b"".join(handshake.data_to_send()))
        self._end()

    # Frames

    def _parser(self) -> Protocol:
        """Made when the viewer first speaks: most never do."""
        if self._framing is None:
            self._framing = Protocol(Side.SERVER, state=State.OPEN, max_size=FRAME_BYTES_MAX, logger=_quiet)
        return self._framing

    def _feed(self, data: bytes) -> None:
        framing = self._parser()
        framing.receive_data(data)
        for event in framing.events_received():
            if not self.closing:
                self._on_frame(cast("Frame", event))
        self._send(framing)
        if framing.parser_exc is not None and not self.closing:  # too long, or no WebSocket frames at all
            self._failed(framing)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._leave()
            return
        if self._frames is None:
            self._frames = TokenBucket(FRAMES_PER_S, FRAMES_BURST)
        wait_s = self._frames.take(self._loop.time())
        if wait_s > 0:
            self._misbehaved()
            if not self.closing and self._showing is not None:
                self._showing.refuse_rate(self, wait_s)
            return
        if frame.opcode is Opcode.BINARY:
            self.close(CLOSE_NOT_TEXT, "text only")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._on_text(frame)

    def _on_text(self, frame: Frame) -> None:
        """Join fragments (RFC 6455 §5.4); the parser bounds the whole message to FRAME_BYTES_MAX."""
        data = bytes(frame.data)
        if not frame.fin or self._fragments is not None:
            self._fragments = [*(self._fragments or []), data]
            if not frame.fin:
                return
            data, self._fragments = b"".join(self._fragments), None
        try:
            data.decode()
        except UnicodeDecodeError:
            self.close(CLOSE_NOT_UTF8, "not UTF-8")
            return
        said = decode_command(data)
        if isinstance(said, Rejected):
            self._misbehaved()
        if self._showing is not None and not self.closing:
            self._showing.heard(self, said)

    def _misbehaved(self) -> None:
        """Nonsense now and then is answered; who insists is sent away."""
        if self._bad is None:
            self._bad = TokenBucket(BAD_FRAMES_PER_S, BAD_FRAMES_BURST)
        if self._bad.take(self._loop.time()) > 0:
            self.close(CLOSE_RATE, "too many bad frames")

    # The end

    def _send(self, framing: Protocol) -> None:
        for data in framing.data_to_send():
            if data:
                self.write(data)
            elif framing.parser_exc is None:  # both sides have closed
                self._end()

    def _failed(self, framing: Protocol) -> None:
        """The parser has sent its close frame; the rest of what the peer sends is thrown away for a moment,
        because closing with unread data would reset the connection and take that close frame with it.
        """
        CLOSES.labels(code=framing.close_sent.code if framing.close_sent else 1006).inc()
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
