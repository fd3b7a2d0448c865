"""A primary that Sentinels watch: asks them where it is, keeps asking, and tells everybody when it has moved.

All Sentinels are asked at once and the newest configuration among a majority's answers counts, so that one
that is cut off with the old primary does not lead us back to it. They are asked at every connection, once a
second, and soon after something looks like a move (a WAIT that falls short, READONLY): a primary that was cut
off, whose sockets are merely silent, is left as soon as there is another one.

https://redis.io/docs/latest/develop/reference/sentinel-clients/
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from redis.asyncio import Redis, Sentinel

from server.store.connection import ask
from server.store.lookout import Lookout
from server.store.outcome import StoreReplyError, StoreUnavailable
from server.store.topology import Place, Target, Watched, pool_options
from server.telemetry import counter, end_tasks, get_logger

ASK_S: Final = 0.5

MOVES = counter("store_moves", "Times that the store's primary was found to be another node")
log = get_logger(__name__)


class Sentinels(Place):
    """See the module. Make it in the loop that uses it; `close` ends its task."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(watched.node)
        self._watched = watched
        self._epoch = -1
        self._listeners: list[Callable[[Target], None]] = []
        self._redis: Redis | None = None
        self._lookout = Lookout(self._look, "sentinels")

    def __repr__(self) -> str:
        """For logs."""
        return f"{self._watched.name} of {len(self._watched.sentinels)} sentinels"

    async def find(self) -> Target:
        """The primary as the Sentinels know it now. Raises StoreUnavailable."""
        answers = await self._ask_all()
        majority = len(self._watched.sentinels) // 2 + 1
        if not answers or (len(answers) < majority and max(answers)[0] < self._epoch):
            raise StoreUnavailable(f"no sentinel says where {self._watched.name} is", maybe_applied=False)
        self._epoch, host, port = max(answers)
        found = self._watched.at(host, port)
        if found != self.target:
            self._move_to(found)
        return found

    def on_move(self, moved: Callable[[Target], None]) -> None:
        """Have `moved` called with every new primary."""
        self._listeners.append(moved)

    def suspect(self) -> None:
        """It looks as if the primary were another one: look soon."""
        self._lookout.suspect()

    def pool(self) -> Redis:
        """redis-py's connections, which ask the Sentinels by themselves."""
        theirs, options = self._watched.sentinels[0], pool_options(self._watched.node)
        sentinel = Sentinel(
            [(each.host, each.port) for each in self._watched.sentinels],
            sentinel_kwargs=pool_options(theirs) | {"ssl": theirs.tls, "socket_timeout": ASK_S},
            ssl=self._watched.node.tls,
            **options,
        )
        self._redis = sentinel.master_for(self._watched.name, db=self._watched.node.db)
        return self._redis

    async def close(self) -> None:
        """Stop looking."""
        await self._lookout.close()

    def _move_to(self, target: Target) -> None:
        if self.target.host:
            log.warning("store_moved")
            MOVES.inc()
        self.target = target
        for moved in self._listeners:
            moved(target)

    async def _look(self) -> None:
        before = self.target
        await self.find()
        if self.target != before and self._redis is not None:
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _ask_all(self) -> list[tuple[int, str, int]]:
        """(configuration epoch, host, port) of a majority, or of all who answer in time."""
        majority = len(self._watched.sentinels) // 2 + 1
        pending = {asyncio.create_task(self._ask(each)) for each in self._watched.sentinels}
        answers: list[tuple[int, str, int]] = []
        try:
            while pending and len(answers) < majority:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                answers += [answer for task in done if (answer := task.result()) is not None]
        finally:
            await end_tasks(*pending)
        return answers

    async def _ask(self, sentinel: Target) -> tuple[int, str, int] | None:
        try:
            reply = await ask(sentinel, "SENTINEL", "MASTER", self._watched.name, timeout_s=ASK_S)
        except (OSError, TimeoutError, StoreReplyError):
            return None
        flat = cast("list[bytes]", reply)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return int(fields[b"config-epoch"]), fields[b"ip"].decode(), int(fields[b"port"])
