"""Entries with the texts in them decrypted: for those who read the log to tell people, never to hash it."""

import asyncio
from typing import Final

import msgspec

from server.log import reader
from server.log.entries import Entry
from server.log.follower import Sink
from server.log.state import ShowSnapshot
from server.store.outcome import StoreError
from server.store.private_text import PrivateText
from server.store.store import Store
from server.telemetry import get_logger, start_task

WAITING_MAX: Final = 5000  # as many as a follower keeps early; then texts are told as erased

log = get_logger(__name__)


async def read_entries(
    store: Store, texts: PrivateText, show: str, after_seq: int, limit: int
) -> list[Entry]:
    """As `reader.entries`, told. Raises StoreError."""
    found = await reader.entries(store, show, after_seq, limit)
    await texts.load({pid for entry in found for pid in texts.missing(entry.raw)})
    return [told(texts, show, entry) for entry in found]


def told(texts: PrivateText, show: str, entry: Entry) -> Entry:
    """The entry with its texts; `raw` stays what was hashed."""
    if b'"aes1:' not in entry.raw:
        return entry
    return msgspec.structs.replace(entry, body=texts.tell(show, entry.body))


class TellingSink:
    """Stands between the follower and the hub, and keeps their order.

    Entries whose keys this process does not have wait for one read of the store, and with them those behind.
    """

    def __init__(self, sink: Sink, texts: PrivateText) -> None:
        self._sink, self._texts = sink, texts
        self._waiting: dict[str, list[Entry]] = {}
        self._fetching: set[asyncio.Task[None]] = set()

    def on_entries(self, show: str, entries: list[Entry]) -> None:
        """New entries, contiguous with those before."""
        waiting = self._waiting.get(show)
        if waiting is not None:
            waiting += entries
        elif any(self._texts.missing(entry.raw) for entry in entries):
            waiting = self._waiting[show] = list(entries)
            task = start_task(self._fetch(show, waiting), "keys of private texts")
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)
        else:
            self._tell(show, entries)

    def on_other(self, show: str, tag: str, data: bytes) -> None:
        """Chat and counts have nothing to wait for."""
        self._sink.on_other(show, tag, data)

    def on_reset(self, show: str, snapshot: ShowSnapshot) -> None:
        """What waits is before the snapshot."""
        self._waiting.pop(show, None)
        self._sink.on_reset(show, snapshot)

    async def _fetch(self, show: str, waiting: list[Entry]) -> None:
        asked: set[str] = set()
        while self._waiting.get(show) is waiting:
            missing = {pid for entry in waiting for pid in self._texts.missing(entry.raw)} - asked
            if not missing or len(waiting) > WAITING_MAX:
                del self._waiting[show]
                self._tell(show, waiting)
                return
            asked |= missing
            try:
                await self._texts.load(missing)
            except StoreError:
                log.warning("keys_not_read", show=show)

    def _tell(self, show: str, entries: list[Entry]) -> None:
        self._sink.on_entries(show, [told(self._texts, show, entry) for entry in entries])
