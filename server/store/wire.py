"""The coalescing connection: all commands of one loop turn leave in one write, replies come back in order.

One `Wire` is one connection that heals itself. Its promises:
- At most `max_pending` commands wait (sent or not); one more raises StoreBusy at once and was not sent.
- A command is sent at most once. When the connection is lost or an answer is overdue, everything that was
  sent and not answered raises StoreUnavailable(maybe_applied=True): the outcome is unknown, and only the
  caller knows whether asking again is safe (scripts with an idempotency key are). Commands not yet sent wait
  for the next connection.
- No command waits longer than about `timeout_s` for a connection, nor so long again for its answer.
- `on_connect` (script loading) runs on every new connection before any command.
- Every connection asks its `Place` where the primary is; one to a primary that has moved is dropped, and a
  node that says READONLY is no primary: that command is StoreUnavailable(maybe_applied=False).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from server.store.connection import Connection, connect
from server.store.outcome import StoreBusy, StoreError, StoreReplyError, StoreUnavailable
from server.store.resp import Arg, ProtocolError, Reply, encode
from server.store.topology import Place, Target
from server.telemetry import end_tasks

MAX_PENDING = 20_000
"""A second of the store's own capacity at its slowest; more waiting commands would only answer too late."""
TIMEOUT_S = 3.0
RETRY_FIRST_S, RETRY_MOST_S = 0.02, 1.0
GRACE_S = 0.05
"""After our own loop stood still, replies may be waiting in the socket: look once more before giving up."""

Ready = Callable[["Wire"], Awaitable[None]]


class _Command:
    """One command on its way. `future` may be done early (cancelled, timed out): its reply is dropped."""

    __slots__ = ("data", "deadline", "future")

    def __init__(self, data: bytes, deadline: float, future: "asyncio.Future[Reply]") -> None:
        self.data, self.deadline, self.future = data, deadline, future


class Wire:
    """See the module. Make one with `await Wire.open(place)`; it belongs to one event loop."""

    def __init__(
        self,
        place: Place,
        *,
        on_connect: Ready | None = None,
        max_pending: int = MAX_PENDING,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._place = place
        self._target: Target | None = None
        self._elsewhere = asyncio.Event()
        self.connects = 0  # how often a connection came up: reconnections show in the metrics
        self._on_connect = on_connect
        self._max_pending, self._timeout_s = max_pending, timeout_s
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[_Command] = deque()
        self._sent: deque[_Command] = deque()
        self._connection: Connection | None = None
        self._ready = False  # on_connect has run: commands may leave
        self._flush_scheduled = self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        place.on_move(self._moved)

    @classmethod
    async def open(
        cls,
        place: Place | Target,
        *,
        on_connect: Ready | None = None,
        wait_s: float = 10.0,
        max_pending: int = MAX_PENDING,
        timeout_s: float = TIMEOUT_S,
    ) -> "Wire":
        """Connect, run `on_connect`, and keep the connection up until `close`.

        Raises StoreUnavailable when the store does not answer within `wait_s`, StoreReplyError when it
        refuses us.
        """
        place = Place(place) if isinstance(place, Target) else place
        wire = cls(place, on_connect=on_connect, max_pending=max_pending, timeout_s=timeout_s)
        try:
            async with asyncio.timeout(wait_s):
                await wire.begin()
        except BaseException as error:
            await wire.close()
            if isinstance(error, TimeoutError):
                raise StoreUnavailable(
                    f"no store at {place!r} after {wait_s:g} s", maybe_applied=False
                ) from None
            raise
        return wire

    def begin(self) -> "asyncio.Future[None]":
        """Begin to connect. What is sent before it has is kept for as long as it may be."""
        up: asyncio.Future[None] = self._loop.create_future()
        up.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may care
        self._task = asyncio.create_task(self._keep_connected(up), name=f"wire {self._place!r}")
        return up

    def of(self, tag: str) -> "Wire":  # noqa: ARG002 - there is but one node
        """The way to the node of a show: this one."""
        return self

    def all(self) -> "list[Wire]":
        """One connection to every primary: this one."""
        return [self]

    @property
    def connected(self) -> bool:
        """True while commands leave at once."""
        return self._ready

    @property
    def pending(self) -> int:
        """Commands waiting for their answer."""
        return len(self._unsent) + len(self._sent)

    def call(self, *args: Arg) -> "asyncio.Future[Reply]":
        """Send one command; await the result for its reply.

        Raises StoreReplyError for an error reply; for the other errors see the module.
        """
        return self.send(encode(args))

    def send(self, command: bytes) -> "asyncio.Future[Reply]":
        """As `call`, for a command that is encoded already."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the connection is closed", maybe_applied=False))
        elif self.pending >= self._max_pending:
            future.set_exception(StoreBusy(f"{self.pending} commands are waiting for the store"))
        else:
            self._unsent.append(_Command(command, self._loop.time() + self._timeout_s, future))
            self._schedule()
        return future

    async def call_now(self, *args: Arg) -> Reply:
        """For `on_connect` only: send on the connection that is being set up, ahead of everything waiting."""
        if self._connection is None:
            raise StoreUnavailable("the connection was lost", maybe_applied=False)
        future: asyncio.Future[Reply] = self._loop.create_future()
        command = _Command(encode(args), self._loop.time() + self._timeout_s, future)
        self._sent.append(command)
        self._connection.write(command.data)
        self._watch_deadlines()
        return await future

    def suspect(self) -> None:
        """The primary may be another one: have the place look."""
        self._place.suspect()

    async def close(self) -> None:
        """Close now; what waits is answered StoreUnavailable."""
        self._closed = True
        await end_tasks(self._task)
        connection = self._connection
        self._drop_connection("the connection was closed")
        if connection is not None:
            await connection.gone()
        self._fail(self._unsent, "the connection was closed", maybe_applied=False)
        if self._timer is not None:
            self._timer.cancel()

    # Sending

    def _schedule(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        if self._timer is None:
            self._watch_deadlines()

    def _flush(self) -> None:
        self._flush_scheduled = False
        if not self._ready or self._connection is None or not self._unsent:
            return
        commands = [command for command in self._unsent if not command.future.done()]
        self._unsent.clear()
        answer_by = self._loop.time() + self._timeout_s
        for command in commands:
            command.deadline = answer_by
        self._sent.extend(commands)
        self._connection.write(b"".join([command.data for command in commands]))

    # Receiving

    def _on_replies(self, connection: Connection, replies: list[Reply]) -> None:
        if connection is not self._connection:
            return
        for reply in replies:
            if not self._sent:
                raise ProtocolError("a reply that nobody asked for")
            future = self._sent.popleft().future
            if future.done():
                continue
            if isinstance(reply, StoreReplyError):
                future.set_exception(self._fault(reply))
            else:
                future.set_result(reply)

    def _fault(self, reply: StoreReplyError) -> StoreError:
        if reply.code != "READONLY":
            return reply
        self._place.suspect()
        return StoreUnavailable("it is a replica now", maybe_applied=False)

    # Time

    def _watch_deadlines(self, delay_s: float | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(
            self._timeout_s / 4 if delay_s is None else delay_s, self._check_deadlines
        )

    def _check_deadlines(self, *, again: bool = False) -> None:
        self._timer = None
        now = self._loop.time()
        if self._sent and self._sent[0].deadline <= now:
            if again and self._connection is not None:
                self._connection.abort()
                self._drop_connection("no answer in time")
            elif not again:
                self._timer = self._loop.call_later(GRACE_S, lambda: self._check_deadlines(again=True))
                return
        late: list[_Command] = []
        while self._unsent and self._unsent[0].deadline <= now:
            late.append(self._unsent.popleft())
        self._fail(late, "no connection to the store", maybe_applied=False)
        if self.pending:
            self._watch_deadlines()

    # Connection

    async def _keep_connected(self, up: "asyncio.Future[None]") -> None:
        delay_s = RETRY_FIRST_S
        while not self._closed:
            try:
                async with asyncio.timeout(self._timeout_s):  # wait_for may swallow our cancellation (3.11)
                    connection = await self._connect()
            except (OSError, StoreError, TimeoutError) as error:
                self._drop_connection("the connection failed")
                if isinstance(error, StoreReplyError) and not _passing(error) and not up.done():
                    up.set_exception(error)
                    return
                await self._rest(delay_s)
                delay_s = min(delay_s * 2, RETRY_MOST_S)
                continue
            delay_s = RETRY_FIRST_S
            if not up.done():
                up.set_result(None)
            await connection.gone()
            self._drop_connection("the connection was lost")

    async def _rest(self, delay_s: float) -> None:
        """Wait before the next try, or until the primary is known to be elsewhere."""
        self._elsewhere.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._elsewhere.wait()

    async def _connect(self) -> Connection:
        target = self._target = await self._place.find()
        connection = await connect(target, self._on_replies)
        self._connection = connection
        if target.password:
            await self.call_now("AUTH", *([target.username] if target.username else []), target.password)
        if target.db:
            await self.call_now("SELECT", target.db)
        await self.call_now("PING")  # an error while the server is still loading its data
        if self._on_connect is not None:
            await self._on_connect(self)
        self.connects += 1
        self._ready = True
        self._schedule()
        return connection

    def _moved(self, target: Target) -> None:
        if target != self._target:
            self._drop_connection("the primary has moved")
            self._elsewhere.set()

    def _drop_connection(self, why: str) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._connection, self._ready = None, False
        self._fail(self._sent, why, maybe_applied=True)

    def _fail(self, commands: "deque[_Command] | list[_Command]", why: str, *, maybe_applied: bool) -> None:
        failed = list(commands)
        commands.clear()
        for command in failed:
            if not command.future.done():
                command.future.set_exception(StoreUnavailable(why, maybe_applied=maybe_applied))


def _passing(error: StoreReplyError) -> bool:
    """Will pass by itself: the server is still reading its data, or has just lost its primary."""
    return error.code in ("LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN")
