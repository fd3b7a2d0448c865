"""The viewers of one show on this worker, and what they are told. Synchronous: no awaits, no timers, no
store.

`on_entries` and the other events come from the hub; `Admission` lets viewers in. The rule that everything
here keeps: a seated viewer has been handed every public entry up to `history.public_head`, or has it queued
in the lanes; so one who is not seated needs only the entries after its `resume`, or a snapshot.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from server.live.chat_feed import ChatFeed, decode_line
from server.live.crowd_counts import Headcount, LastMinute, Tally, decode_counts
from server.live.frames import keep, text_frame
from server.live.history import History, Kept
from server.live.lanes import Lane, Lanes, Seat
from server.live.limits import HEADCOUNT_INTERVAL_MS, URGENT_BACKLOG_MAX
from server.live.projection import Told, project
from server.live.protocol import Update, encode
from server.live.stock import Level, PublicStock, StockBoard
from server.live.updates import Clock, Tick
from server.live.viewers import Pass, Resume, Viewer, is_staff, shared_roles
from server.log.entries import Entry
from server.log.state import ShowSnapshot, stock_view

CLOSE_BANNED: Final = 4503
STOCK_RETRY_MS: Final = 10  # the shortest wait between looks at the stock
TICK_SILENCE_MS: Final = (
    1_000  # a tick at least this often: its `head` tells a viewer that it lost the newest entry
)


class Crowd:
    """See the module. `now_ms` gives server time; `show` is the show's id."""

    def __init__(self, show: str, lanes: Lanes, now_ms: Callable[[], int]) -> None:
        self.show = show
        self.lanes = lanes
        self.epoch = ""
        self.history = History()
        self.stock = StockBoard()
        self.chat = ChatFeed()
        self.headcount = Headcount()
        self.taps = Tally()
        self.reactions = Tally()
        self.freezes = LastMinute()
        self.viewers: dict[Viewer, None] = {}  # a set that keeps its order: runs can be repeated
        self.clock: Clock | None = None
        self._now_ms = now_ms
        self._owner, self._guests = "", ""
        self._banned: set[str] = set()
        self._public_stock = PublicStock()
        self._seats: dict[Seat, None] = {}
        self._staff_seats: dict[Seat, None] = {}
        self._by_pid: dict[str, dict[Viewer, None]] = {}
        self.told_viewers = 0
        self._last_tick_ms = 0

    # Membership

    def add(self, viewer: Viewer) -> None:
        """Count a viewer in; it hears nothing yet."""
        self.viewers[viewer] = None
        if viewer.holder.pid:
            self._by_pid.setdefault(viewer.holder.pid, {})[viewer] = None

    def remove(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self.unseat(viewer)
        self.viewers.pop(viewer, None)
        same = self._by_pid.get(viewer.holder.pid)
        if same is not None:
            same.pop(viewer, None)
            if not same:
                del self._by_pid[viewer.holder.pid]

    def of_pid(self, pid: str) -> list[Viewer]:
        """The connections of one person."""
        return list(self._by_pid.get(pid, ()))

    def take_seat(self, viewer: Viewer) -> None:
        """From now on every update goes to `viewer`, which has everything up to now."""
        viewer.seat = seat = Seat(viewer.sink)
        viewer.resume = None
        self._seats[seat] = None
        if is_staff(viewer.roles):
            self._staff_seats[seat] = None

    def unseat(self, viewer: Viewer) -> None:
        """Write nothing more to `viewer`, and note what it has: all, unless an entry is half written."""
        seat = viewer.seat
        if seat is None:
            return
        viewer.seat = None
        seat.give_up()
        self._seats.pop(seat, None)
        self._staff_seats.pop(seat, None)
        whole = self.lanes.urgent_backlog == 0
        viewer.resume = Resume(self.epoch, self.history.public_head, whole)

    # The log

    def start(self, epoch: str, head: int, public_head: int) -> None:
        """Begin at a point of the log: nothing before it is known, nobody is seated."""
        self.lanes.clear()
        for viewer in self.viewers:
            self.unseat(viewer)
            viewer.resume = None
        self.epoch = epoch
        self.history.start(head, public_head)
        self.stock = StockBoard()
        self._banned.clear()

    def preload(self, entries: Iterable[Entry]) -> None:
        """Take entries that lie before the live ones, so that returning viewers find them."""
        for entry in entries:
            self._keep(project(entry, self.epoch, self.show), entry, told_before=True)

    def on_entries(self, entries: Iterable[Entry]) -> bool:
        """Apply entries and tell those concerned. False: they do not fit, or too many wait; start anew."""
        for entry in entries:
            if entry.seq <= self.history.head:
                continue
            told = project(entry, self.epoch, self.show)
            kept = self._keep(told, entry)
            if kept is not None:
                self._note_ban(told, kept)
                self._broadcast(kept)
            elif told.public is not None:
                return False
            if told.own is not None:
                _write_all(self.of_pid(told.own_pid), text_frame(told.own))
            if entry.kind == "member.set":
                self._set_members(entry.body)
        return self.lanes.urgent_backlog <= URGENT_BACKLOG_MAX

    def _keep(self, told: Told, entry: Entry, *, told_before: bool = False) -> Kept | None:
        for level in told.stock:
            self.stock.note(level, told=told_before)
        if told.deleted_messages:
            self.chat.delete(told.deleted_messages)
        if entry.kind == "product.updated":
            sku, display = entry.body.get("sku"), entry.body.get("stock_display")
            self._public_stock.show_as(str(sku), str(display or "exact"))
        if told.public is None:
            self.history.advance(told.seq)
            return None
        kept = keep(told, told.public)
        return kept if self.history.add(kept) else None

    def _broadcast(self, kept: Kept) -> None:
        if kept.full is None:
            self.lanes.push(Lane.URGENT, kept.frame, self._seats)
            return
        seats = [viewer.seat for viewer in self.of_pid(kept.target) if viewer.seat is not None]
        theirs = dict.fromkeys(seat for seat in seats if seat not in self._staff_seats)
        rest = [seat for seat in self._seats if seat not in theirs and seat not in self._staff_seats]
        self.lanes.push(Lane.URGENT, kept.frame, rest)
        self.lanes.push(Lane.URGENT, kept.full, self._staff_seats)
        self.lanes.push(Lane.URGENT, kept.personal or kept.frame, theirs)

    def has_banned(self, pid: str) -> bool:
        """Was `pid` banned since this worker follows the show?"""
        return pid in self._banned

    def _note_ban(self, told: Told, kept: Kept) -> None:
        if told.banned_pid:
            self._banned.add(told.banned_pid)
            self._banish(told.banned_pid, kept)
        elif told.target and told.unbans:
            self._banned.discard(told.target)

    def _banish(self, pid: str, kept: Kept) -> None:
        """Close all connections of one person; the reason goes ahead of the close, past whatever is
        queued.
        """
        for viewer in self.of_pid(pid):
            if viewer.seat is not None:
                viewer.seat.write(kept.frame_for(pid, staff=is_staff(viewer.roles)))
            viewer.close(CLOSE_BANNED, "banned")

    def _set_members(self, body: Mapping[str, Any]) -> None:
        """Give the connections of one person the roles that the show's members table has now."""
        pid = str(body.get("subject") or "")
        listed: object = body.get("roles") or ""
        members = (
            ",".join(map(str, cast("list[object]", listed))) if isinstance(listed, list) else str(listed)
        )
        for viewer in self.of_pid(pid):
            viewer.roles = self.roles_of(viewer.holder, members=members)
            if viewer.seat is not None and is_staff(viewer.roles):
                self._staff_seats[viewer.seat] = None
            elif viewer.seat is not None:
                self._staff_seats.pop(viewer.seat, None)

    def roles_of(self, holder: Pass, *, members: str) -> frozenset[str]:
        """What a ticket's holder may be called on this show, given what the members table says."""
        is_owner = bool(holder.pid) and holder.pid == self._owner
        return shared_roles(holder.role, self._guests, is_owner, members)

    # Catching up

    def owed(self, viewer: Viewer, kept: Iterable[Kept], since_seq: int) -> bytes:
        """The bytes that bring a viewer from `since_seq` to now, given the public entries between."""
        staff = is_staff(viewer.roles)
        frames = [entry.frame_for(viewer.holder.pid, staff=staff) for entry in kept]
        frames += [self._stock_frame(level, exact=staff) for level in self.stock.since(since_seq)]
        if self.clock is not None:
            frames.append(self.frame("clock", self.clock))
        return b"".join(frames)

    def learn(self, snapshot: ShowSnapshot) -> None:
        """Take from a snapshot what updates and roles are made with."""
        self._owner, self._guests = snapshot.owner, snapshot.guests
        self._public_stock.learn(snapshot)

    # Outside the chain

    def on_chat(self, data: bytes) -> None:
        """Take a chat line from the feed."""
        line = decode_line(data)
        if line is not None:
            self.chat.add(line)

    def on_counts(self, data: bytes, own_worker: str) -> None:
        """Take what a worker, this one too, says of its viewers."""
        counts = decode_counts(data)
        if counts is None:
            return
        for kind, n in counts.reactions.items():
            self.reactions.add(kind, n)
        if counts.worker != own_worker:
            self.headcount.note(counts.worker, counts.viewers, self._now_ms())

    def count(self) -> int:
        """The viewers of the show over all workers."""
        return self.headcount.total(len(self.viewers), self._now_ms())

    def on_clock(self, publication: str, rtp_timestamp: int, server_ms: int) -> None:
        """Tell everybody which server time a video frame has; kept for newcomers."""
        self.clock = Clock(publication, rtp_timestamp, server_ms)
        self.lanes.push(Lane.LATEST, self.frame("clock", self.clock), self._seats)

    def tell_stock(self) -> int | None:
        """Tell the levels that are due; returns when (server ms) to call again, None: when something changes.

        While the last ones are still being written only what is sold out is told.
        """
        now_ms = self._now_ms()
        for lane, only_sold_out in ((Lane.URGENT, True), (Lane.LATEST, False)):
            if only_sold_out or not self.lanes.busy(lane):
                self._push_stock(lane, self.stock.due(now_ms, only_sold_out=only_sold_out))
        next_ms = self.stock.next_due_ms()
        return None if next_ms is None else max(next_ms, now_ms + STOCK_RETRY_MS)

    def _push_stock(self, lane: Lane, levels: list[Level]) -> None:
        """One write a viewer, however many products changed."""
        if not levels:
            return
        public = b"".join(self._stock_frame(level, exact=False) for level in self._public_stock.news(levels))
        exact = b"".join(self._stock_frame(level, exact=True) for level in levels)
        if public == exact:
            self.lanes.push(lane, public, self._seats)
            return
        if public:
            self.lanes.push(lane, public, [seat for seat in self._seats if seat not in self._staff_seats])
        self.lanes.push(lane, exact, self._staff_seats)

    def tick(self, interval_ms: int) -> None:
        """Send a tick, unless there is nothing to say or the last one is still being written."""
        if self.lanes.busy(Lane.TICK):
            return
        now_ms, viewers = self._now_ms(), self.count()
        batch, reactions = self.chat.batch(interval_ms), self.reactions.take()
        wait_ms = HEADCOUNT_INTERVAL_MS if viewers != self.told_viewers else TICK_SILENCE_MS
        if batch.lines or batch.skipped or reactions:
            wait_ms = 0
        if now_ms - self._last_tick_ms < wait_ms:
            return
        self.told_viewers, self._last_tick_ms = viewers, now_ms
        data = Tick(self.history.public_head, viewers, reactions, batch.lines, batch.skipped)
        self.lanes.push(Lane.TICK, self.frame("tick", data), self._seats)

    def tell_all(self, type_: str, data: object) -> None:
        """Tell every seated viewer something outside the chain, at once."""
        self.lanes.push(Lane.URGENT, self.frame(type_, data), self._seats)

    def frame(self, type_: str, data: object) -> bytes:
        """An update outside the chain, framed."""
        update = Update(type=type_, show=self.show, epoch=self.epoch, ts=self._now_ms(), data=data)
        return text_frame(encode(update))

    def _stock_frame(self, level: Level, *, exact: bool) -> bytes:
        amounts = (level.left, level.held, level.sold)
        data = (
            stock_view(level.sku, *amounts, "exact", waiting=level.waiting)
            if exact
            else self._public_stock.view(level)
        )
        update = Update(
            type="stock", show=self.show, epoch=self.epoch, as_of=level.as_of, ts=self._now_ms(), data=data
        )
        return text_frame(encode(update))


def _write_all(viewers: Iterable[Viewer], frame: bytes) -> None:
    for viewer in viewers:
        if viewer.seat is not None:
            viewer.seat.write(frame)
