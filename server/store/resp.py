"""RESP2, the Redis protocol: encode commands, parse replies as bytes arrive. Pure; hiredis does the work.

https://redis.io/docs/latest/develop/reference/protocol-spec/ ; replies are `bytes` (bulk and simple strings),
`int`, `None`, `list`, or a `StoreReplyError` value (also inside lists).
"""

from collections.abc import Callable
from typing import Final, TypeAlias, cast

import hiredis

from server.store.outcome import StoreError, StoreReplyError

Arg: TypeAlias = bytes | str | int
Reply: TypeAlias = "bytes | int | StoreReplyError | list[Reply] | None"

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""Nothing that we ask for is larger; more without a whole reply means that the stream is not RESP."""
_MORE: Final = object()
# Its stub allows one argument.
_pack: Final = cast("Callable[[tuple[Arg, ...]], bytes]", hiredis.pack_command)


class ProtocolError(StoreError):
    """The bytes are not RESP2. The connection cannot be used any more."""


def encode(args: tuple[Arg, ...]) -> bytes:
    """One command as an array of bulk strings."""
    return _pack(args)


class Parser:
    """Collects bytes and gives whole replies, in order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(ProtocolError, StoreReplyError, notEnoughData=_MORE)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies completed by `data`. Raises ProtocolError."""
        reader, replies = self._reader, list[Reply]()
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _MORE:
                replies.append(reply)
        except MemoryError:
            raise ProtocolError("an array without end") from None
        if reader.len() > MAX_REPLY_BYTES:
            raise ProtocolError("endless reply")
        return replies
