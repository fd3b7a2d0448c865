"""Chat on its way to viewers: lines wait for the next tick, the last ones are kept for newcomers.

Pure. A deleted line leaves both; a line never appears twice for one viewer, because newcomers are given only
lines that a tick has already carried.
"""

from collections import deque

import msgspec

from server.live.limits import CHAT_LINES_PENDING_MAX, CHAT_LINES_SHOWN_PER_S, CHAT_RECENT_LINES


class ChatLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `subject` is the writer's pid; `role` and `bought` are there when a page should show a
    tag.
    """

    id: str
    subject: str
    name: str
    text: str
    ts: int
    role: str = ""
    bought: bool = False


def decode_line(data: bytes) -> ChatLine | None:
    """The line of a feed message, or None for bytes that no script of ours wrote."""
    try:
        return msgspec.json.decode(data, type=ChatLine)
    except msgspec.DecodeError:
        return None


class ChatBatch(msgspec.Struct, frozen=True):
    """What one tick carries."""

    lines: list[ChatLine]
    skipped: int


class ChatFeed:
    """The chat of one show on this worker. `version` changes whenever `recent` does."""

    def __init__(self) -> None:
        self._pending: deque[ChatLine] = deque()
        self._recent: deque[ChatLine] = deque(maxlen=CHAT_RECENT_LINES)
        self._preloaded: frozenset[str] = frozenset()
        self._skipped = 0
        self._budget_lines = 0.0
        self.version = 0

    def preload(self, lines: list[ChatLine]) -> None:
        """Take what was said before this worker listened, oldest first."""
        waiting = {line.id for line in self._pending}
        self._recent.extend(line for line in lines if line.id not in waiting)
        self.version += 1
        self._preloaded = frozenset(line.id for line in self._recent)

    def add(self, line: ChatLine) -> None:
        """Take a line from the feed. Beyond the bound the oldest waiting line is skipped."""
        if line.id in self._preloaded:  # read and published at the same moment
            return
        self._pending.append(line)
        if len(self._pending) > CHAT_LINES_PENDING_MAX:
            self._pending.popleft()
            self._skipped += 1

    def delete(self, ids: frozenset[str]) -> None:
        """Forget these lines, told or not."""
        self._pending = deque(line for line in self._pending if line.id not in ids)
        self._recent = deque((line for line in self._recent if line.id not in ids), maxlen=CHAT_RECENT_LINES)
        self.version += 1

    def batch(self, interval_ms: int) -> ChatBatch:
        """The lines for a tick that covers `interval_ms`: the newest that can be read, staff lines always."""
        per_tick = CHAT_LINES_SHOWN_PER_S * interval_ms / 1_000
        self._budget_lines = min(self._budget_lines + per_tick, max(per_tick, 1.0) + 1)
        waiting, self._pending = self._pending, deque()
        room = int(self._budget_lines)
        plain = sum(1 for line in waiting if not line.role)
        lines: list[ChatLine] = []
        for line in waiting:
            if not line.role:
                plain -= 1
                if plain >= room:  # as many newer ones as there is room for are still to come
                    self._skipped += 1
                    continue
                self._budget_lines -= 1
            lines.append(line)
        if lines:
            self._recent.extend(lines)
            self.version += 1
        skipped, self._skipped = self._skipped, 0
        return ChatBatch(lines, skipped)

    @property
    def recent(self) -> list[ChatLine]:
        """The last lines that ticks have carried, oldest first."""
        return list(self._recent)
