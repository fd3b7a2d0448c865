"""Every public entry reaches every viewer exactly once and in order, or a snapshot stands for what is
missing.

The real crowd, lanes and admission, driven by a seeded random script: entries of all audiences, viewers
that come, fall behind in the middle of a write, drain, lose their connection with bytes still in flight
and return to another place in the log, lanes that are interrupted after any chunk, and new epochs.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from websockets.frames import Frame

from server.live import history, lanes
from server.live.admission import Admission
from server.live.crowd import Crowd
from server.live.lanes import Lanes, Seat, Sink
from server.live.limits import URGENT_BACKLOG_MAX, Rates
from server.live.viewers import Pass, Resume
from server.log.entries import Entry, decode
from server.log.state import ShowSnapshot

SHOW = "sim"
PIDS = [f"p_{n:022d}" for n in range(6)]
OWNER = "p_owner0000000000000000"


class Log:
    """The truth: a log in memory with its entries' public chain."""

    def __init__(self) -> None:
        self.epoch = "e1"
        self.entries: list[Entry] = []

    @property
    def head(self) -> int:
        return len(self.entries)

    @property
    def public_head(self) -> int:
        return next((entry.seq for entry in reversed(self.entries) if entry.is_public), 0)

    def append(self, audience: str, kind: str, body: dict[str, Any]) -> Entry:
        raw = {
            "seq": self.head + 1,
            "prev_public": self.public_head,
            "audience": audience,
            "ts": 1000 + self.head,
            "at_ms": 1000 + self.head,
            "kind": kind,
            "actor": OWNER,
            "body": body,
        }
        entry = decode(json.dumps(raw).encode())
        self.entries.append(entry)
        return entry

    def snapshot(self) -> ShowSnapshot:
        fields: dict[str, Any] = dict.fromkeys(ShowSnapshot.__struct_fields__, 0)
        fields |= {"id": SHOW, "owner": OWNER, "guests": "chat", "products": (), "epoch": self.epoch}
        fields |= {"seq": self.head, "public_seq": self.public_head}
        return ShowSnapshot(**fields)

    def since(self, after: int, limit: int = 7) -> list[Entry]:
        return self.entries[after : after + limit]


class SimulatedViewer:
    """A connection whose peer reads when the script says so, and a page that checks what it reads."""

    def __init__(self, pid: str, roles: frozenset[str], resume: Resume | None, high_bytes: int) -> None:
        self.holder = Pass(show=SHOW, pid=pid, role="viewer")
        self.roles = roles
        self.seat: Seat | None = None
        self.first_frame_reported = False
        self.freezes_reported = 0
        self.resume = resume
        self.greeted = self.write_paused = self.closing = self.exempt = False
        self.buffer: deque[bytes] = deque()
        self.high_bytes = high_bytes
        self.on_pause: Callable[[SimulatedViewer], None] | None = None
        self.epoch, self.last = (resume.epoch, resume.seq) if resume else ("", -1)
        self.seen: list[int] = []
        self.orders: list[str] = []
        self.sink: Sink = self._take

    def _take(self, data: bytes, /) -> None:
        assert not self.closing, "written to after the close"
        self.buffer.append(data)
        if not self.write_paused and sum(map(len, self.buffer)) > self.high_bytes:
            self.write_paused = True
            if self.on_pause is not None:
                self.on_pause(self)

    def write(self, frames: bytes) -> None:
        self._take(frames)

    def close(self, code: int, reason: str) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def read(self, writes: int) -> None:
        """The page reads some of what is in flight."""
        for _ in range(min(writes, len(self.buffer))):
            for text in _texts(self.buffer.popleft()):
                self.apply(json.loads(text))

    def apply(self, update: dict[str, Any]) -> None:
        if update["type"] == "snapshot":
            assert update["epoch"] != self.epoch or update["seq"] >= self.last
            self.epoch, self.last = update["epoch"], update["seq"]
        elif "seq" in update:
            assert update["epoch"] == self.epoch
            assert update["seq"] > self.last, "a repeat"
            assert update["prev"] <= self.last, "a loss"
            self.last = update["seq"]
            self.seen.append(update["seq"])
            if update["type"] == "moderation":
                self.check_moderation(update["data"])
        elif update["type"] == "tick":
            assert update["data"]["head"] <= self.last, "a tick told of an entry before it came"
        elif update["type"] == "order":
            self.orders.append(update["data"]["pid"])

    def check_moderation(self, data: dict[str, Any]) -> None:
        """Staff sees all, the target itself, everybody else the effect."""
        staff = "moderator" in self.roles
        assert ("actor" in data) == staff
        assert ("reason" in data) == (staff or data.get("subject") == self.holder.pid)


def _texts(data: bytes) -> list[bytes]:
    """The payloads of concatenated frames, by websockets' own parser."""
    rest, texts = bytearray(data), list[bytes]()

    def read_exact(n: int) -> Any:
        taken = bytes(rest[:n])
        del rest[:n]
        return taken
        yield

    while rest:
        parser = Frame.parse(read_exact, mask=False)
        try:
            while True:
                next(parser)
        except StopIteration as done:
            texts.append(bytes(done.value.data))
    return texts


class World:
    """One run of the script."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.log = Log()
        self.applied = self.trimmed = 0
        self.scheduled: deque[Callable[[], None]] = deque()
        self.now_ms = 10_000
        self.crowd = Crowd(SHOW, Lanes(self.scheduled.append), lambda: self.now_ms)
        self.admission = Admission(
            self.crowd,
            read_snapshot=self._snapshot,
            read_entries=self._entries,
            now_ms=lambda: self.now_ms,
            rates=Rates(),
        )
        self.crowd.start(self.log.epoch, 0, 0)
        self.gone: list[tuple[str, int]] = []
        self.all: list[SimulatedViewer] = []

    async def _snapshot(self) -> ShowSnapshot:
        await asyncio.sleep(0)
        return self.log.snapshot()

    async def _entries(self, after: int) -> list[Entry]:
        await asyncio.sleep(0)
        return self.log.since(max(after, self.trimmed))

    def trim(self) -> None:
        """The oldest entries leave the store."""
        self.trimmed = max(self.trimmed, self.applied - self.random.randrange(60))

    def step(self) -> None:
        choice = self.random.choice
        actions = [self.write_entry] * 5 + [self.follow] * 4 + [self.turn] * 4 + [self.peers_read] * 4
        choice([*actions, self.arrive, self.arrive, self.leave, self.tick, self.wait, self.trim])()
        if self.random.random() < 0.003:
            self.new_epoch()

    def write_entry(self) -> None:
        body: dict[str, Any] = {"note": "x" * self.random.randrange(200)}
        kind = self.random.random()
        if kind < 0.5:
            self.log.append("public", "show.state", body)
        elif kind < 0.65:
            target = self.random.choice(PIDS)
            self.log.append(
                "public", "moderation", {"action": "timeout", "subject": target, "reason": "r", **body}
            )
        elif kind < 0.85:
            pid = self.random.choice(PIDS)
            stock = {"sku": "a", "left": self.random.randrange(3), "held": 0, "sold": 0}
            self.log.append(f"subject:{pid}", "order.held", {"order": {"pid": pid}, "stock": [stock]})
        else:
            self.log.append("staff", "clock.offset", body)

    def follow(self) -> None:
        """The follower hands over the next entries, some time after they were written."""
        entries = self.log.since(self.applied, self.random.randrange(1, 20))
        self.applied += len(entries)
        fits = self.crowd.on_entries(entries)
        assert fits or self.crowd.lanes.urgent_backlog > URGENT_BACKLOG_MAX
        if not fits:
            self.start_over()
        self.admission.moved_on()
        self.crowd.tell_stock()

    def new_epoch(self) -> None:
        """A failover lost the newest entries; others take their numbers."""
        lost = min(self.random.randrange(4), self.log.head)
        del self.log.entries[self.log.head - lost :]
        self.log.epoch = f"e{int(self.log.epoch[1:]) + 1}"
        self.start_over()

    def start_over(self) -> None:
        snapshot = self.log.snapshot()
        self.applied = snapshot.seq
        self.crowd.start(snapshot.epoch, snapshot.seq, snapshot.public_seq)
        self.admission.start_over(snapshot)

    def turn(self) -> None:
        if self.scheduled:
            self.scheduled.popleft()()

    def arrive(self) -> None:
        resume = None
        if self.gone and self.random.random() < 0.7:
            epoch, seq = self.random.choice(self.gone)
            resume = Resume(epoch, seq)
        roles = frozenset({"moderator"}) if self.random.random() < 0.2 else frozenset({"viewer"})
        viewer = SimulatedViewer(
            self.random.choice(PIDS), roles, resume, self.random.choice([600, 3000, 10**6])
        )
        viewer.on_pause = self.crowd.unseat
        self.all.append(viewer)
        self.crowd.add(viewer)
        self.admission.arrive(viewer)

    def leave(self) -> None:
        """A connection breaks; the page has read only part of what was sent."""
        here = [viewer for viewer in self.all if not viewer.closing]
        if not here:
            return
        viewer = self.random.choice(here)
        viewer.read(self.random.randrange(4))
        viewer.closing = True
        self.crowd.remove(viewer)
        if viewer.epoch:
            self.gone.append((viewer.epoch, viewer.last))

    def peers_read(self) -> None:
        for viewer in self.all:
            if not viewer.closing and self.random.random() < 0.5:
                self.peer_reads(viewer, self.random.randrange(1, 8))

    def peer_reads(self, viewer: SimulatedViewer, writes: int) -> None:
        viewer.read(writes)
        if viewer.write_paused and sum(map(len, viewer.buffer)) < viewer.high_bytes // 4:
            viewer.write_paused = False
            self.admission.arrive(viewer)

    def tick(self) -> None:
        self.crowd.tick(100)

    def wait(self) -> None:
        self.now_ms += self.random.randrange(1, 2000)

    async def settle(self) -> None:
        """No more happens: everything queued is delivered and everybody reads."""
        for _ in range(400):
            self.now_ms += 50
            self.follow()
            while self.scheduled:
                self.turn()
            for viewer in self.all:
                if not viewer.closing:
                    self.peer_reads(viewer, 1000)
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(40))
async def test_every_public_entry_exactly_once_and_in_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "CHUNK_WRITES", 2)
    monkeypatch.setattr("server.live.admission.READ_GAP_S", 0.0)
    monkeypatch.setattr("server.live.admission.ADMIT_CHUNK", 2)
    world = World(seed)
    world.crowd.history = history.History(size=12)  # too short for many: they need the store or a snapshot
    world.crowd.start(world.log.epoch, 0, 0)
    serving = asyncio.create_task(world.admission.run())
    for _ in range(1500):
        world.step()
        if world.random.random() < 0.3:
            await asyncio.sleep(0)
    await world.settle()
    serving.cancel()
    here = [viewer for viewer in world.all if not viewer.closing]
    for viewer in here:
        assert viewer.seat is not None, "let in, and never seated"
        assert viewer.epoch == world.log.epoch
        assert viewer.last >= world.log.public_head, "something is still missing"
        assert set(viewer.orders) <= {viewer.holder.pid}, "somebody else's order"
    assert len(here) > 3
    assert sum(len(viewer.seen) for viewer in world.all) > 300, "nothing much was shown"


def test_the_snapshot_struct_is_complete() -> None:
    """The simulation's snapshot encodes as the real one does."""
    assert set(msgspec.to_builtins(Log().snapshot())) == set(ShowSnapshot.__struct_fields__)
