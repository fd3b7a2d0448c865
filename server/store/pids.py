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
SCANNED: Final = 1000
"""Mappings looked at in one step of a search: well under a millisecond of the store."""


class Pids:
    """See the module. One per process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: OrderedDict[str, str] = OrderedDict()

    async def resolve(self, subject: str) -> str:
        """The subject's pid, made on first sight; the same for all workers. Raises StoreError."""
        if is_pid(subject):
            return subject
        pid = await self.find(subject)
        if pid is None:
            await self._store.writes.call("HSETNX", PIDS_KEY, subject, new_pid())
            found = cast("bytes", await self._store.writes.call("HGET", PIDS_KEY, subject))
            pid = self._keep(subject, found)
        return pid

    async def find(self, subject: str) -> str | None:
        """The subject's pid, or None when it has none yet. Raises StoreError."""
        if is_pid(subject):
            return subject
        known = self._cache.get(subject)
        if known is not None:
            self._cache.move_to_end(subject)
            return known
        found = cast("bytes | None", await self._store.reads.call("HGET", PIDS_KEY, subject))
        return None if found is None else self._keep(subject, found)

    async def subject_of(self, pid: str) -> str:
        """Whose pid it is, found by looking at all: rare. One that stands for itself is its own subject."""
        cursor = b"0"
        while True:
            reply = await self._store.reads.call("HSCAN", PIDS_KEY, cursor, "COUNT", SCANNED)
            cursor, flat = cast("tuple[bytes, list[bytes]]", reply)
            for subject, found in zip(flat[::2], flat[1::2], strict=True):
                if found.decode() == pid:
                    return subject.decode()
            if cursor == b"0":
                return pid

    async def erase(self, subject: str) -> None:
        """Destroy the mapping. Other processes learn it from `Revocations`. Raises StoreError."""
        await self._store.writes.call("HDEL", PIDS_KEY, subject)
        self._cache.pop(subject, None)

    def forget(self, pid: str) -> None:
        """The mapping to this pid has been destroyed: drop the copy."""
        for subject in [subject for subject, known in self._cache.items() if known == pid]:
            del self._cache[subject]

    def _keep(self, subject: str, found: bytes) -> str:
        pid = self._cache[subject] = found.decode()
        if len(self._cache) > CACHED_MAX:
            self._cache.popitem(last=False)
        return pid
