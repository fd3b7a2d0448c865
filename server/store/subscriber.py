"""Sharded subscriptions on one connection of their own, healing by itself.

Publication is optimistic: a message can be lost while the connection is down, so `on_up` tells the owner
after every (re)connection, when all subscriptions stand again, to look for what was missed. redis-py is not
used for this: a message reaches its handler in the same loop turn as the socket's bytes, all messages of one
read together.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

from server.store.connection import Connection, connect
from server.store.outcome import StoreError, StoreReplyError, StoreUnavailable
from server.store.resp import Arg, Reply, encode
from server.store.topology import Place, Target
from server.telemetry import end_tasks, get_logger

CONFIRM_S = 3.0
RETRY_FIRST_S, RETRY_MOST_S = 0.05, 1.0
PING_S = 5.0
"""A dead peer behind a silent socket is noticed within two of these."""

Messages = list[tuple[str, bytes]]
log = get_logger(__name__)


class Subscriber:
    """`on_messages` gets (channel, payload) pairs in order; it must not block. `on_up` is called once
    connected.
    """

    def __init__(
        self, place: Place, on_messages: Callable[[Messages], None], on_up: Callable[[], None]
    ) -> None:
        self._place, self._on_messages, self._on_up = place, on_messages, on_up
        self._target: Target | None = None
        self._elsewhere = asyncio.Event()
        self._wanted: set[str] = set()
        self._confirmed: dict[str, asyncio.Event] = {}
        self._connection: Connection | None = None
        self._heard = False
        self._task: asyncio.Task[None] | None = None
        place.on_move(self._moved)

    def start(self) -> None:
        """Begin connecting."""
        self._task = asyncio.create_task(self._run(), name="subscriber")

    async def close(self) -> None:
        """Disconnect."""
        await end_tasks(self._task)

    async def subscribe(self, channel: str) -> None:
        """Returns when the store has confirmed; raises StoreUnavailable when it does not (and goes on
        trying).
        """
        event = self.want(channel)
        try:
            async with asyncio.timeout(CONFIRM_S):
                await event.wait()
        except TimeoutError:
            raise StoreUnavailable(f"no subscription to {channel}", maybe_applied=True) from None

    def want(self, channel: str) -> asyncio.Event:
        """Subscribe without waiting; gives what is set while the subscription stands."""
        self._wanted.add(channel)
        event = self._confirmed.setdefault(channel, asyncio.Event())
        self._send("SSUBSCRIBE", channel)
        return event

    def unsubscribe(self, channel: str) -> None:
        """Stop; messages already on their way may still arrive."""
        self._wanted.discard(channel)
        self._confirmed.pop(channel, None)
        self._send("SUNSUBSCRIBE", channel)

    def _send(self, *args: Arg) -> None:
        if self._connection is not None:
            self._connection.write(encode(args))

    async def _run(self) -> None:
        delay_s = RETRY_FIRST_S
        while True:
            try:
                async with asyncio.timeout(CONFIRM_S):
                    target = self._target = await self._place.find()
                    connection = await connect(target, self._on_replies)
            except (OSError, StoreError, TimeoutError):
                self._elsewhere.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._elsewhere.wait()
                delay_s = min(delay_s * 2, RETRY_MOST_S)
                continue
            delay_s = RETRY_FIRST_S
            try:
                await self._serve(connection, target)
            except (StoreError, TimeoutError):
                log.warning("subscriptions_refused")
                await asyncio.sleep(RETRY_MOST_S)
            finally:
                self._connection = None
                connection.abort()
                await connection.gone()
                for event in self._confirmed.values():
                    event.clear()

    def _moved(self, target: Target) -> None:
        if target == self._target:
            return
        self._elsewhere.set()
        if self._connection is not None:
            self._connection.abort()

    async def _serve(self, connection: Connection, target: Target) -> None:
        self._connection = connection
        if target.password:
            self._send("AUTH", *([target.username] if target.username else []), target.password)
        for channel in self._wanted:
            self._send("SSUBSCRIBE", channel)
        for channel in list(self._wanted):
            event = self._confirmed.setdefault(channel, asyncio.Event())
            async with asyncio.timeout(CONFIRM_S):
                await event.wait()
        self._on_up()
        while True:
            self._heard = False
            self._send("PING")
            done, _ = await asyncio.wait([connection.lost], timeout=PING_S)
            if done or not self._heard:
                return

    def _on_replies(self, connection: Connection, replies: list[Reply]) -> None:
        self._heard = True
        messages: Messages = []
        for reply in replies:
            if not isinstance(reply, list):
                if isinstance(reply, StoreReplyError):  # MOVED, say: the confirmation does not come
                    self._place.suspect()
                continue
            kind, channel = cast("bytes", reply[0]), cast("bytes", reply[1]).decode()
            if kind == b"smessage":
                if channel in self._wanted:
                    messages.append((channel, cast("bytes", reply[2])))
            elif kind == b"ssubscribe" and connection is self._connection and channel in self._confirmed:
                self._confirmed[channel].set()
        if messages:
            try:
                self._on_messages(messages)
            except Exception:
                log.exception("message_handler_failed")
