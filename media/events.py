"""The worker's events as NDJSON for whoever follows `GET /events` (the web worker).

A follower that does not read is cut off: the stream begins with the whole state, so it only has to come back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

MAX_WAITING = 256
"""Events kept for a follower that is slow: two minutes of one show's clock and state, then it is cut off."""

_encode = msgspec.json.Encoder().encode


class Events:
    """Fan-out of events to the open streams. `snapshot` makes the first line and the one a second."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._snapshot = snapshot
        self._followers: set[asyncio.Queue[bytes | None]] = set()

    def emit(self, event: dict[str, Any]) -> None:
        """Give an event to every follower."""
        if not self._followers:
            return
        line = _encode(event) + b"\n"
        for queue in list(self._followers):
            if queue.qsize() >= MAX_WAITING:
                self._cut(queue)
            else:
                queue.put_nowait(line)

    def emit_state(self) -> None:
        """Give the state to every follower; once a second, so that a dead stream shows."""
        self.emit(self._snapshot())

    def close(self) -> None:
        """End every stream."""
        for queue in list(self._followers):
            self._cut(queue)

    async def follow(self) -> AsyncIterator[bytes]:
        """The lines of one follower, until it is cut off or goes."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._followers.add(queue)
        try:
            yield _encode(self._snapshot()) + b"\n"
            while (line := await queue.get()) is not None:
                yield line
        finally:
            self._followers.discard(queue)

    def _cut(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._followers.discard(queue)
        queue.put_nowait(None)
