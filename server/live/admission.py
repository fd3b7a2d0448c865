"""Letting viewers in: a greeting, what they missed or a snapshot, then their seat among the writers.

Many are let in at once, from the history, or from a snapshot that newcomers share while nothing happens;
ten thousand that return together cost the store fifty reads a second at most. Whoever needs a read waits
in `_arrivals`, and one task serves all. Nothing is kept for a viewer that fell behind: when it has drained
it arrives here again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from server.live.crowd import Crowd
from server.live.frames import keep, text_frame
from server.live.history import Kept
from server.live.limits import CATCH_UP_ENTRIES_MAX, Rates, tick_interval_ms, told_to_pages
from server.live.projection import project
from server.live.protocol import Update, encode
from server.live.roles import Action, permits
from server.live.updates import Hello
from server.live.viewers import Viewer, chief_role, is_staff
from server.log.entries import Entry
from server.log.state import ShowSnapshot
from server.store.outcome import StoreError
from server.telemetry import counter, get_logger

PROTOCOL_VERSION: Final = 1
SNAPSHOT_FRESH_MS: Final = 1_000  # what changed since is sent after it, so its age only costs bytes
ADMIT_CHUNK: Final = 64  # arrivals between two turns of the loop: about 2 ms
REACH_S: Final = (
    3.0  # feed and snapshot part by milliseconds; the follower looks once a second for lost messages
)
RETRY_S: Final = 0.5
READ_GAP_S: Final = 0.02  # between two reads for newcomers: fifty a second at most, however many come
VISITOR_ACTIONS: Final = (Action.CHAT, Action.REACT, Action.BUY)

ADMISSIONS = counter("ws_admissions", "Viewers let in", ["by"])
ADMITTED: Final = {by: ADMISSIONS.labels(by=by) for by in ("resume", "snapshot")}
log = get_logger(__name__)

ReadSnapshot = Callable[[], Awaitable[ShowSnapshot | None]]
ReadEntries = Callable[[int], Awaitable[list[Entry]]]


class _Base(msgspec.Struct, frozen=True):
    """A snapshot that newcomers share, as data to be completed with chat, for the public and for staff."""

    epoch: str
    seq: int
    read_ms: int
    public: dict[str, Any]
    staff: dict[str, Any]


class Admission:
    """Lets viewers into one crowd. `run` is its task; `arrive` may be called at any time."""

    def __init__(
        self,
        crowd: Crowd,
        *,
        read_snapshot: ReadSnapshot,
        read_entries: ReadEntries,
        now_ms: Callable[[], int],
        rates: Rates,
    ) -> None:
        self._crowd = crowd
        self._limits = told_to_pages(rates)
        self._read_snapshot = read_snapshot
        self._read_entries = read_entries
        self._now_ms = now_ms
        self._arrivals: list[Viewer] = []
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._base: _Base | None = None
        self._framed: dict[bool, bytes] = {}
        self._framed_base: _Base | None = None
        self._framed_state = (-1, -1)

    def arrive(self, viewer: Viewer) -> None:
        """Let `viewer` in, now or soon. It has no seat; its `resume` says what it has, if anything."""
        if viewer.closing or viewer.write_paused:
            return
        if self._arrivals or not self._admit(viewer, self._current_base(), []):
            self._arrivals.append(viewer)
            self._wake.set()

    def moved_on(self) -> None:
        """The crowd has applied entries."""
        self._progress.set()

    def start_over(self, snapshot: ShowSnapshot) -> None:
        """After `crowd.start`, which took all seats: let everybody in from this snapshot, a chunk at a
        time.
        """
        self._take(snapshot)
        self._progress.set()
        self._arrivals = list(self._crowd.viewers)
        self._wake.set()

    async def run(self) -> None:
        """Serve those who cannot be let in at once, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._serve()
            except (StoreError, TimeoutError) as failure:
                log.warning("admission_delayed", show=self._crowd.show, error=type(failure).__name__)
                await asyncio.sleep(RETRY_S)
            if self._arrivals:
                await asyncio.sleep(READ_GAP_S)
                self._wake.set()

    async def _serve(self) -> None:
        """Let in those who wait now; who comes during the read waits for the next one, and so misses
        nothing.
        """
        waiting, self._arrivals = self._arrivals, []
        try:
            older = await self._read_back(waiting)
            base = await self._base_for(waiting)
        except BaseException:
            self._arrivals = waiting + self._arrivals
            raise
        for served, viewer in enumerate(waiting, start=1):
            if viewer.closing or viewer.write_paused or viewer.seat is not None:
                continue
            if not self._admit(viewer, base, older):
                self._arrivals.append(viewer)
            if served % ADMIT_CHUNK == 0:
                await asyncio.sleep(0)

    async def _base_for(self, waiting: list[Viewer]) -> _Base | None:
        """A snapshot that is no older than the arrival of those who wait; None while the epoch changes."""
        base = self._current_base()
        if base is not None and all(_serves(base, viewer) for viewer in waiting):
            return base
        snapshot = await self._read_snapshot()
        if snapshot is None or not await self._reach(snapshot.epoch, snapshot.seq):
            return None
        for viewer in waiting:  # nobody can have seen what the store has not: that is no place in this log
            if viewer.resume is not None and viewer.resume.seq > self._crowd.history.head:
                viewer.resume = None
        return self._take(snapshot)

    async def _read_back(self, waiting: list[Viewer]) -> list[Kept]:
        """The public entries from where the one longest away left off, when the history is too short for
        it.
        """
        crowd = self._crowd
        since = [
            viewer.resume.seq
            for viewer in waiting
            if viewer.resume is not None
            and viewer.resume.whole
            and viewer.resume.epoch == crowd.epoch
            and viewer.resume.seq >= crowd.history.head - CATCH_UP_ENTRIES_MAX
            and crowd.history.since(viewer.resume.seq) is None
        ]
        if not since:
            return []
        epoch, after, older = crowd.epoch, min(since), list[Kept]()
        while entries := await self._read_entries(after):
            after = entries[-1].seq
            for entry in entries:
                told = project(entry, epoch, crowd.show)
                for level in told.stock:
                    crowd.stock.note(level, told=True)
                if told.public is not None and told.seq <= crowd.history.head:
                    if older and older[-1].seq != told.prev:  # trimmed while we read
                        older.clear()
                    older.append(keep(told, told.public))
            if after >= crowd.history.head:
                break
        return older if epoch == crowd.epoch else []

    async def _reach(self, epoch: str, seq: int) -> bool:
        """Wait until this worker has applied everything that a snapshot reflects; False when the epoch is not
        the crowd's, or ceases to be. Raises TimeoutError.
        """
        async with asyncio.timeout(REACH_S):
            while self._crowd.epoch == epoch and self._crowd.history.head < seq:
                self._progress.clear()
                await self._progress.wait()
        return self._crowd.epoch == epoch

    def _take(self, snapshot: ShowSnapshot) -> _Base:
        self._crowd.learn(snapshot)
        self._base = _Base(
            epoch=snapshot.epoch,
            seq=snapshot.seq,
            read_ms=self._now_ms(),
            public=msgspec.to_builtins(snapshot.for_public()),
            staff=msgspec.to_builtins(snapshot),
        )
        return self._base

    def _current_base(self) -> _Base | None:
        """The shared snapshot, when it is young and nothing has happened since."""
        base = self._base
        if base is None or base.epoch != self._crowd.epoch or base.seq != self._crowd.history.head:
            return None
        return base if self._now_ms() - base.read_ms <= SNAPSHOT_FRESH_MS else None

    # Synchronous from here: nothing can happen between what a viewer is given and its seat.

    def _admit(self, viewer: Viewer, base: _Base | None, older: list[Kept]) -> bool:
        """Give a viewer what it lacks and seat it; False when that takes a read first."""
        crowd = self._crowd
        resume = viewer.resume
        known = resume is not None and resume.whole and resume.epoch == crowd.epoch
        if resume is not None and known and resume.seq <= crowd.history.head:
            missed = self._missed(resume.seq, older)
            if missed is not None:
                self._give(viewer, crowd.owed(viewer, missed, resume.seq), "resume")
                return True
        if base is None or base.epoch != crowd.epoch or not _serves(base, viewer):
            return False
        since = crowd.history.since(base.seq)
        if since is None:
            return False
        self._give(
            viewer, self._snapshot_frame(viewer, base) + crowd.owed(viewer, since, base.seq), "snapshot"
        )
        return True

    def _missed(self, seq: int, older: list[Kept]) -> list[Kept] | None:
        missed = self._crowd.history.since(seq)
        if missed is not None or not older:
            return missed
        rest = self._crowd.history.since(older[-1].seq)
        first = [kept for kept in older if kept.seq > seq]
        if rest is None or not first or first[0].prev > seq:
            return None
        return first + rest

    def _give(self, viewer: Viewer, frames: bytes, by: str) -> None:
        """Write, then seat. The transport may call a pause during the write or soon after; both are fine."""
        if not viewer.greeted:
            viewer.greeted = True
            frames = self._hello(viewer, resumed=by == "resume") + frames
        ADMITTED[by].inc()
        self._crowd.take_seat(viewer)
        if frames:
            viewer.write(frames)

    def _hello(self, viewer: Viewer, *, resumed: bool) -> bytes:
        holder, roles = viewer.holder, viewer.roles
        data = Hello(
            version=PROTOCOL_VERSION,
            subject=holder.subject,
            pid=holder.pid or None,
            role=chief_role(roles),
            name=holder.name or None,
            may=[action.value for action in VISITOR_ACTIONS if holder.pid and permits(action, roles)],
            tick_ms=tick_interval_ms(len(self._crowd.viewers)),
            limits=self._limits,
            server_ms=self._now_ms(),
            resumed=resumed,
        )
        return self._crowd.frame("hello", data)

    def _snapshot_frame(self, viewer: Viewer, base: _Base) -> bytes:
        """The same bytes for all who come between two ticks."""
        crowd, staff = self._crowd, is_staff(viewer.roles)
        state = (crowd.told_viewers, crowd.chat.version)
        if base is not self._framed_base or state != self._framed_state:
            self._framed_base, self._framed_state = base, state
            self._framed.clear()
        frame = self._framed.get(staff)
        if frame is None:
            data = {
                **(base.staff if staff else base.public),
                "viewers": max(crowd.told_viewers, 1),
                "chat": crowd.chat.recent,
            }
            update = Update(
                type="snapshot", show=crowd.show, epoch=base.epoch, seq=base.seq, ts=base.read_ms, data=data
            )
            frame = self._framed[staff] = text_frame(encode(update))
        return frame


def _serves(base: _Base, viewer: Viewer) -> bool:
    """A snapshot must not take a viewer back to where it has been."""
    resume = viewer.resume
    return resume is None or resume.epoch != base.epoch or resume.seq <= base.seq
