"""RESP2, the Redis protocol: encode commands, parse replies as bytes arrive. Pure.

https://redis.io/docs/latest/develop/reference/protocol-spec/ ; replies are `bytes` (bulk and simple strings),
`int`, `None`, `list`, or a `StoreReplyError` value (also inside lists).
"""

from typing import TypeAlias

from server.store.outcome import StoreError, StoreReplyError

Arg: TypeAlias = bytes | str | int
Reply: TypeAlias = "bytes | int | StoreReplyError | list[Reply] | None"

MAX_BULK_BYTES = 64 * 1024 * 1024
"""Nothing that we ask for is larger; a longer length means that the stream is not RESP."""
MAX_DEPTH = 8


class ProtocolError(StoreError):
    """The bytes are not RESP2. The connection cannot be used any more."""


class _Incomplete(Exception):
    """The rest of this reply has not arrived."""


def encode(args: tuple[Arg, ...]) -> bytes:
    """One command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Parser:
    """Collects bytes and gives whole replies, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies completed by `data`. Raises ProtocolError."""
        self._buffer += data
        replies: list[Reply] = []
        done = self._at = 0
        try:
            while self._at < len(self._buffer):
                replies.append(self._value(0))
                done = self._at
        except _Incomplete:
            pass
        del self._buffer[:done]
        return replies

    def _value(self, depth: int) -> Reply:
        kind, line = self._line()
        match kind:
            case 0x24:  # $
                return self._bulk(_integer(line))
            case 0x2A:  # *
                return self._array(_integer(line), depth + 1)
            case 0x3A:  # :
                return _integer(line)
            case 0x2B:  # +
                return line
            case 0x2D:  # -
                return StoreReplyError(line.decode("utf-8", "replace"))
            case _:
                raise ProtocolError(f"unknown reply type {kind:#x}")

    def _line(self) -> tuple[int, bytes]:
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > MAX_BULK_BYTES:
                raise ProtocolError("endless line")
            raise _Incomplete
        if end == self._at:
            raise ProtocolError("empty line")
        kind, line = self._buffer[self._at], bytes(self._buffer[self._at + 1 : end])
        self._at = end + 2
        return kind, line

    def _bulk(self, length: int) -> bytes | None:
        if length == -1:
            return None
        if not 0 <= length <= MAX_BULK_BYTES:
            raise ProtocolError(f"bulk length {length}")
        start, end = self._at, self._at + length
        if len(self._buffer) < end + 2:
            raise _Incomplete
        if bytes(self._buffer[end : end + 2]) != b"\r\n":
            raise ProtocolError("bulk string without its end")
        self._at = end + 2
        return bytes(self._buffer[start:end])

    def _array(self, length: int, depth: int) -> Reply:
        if length == -1:
            return None
        if length < -1 or length > MAX_BULK_BYTES or depth > MAX_DEPTH:
            raise ProtocolError(f"array length {length} at depth {depth}")
        return [self._value(depth) for _ in range(length)]


def _integer(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise ProtocolError("not a number") from None
