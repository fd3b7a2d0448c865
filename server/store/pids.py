"""Subject → pid: the one place where what a token calls somebody meets what the log calls them.

The mapping is random and lies outside the shows, so that erasing a person's field leaves a log that nobody
can attribute. A subject that already is a pid (a guest's) stands for itself.
"""

from collections import OrderedDict
from typing import Final, cast

from server.ids import is_pid, new_pid
from server.store.store import Store

PIDS_KEY: Final = "ls:pids"
CACHED_MAX: Final = 50_000
"""About 10 MB; least recently used go first."""


class Pids:
    """See the module. One per process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: OrderedDict[str, str] = OrderedDict()

    async def resolve(self, subject: str) -> str:
        """The subject's pid, made on first sight; the same for all workers. Raises StoreError."""
        if is_pid(subject):
            return subject
        known = self._cache.get(subject)
        if known is not None:
            self._cache.move_to_end(subject)
            return known
        found = cast("bytes | None", await self._store.reads.call("HGET", PIDS_KEY, subject))
        if found is None:
            await self._store.writes.call("HSETNX", PIDS_KEY, subject, new_pid())
            found = cast("bytes", await self._store.writes.call("HGET", PIDS_KEY, subject))
        pid = found.decode()
        self._cache[subject] = pid
        if len(self._cache) > CACHED_MAX:
            self._cache.popitem(last=False)
        return pid
