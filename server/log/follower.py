"""Following shows: every entry of their logs, in order and once, to one sink; and what else their feeds
carry.

Subscribe, have it confirmed, read the snapshot, then apply what comes with a seq above it. Publication can
lose messages, so once a second each show's head is compared with what was applied; a gap is filled from the
log on the read connection. A head below what was applied, or other bytes at that seq, means that the store
lost entries (a failover): the show gets a new epoch, and the sink is told to start over (`on_reset`). After
every reconnection nothing is applied before that has been looked at, or what overtook the lost entries would
be applied on top of them.
"""

import asyncio
import contextlib
import secrets
from typing import Protocol

from server.log import reader
from server.log.entries import Entry, EntryError, decode
from server.log.state import ShowSnapshot
from server.store.outcome import StoreError
from server.store.resp import Reply
from server.store.store import Store
from server.store.subscriber import Messages
from server.telemetry import counter, end_tasks, get_logger, start_task

POLL_S = 1.0
EARLY_MAX = 5000
"""Entries kept that came before their turn; beyond that they are dropped and read from the log."""

GAPS = counter("log_gaps", "Gaps in a followed log that were filled from the store")
RESETS = counter("log_resets", "Times that a followed log had to be started over")
log = get_logger(__name__)


class Sink(Protocol):
    """Whom a follower tells. All calls come from the loop, in order per show, and must not block."""

    def on_entries(self, show: str, entries: list[Entry]) -> None:
        """New entries, contiguous with those before."""

    def on_other(self, show: str, tag: str, data: bytes) -> None:
        """Something else from the feed: tag `C` chat, `V` counts, …"""

    def on_reset(self, show: str, snapshot: ShowSnapshot) -> None:
        """Start over at `snapshot`, which the next entries continue: they need not follow what was before."""


class _Followed:
    """Where this process is in one show's log."""

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.last_raw = b""
        self.started = False
        self.checked = True  # False: what comes may follow other entries than those that were applied
        self.early: dict[int, Entry] = {}
        self.catching_up: asyncio.Task[None] | None = None

    def start_at(self, snapshot: ShowSnapshot) -> None:
        self.epoch, self.seq, self.last_raw = snapshot.epoch, snapshot.seq, b""
        self.started = self.checked = True

    def take(self) -> list[Entry]:
        """What of the early entries is now due."""
        due: list[Entry] = []
        while (entry := self.early.pop(self.seq + 1, None)) is not None:
            due.append(entry)
            self.seq, self.last_raw = entry.seq, entry.raw
        return due


class Follower:
    """One per process. `await start()`, then `follow` and `unfollow` shows as viewers come and go."""

    def __init__(self, store: Store, sink: Sink, *, poll_s: float = POLL_S) -> None:
        self._store, self._sink, self._poll_s = store, sink, poll_s
        self._shows: dict[str, _Followed] = {}
        self._subscriber = store.subscriber(self._on_messages, self._on_up)
        self._poller: asyncio.Task[None] | None = None
        self._poll_now = asyncio.Event()

    async def start(self) -> None:
        """Begin; nothing is followed yet."""
        self._subscriber.start()
        self._poller = start_task(self._poll_forever(), "follower poll")

    async def close(self) -> None:
        """Stop following everything."""
        tasks = [followed.catching_up for followed in self._shows.values()]
        self._shows.clear()
        await end_tasks(self._poller, *tasks)
        await self._subscriber.close()

    async def follow(self, show: str) -> ShowSnapshot | None:
        """Follow from now on. Gives the snapshot that the first entries continue, or None: no such show.

        Raises StoreError when the store does not answer; then the show is not followed.
        """
        followed = self._shows.setdefault(show, _Followed())
        try:
            await self._subscriber.subscribe(_channel(show))
            snapshot = await reader.snapshot(self._store, show)
        except BaseException:
            self.unfollow(show)
            raise
        if snapshot is None:
            self.unfollow(show)
        elif not followed.started:
            followed.start_at(snapshot)
            self._advance(show, followed)
        return snapshot

    def unfollow(self, show: str) -> None:
        """Stop following; unknown shows are fine."""
        followed = self._shows.pop(show, None)
        if followed is not None:
            self._subscriber.unsubscribe(_channel(show))
            if followed.catching_up is not None:
                followed.catching_up.cancel()

    # What comes

    def _on_messages(self, messages: Messages) -> None:
        touched: set[str] = set()
        for channel, payload in messages:
            show = channel[4:-6]
            followed = self._shows.get(show)
            if followed is None:
                continue
            if payload[:1] != b"L":
                self._sink.on_other(show, payload[:1].decode("latin-1"), payload[1:])
            elif self._keep(followed, payload[1:]):
                touched.add(show)
        for show in touched:
            if show in self._shows:
                self._advance(show, self._shows[show])

    def _keep(self, followed: _Followed, raw: bytes) -> bool:
        try:
            entry = decode(raw)
        except EntryError:
            log.warning("bad_entry_on_feed")
            return False
        if followed.started and entry.seq == followed.seq and _differs(followed.last_raw, entry.raw):
            self._check(followed)
        if (followed.started and entry.seq <= followed.seq) or len(followed.early) >= EARLY_MAX:
            return False
        followed.early[entry.seq] = entry
        return True

    def _advance(self, show: str, followed: _Followed) -> None:
        if not followed.started or not followed.checked:
            return
        due = followed.take()
        if due:
            self._sink.on_entries(show, due)
            if any(entry.kind == "epoch" for entry in due):
                self._catch_up(show, followed, reset=True)
        for seq in [seq for seq in followed.early if seq <= followed.seq]:
            del followed.early[seq]
        if followed.early:
            self._catch_up(show, followed)

    # What was missed

    def _catch_up(self, show: str, followed: _Followed, *, reset: bool = False) -> None:
        if followed.catching_up is None or followed.catching_up.done():
            work = self._reset(show, followed) if reset else self._fill(show, followed)
            followed.catching_up = start_task(work, "follower catch up")

    async def _fill(self, show: str, followed: _Followed) -> None:
        """Read what is missing from the log, until nothing is."""
        GAPS.inc()
        try:
            while self._shows.get(show) is followed and followed.checked:
                applied = (followed.seq, followed.last_raw)
                entries = await reader.entries(self._store, show, followed.seq - 1)
                if not self._continues(followed, applied, entries) or not followed.checked:
                    return
                if entries and entries[0].seq > followed.seq + 1:  # trimmed away: only a snapshot helps
                    await self._reset(show, followed)
                    return
                followed.early.update((entry.seq, entry) for entry in entries if entry.seq > followed.seq)
                due = followed.take()
                if not due:
                    return
                self._sink.on_entries(show, due)
        except StoreError:
            log.warning("gap_not_filled", show=show)
        finally:
            if not followed.checked:
                self._poll_now.set()  # a poll leaves alone what is being filled

    def _continues(self, followed: _Followed, applied: tuple[int, bytes], entries: list[Entry]) -> bool:
        """Is the first of these entries the last that was applied, as it was?"""
        if entries and entries[0].seq == applied[0] and _differs(applied[1], entries[0].raw):
            self._check(followed)
            return False
        return True

    async def _reset(self, show: str, followed: _Followed) -> None:
        """Start over at a fresh snapshot and have the sink do the same."""
        RESETS.inc()
        followed.started = False
        followed.early.clear()
        while self._shows.get(show) is followed:
            try:
                snapshot = await reader.snapshot(self._store, show)
            except StoreError:
                await asyncio.sleep(self._poll_s)
                continue
            if snapshot is not None:
                followed.start_at(snapshot)
                self._sink.on_reset(show, snapshot)
                self._sink_due(show, followed)
            return

    def _sink_due(self, show: str, followed: _Followed) -> None:
        due = followed.take()
        if due:
            self._sink.on_entries(show, due)

    # The poll

    def _on_up(self) -> None:
        for show, followed in self._shows.items():
            if followed.last_raw:
                self._check(followed)
            elif followed.started:  # at a snapshot that was read a moment ago
                self._catch_up(show, followed)

    def _check(self, followed: _Followed) -> None:
        """Apply nothing more until the next poll, which is now, has found what was applied in the store."""
        followed.checked = False
        self._poll_now.set()

    async def _poll_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._poll_now.wait()
            self._poll_now.clear()
            shows = [(show, followed) for show, followed in self._shows.items()]
            results = await asyncio.gather(*(self._poll(*each) for each in shows), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, StoreError):
                    raise result

    async def _poll(self, show: str, followed: _Followed) -> None:
        """Compare head and last entry with what was applied when we asked."""
        if followed.catching_up is not None and not followed.catching_up.done():
            return
        if not followed.started:
            self._catch_up(show, followed, reset=True)
            return
        seq, raw = followed.seq, followed.last_raw
        base = f"ls:{{{show}}}:"
        head_reply, rows = await asyncio.gather(
            self._store.reads.call("HMGET", base + "show", "epoch", "seq", "prev_public"),
            self._store.reads.call("XRANGE", base + "log", f"{seq}-0", f"{seq}-0"),
        )
        head = reader.read_head(head_reply)
        if head is None or self._shows.get(show) is not followed or followed.seq < seq:
            return
        if head.epoch == followed.epoch and (head.seq < seq or _other_bytes(rows, raw)):
            await self._new_epoch(show, followed.epoch, seq)
            self._catch_up(show, followed, reset=True)
        elif head.epoch != followed.epoch:
            self._catch_up(show, followed, reset=True)
        else:
            self._found(show, followed, head.seq, rows)

    def _found(self, show: str, followed: _Followed, head_seq: int, rows: Reply) -> None:
        """The store has what was applied."""
        followed.checked = True
        if not followed.last_raw and (stored := reader.raw_rows(rows)):
            followed.last_raw = stored[0]  # a snapshot has no bytes to compare with: these from now on
        self._advance(show, followed)
        if head_seq > followed.seq:
            self._catch_up(show, followed)

    async def _new_epoch(self, show: str, epoch: str, seen_seq: int) -> None:
        log.error("log_lost_entries", show=show, seen_seq=seen_seq)
        await self._store.scripts.run("new_epoch", show, "", "", epoch, secrets.token_urlsafe(9), seen_seq)


def _other_bytes(rows: Reply, raw: bytes) -> bool:
    """Is another entry stored where we applied `raw`? (Nothing there: trimmed, or never written.)"""
    stored = reader.raw_rows(rows)
    return bool(stored) and _differs(raw, stored[0])


def _differs(applied: bytes, raw: bytes) -> bool:
    """Are these the bytes of another entry? What a snapshot brought is not known by its bytes."""
    return applied not in (b"", raw)


def _channel(show: str) -> str:
    return f"ls:{{{show}}}:feed"
