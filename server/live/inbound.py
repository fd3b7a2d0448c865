"""What one viewer sends, from bytes to commands: framing is websockets' (RFC 6455), patience is ours.

Sans I/O: bytes and time in, what was heard and bytes to send out. Made when a viewer first speaks; most
never do.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from server.live.limits import (
    BAD_FRAMES_BURST,
    BAD_FRAMES_PER_S,
    FRAME_BYTES_MAX,
    FRAMES_BURST,
    FRAMES_PER_S,
    TokenBucket,
)
from server.live.protocol import Decoded, Rejected, decode_command

CLOSE_NOT_TEXT: Final = 1003
CLOSE_NOT_UTF8: Final = 1007
CLOSE_RATE: Final = 4009

QUIET: Final = logging.getLogger("server.live.framing")
QUIET.setLevel(logging.WARNING)  # websockets says per-connection things at info


class TooMany(NamedTuple):
    """A frame was dropped: there will be room for another after `wait_s`."""

    wait_s: float


class MustClose(NamedTuple):
    """The connection should be closed with this code."""

    code: int
    reason: str


class Left(NamedTuple):
    """The peer has closed; the answer is among the bytes to send."""


Heard: TypeAlias = Decoded | Rejected | TooMany | MustClose | Left


class Inbound:
    """One connection's receiving side, and the control frames that go back."""

    __slots__ = ("_bad", "_fragments", "_frames", "_parser")

    def __init__(self) -> None:
        self._parser = Protocol(Side.SERVER, state=State.OPEN, max_size=FRAME_BYTES_MAX, logger=QUIET)
        self._fragments: list[bytes] = []
        self._frames = TokenBucket(FRAMES_PER_S, FRAMES_BURST)
        self._bad = TokenBucket(BAD_FRAMES_PER_S, BAD_FRAMES_BURST)

    def feed(self, data: bytes, now: float) -> Iterator[Heard]:
        """Take bytes that came at `now` (seconds); what they say, one by one. Stop when the connection is
        closing.
        """
        self._parser.receive_data(data)
        for event in self._parser.events_received():
            heard = self._hear(cast("Frame", event), now)
            if heard is not None:
                yield heard

    def close(self, code: int, reason: str) -> None:
        """Put a close frame among the bytes to send, unless one is already there."""
        with contextlib.suppress(InvalidState):
            self._parser.send_close(code, reason)

    def to_send(self) -> tuple[bytes, bool]:
        """The bytes to write (pongs, a close), and whether the connection is over after them."""
        written = self._parser.data_to_send()
        return b"".join(written), b"" in written  # websockets' mark for the end of the stream

    @property
    def failed(self) -> int | None:
        """The close code when the peer broke the protocol: nothing it sends is understood any more."""
        if self._parser.parser_exc is None:
            return None
        return self._parser.close_sent.code if self._parser.close_sent else 1006

    def _hear(self, frame: Frame, now: float) -> Heard | None:
        if frame.opcode is Opcode.CLOSE:
            return Left()
        wait_s = self._frames.take(now)
        if wait_s > 0:
            return self._lost_patience(now) or TooMany(wait_s)
        if frame.opcode is Opcode.BINARY:
            return MustClose(CLOSE_NOT_TEXT, "text only")
        if frame.opcode in (Opcode.TEXT, Opcode.CONT):
            return self._hear_text(frame, now)
        return None  # a ping has been answered by the parser, a pong says nothing

    def _hear_text(self, frame: Frame, now: float) -> Heard | None:
        """Join fragments (RFC 6455 §5.4); the parser bounds the whole message to FRAME_BYTES_MAX."""
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return None
        data = b"".join(self._fragments)
        self._fragments.clear()
        try:
            data.decode()
        except UnicodeDecodeError:
            return MustClose(CLOSE_NOT_UTF8, "not UTF-8")
        said = decode_command(data)
        return (self._lost_patience(now) if isinstance(said, Rejected) else None) or said

    def _lost_patience(self, now: float) -> MustClose | None:
        """Nonsense now and then is answered; who insists is sent away."""
        return MustClose(CLOSE_RATE, "too many bad frames") if self._bad.take(now) > 0 else None
