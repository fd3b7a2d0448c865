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


def encode(args: tuple[Arg, ...], head: bytes = b"", head_args: int = 0) -> bytes:
    """One command as an array of bulk strings.

    `head` is what `bulks` made of its first `head_args` arguments, for commands that begin alike.
    """
    return b"*%d\r\n%b%b" % (head_args + len(args), head, bulks(args))


def bulks(args: tuple[Arg, ...]) -> bytes:
    """Arguments as bulk strings, without the array around them."""
    parts: list[bytes] = []
    for arg in args:
        if isinstance(arg, str):
            data = arg.encode()
        elif isinstance(arg, int):
            data = b"%d" % arg
        else:
            data = arg
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Parser:
    """Collects bytes and gives whole replies, in order."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Reply]:
        """The replies completed by `data`. Raises ProtocolError."""
        buffer = self._rest + data if self._rest else data
        replies: list[Reply] = []
        at = 0
        try:
            while at < len(buffer):
                value, at = _value(buffer, at, 0)
                replies.append(value)
        except _Incomplete:
            pass
        self._rest = buffer[at:]
        return replies


def _value(buffer: bytes, at: int, depth: int) -> tuple[Reply, int]:
    """The value that begins at `at`, and where it ends. Plain branches: a purchase waits for this."""
    end = buffer.find(b"\r\n", at)
    if end <= at:
        raise _without_end(buffer, at, end)
    kind = buffer[at]
    if kind == 0x24:  # $
        return _bulk(buffer, _integer(buffer[at + 1 : end]), end + 2)
    if kind == 0x3A:  # :
        return _integer(buffer[at + 1 : end]), end + 2
    if kind == 0x2A:  # *
        return _array(buffer, _integer(buffer[at + 1 : end]), end + 2, depth + 1)
    if kind == 0x2B:  # +
        return buffer[at + 1 : end], end + 2
    if kind == 0x2D:  # -
        return StoreReplyError(buffer[at + 1 : end].decode("utf-8", "replace")), end + 2
    raise ProtocolError(f"unknown reply type {kind:#x}")


def _without_end(buffer: bytes, at: int, end: int) -> Exception:
    if end == at:
        return ProtocolError("empty line")
    if len(buffer) - at > MAX_BULK_BYTES:
        return ProtocolError("endless line")
    return _Incomplete()


def _bulk(buffer: bytes, length: int, start: int) -> tuple[bytes | None, int]:
    if length == -1:
        return None, start
    if not 0 <= length <= MAX_BULK_BYTES:
        raise ProtocolError(f"bulk length {length}")
    end = start + length
    if len(buffer) < end + 2:
        raise _Incomplete
    if buffer[end : end + 2] != b"\r\n":
        raise ProtocolError("bulk string without its end")
    return buffer[start:end], end + 2


def _array(buffer: bytes, length: int, at: int, depth: int) -> tuple[Reply, int]:
    if length == -1:
        return None, at
    if not 0 <= length <= MAX_BULK_BYTES or depth > MAX_DEPTH:
        raise ProtocolError(f"array of {length} at depth {depth}")
    values: list[Reply] = []
    for _ in range(length):
        if at >= len(buffer):
            raise _Incomplete
        value, at = _value(buffer, at, depth)
        values.append(value)
    return values, at


def _integer(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise ProtocolError("not a number") from None
