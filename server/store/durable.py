"""Durable writes: a command is answered when enough replicas have it, or it is not a promise.

One WAIT a batch: what is asked for while a batch is under way leaves with the next one, so a busy store has
larger batches and not more of them. Every batch ends with a write of its own, the fence, because WAIT looks
only at what its connection has written: a repeat that finds the order of a failed attempt writes nothing, and
without the fence it would be acknowledged although no replica has it. The fence lies behind everything that
anybody wrote before it.

A WAIT that falls short makes the answers of its batch StoreDegraded(maybe_applied=True). From then on
commands are refused unsent, until an empty batch, tried every RETRY_S, is had by enough replicas; one is also
tried every IDLE_S, so that a replica that goes away is known before the next buyer comes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from server.store.outcome import StoreBusy, StoreDegraded, StoreError, StoreUnavailable
from server.store.resp import Arg, Reply, encode
from server.store.wire import MAX_PENDING, Wire
from server.telemetry import end_tasks, gauge, get_logger, start_task

WAIT_MS: Final = 500
"""A healthy replica has it within a millisecond, one that syncs its own file within some ten."""
RETRY_S, IDLE_S = 0.2, 1.0
BATCH_MAX: Final = 500
"""Some 25 ms of the store."""
FENCE_KEY: Final = "ls:fence"

DEGRADED = gauge("store_degraded", "Primaries of which too few replicas keep up: nothing can be bought")
log = get_logger(__name__)


class _Command:
    __slots__ = ("data", "future")

    def __init__(self, data: bytes, future: "asyncio.Future[Reply]") -> None:
        self.data, self.future = data, future


class Durable:
    """See the module. It has a connection to itself: a WAIT keeps whatever is behind it waiting.

    Nothing is taken before the first empty batch was had by all.
    """

    def __init__(self, wire: Wire, replicas: int, fence_key: Callable[[], str] = lambda: FENCE_KEY) -> None:
        self.able = False
        self._fence_key = fence_key
        self._wire, self._replicas = wire, replicas
        self._queue: deque[_Command] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        DEGRADED.inc()
        self._task = start_task(self._run(), "durable writes")

    @property
    def pending(self) -> int:
        """Commands waiting for their answer."""
        return len(self._queue) + self._wire.pending

    def call(self, *args: Arg) -> "asyncio.Future[Reply]":
        """As `Wire.call`; also raises StoreDegraded."""
        return self.send(encode(args))

    def send(self, command: bytes) -> "asyncio.Future[Reply]":
        """As `Wire.send`; also raises StoreDegraded."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if not self.able:
            future.set_exception(StoreDegraded("too few replicas keep up", maybe_applied=False))
        elif len(self._queue) >= MAX_PENDING:
            future.set_exception(StoreBusy(f"{len(self._queue)} commands are waiting for the replicas"))
        else:
            self._queue.append(_Command(command, future))
            self._wake.set()
        return future

    def of(self, tag: str) -> "Durable":  # noqa: ARG002 - there is but one node
        """The way to the node of a show: this one."""
        return self

    def all(self) -> "list[Durable]":
        """One to every primary: this one."""
        return [self]

    async def close(self) -> None:
        """Stop, and close the connection; what waits is answered with an error."""
        await end_tasks(self._task)
        await self._wire.close()
        self._refuse_all()
        if not self.able:
            DEGRADED.dec()

    async def _run(self) -> None:
        while True:
            if not self._queue:
                await self._idle()
            batch: list[_Command] = []
            while self._queue and len(batch) < BATCH_MAX:
                command = self._queue.popleft()
                if not command.future.done():
                    batch.append(command)
            self._judge(await self._commit(batch))

    async def _idle(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(IDLE_S if self.able else RETRY_S):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _commit(self, batch: list[_Command]) -> bool:
        """Send a batch, and answer it; tells whether enough replicas have it."""
        sent = [self._wire.send(command.data) for command in batch]
        fence = self._wire.call("SET", self._fence_key(), "1")
        wait = self._wire.call("WAIT", self._replicas, WAIT_MS)
        try:
            results = await asyncio.gather(*sent, fence, wait, return_exceptions=True)
        except asyncio.CancelledError:
            _fail(batch, StoreUnavailable("closing", maybe_applied=True))
            raise
        fenced, acknowledged = results[-2:]
        enough = fenced == b"OK" and isinstance(acknowledged, int) and acknowledged >= self._replicas
        for command, result in zip(batch, results[:-2], strict=True):
            if command.future.done():
                continue
            if isinstance(result, BaseException):
                command.future.set_exception(result)
            elif enough:
                command.future.set_result(result)
            else:
                short = StoreDegraded("too few replicas have it", maybe_applied=True)
                command.future.set_exception(short)
        return enough

    def _judge(self, enough: bool) -> None:
        if enough and not self.able:
            log.info("store_durable", replicas=self._replicas)
            DEGRADED.dec()
        elif self.able and not enough:
            log.error("store_degraded", replicas=self._replicas)
            DEGRADED.inc()
        self.able = enough
        if not enough:
            self._wire.suspect()
            self._refuse_all()

    def _refuse_all(self) -> None:
        _fail(self._queue, StoreDegraded("too few replicas keep up", maybe_applied=False))
        self._queue.clear()


def _fail(commands: Iterable[_Command], error: StoreError) -> None:
    for command in commands:
        if not command.future.done():
            command.future.set_exception(error)
