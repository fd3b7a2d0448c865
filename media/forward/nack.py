"""Asking the publisher again for packets that did not come (RFC 4585 §6.2.1), with a retry timer."""

from dataclasses import dataclass

MAX_MISSING = 512
"""More holes than this are not repaired one by one: a keyframe is cheaper."""
MAX_TRIES = 10
MAX_AGE_S = 1.0
"""A packet older than this no longer helps any viewer's picture."""
REORDER_GRACE_S = 0.005
"""Packets that only overtook each other arrive within this time and are not asked for."""
MIN_RETRY_S = 0.02
INITIAL_RTT_S = 0.1


@dataclass(slots=True)
class _Missing:
    expires: float
    due: float
    tries: int = 0
    sent_at: float = 0.0


class NackGenerator:
    """The holes of one SSRC by track sequence number.

    A request is repeated after one round trip and a half, at most `MAX_TRIES` times within `MAX_AGE_S`.
    `rtt_s` is learnt from packets that were asked for once (Karn's rule).
    """

    def __init__(self) -> None:
        self._missing: dict[int, _Missing] = {}
        self._next = 0.0
        """No hole is due or expires before this; asked for with every packet, so it is kept."""
        self.rtt_s: float | None = None
        self.gave_up = False
        """A hole was given up since this flag was last cleared: the picture needs a keyframe."""

    def gap(self, first: int, end: int, now: float) -> None:
        """The packets from `first` to before `end` were skipped."""
        if end - first + len(self._missing) > MAX_MISSING:
            self._missing.clear()
            self.gave_up = True
            return
        due = now + REORDER_GRACE_S
        self._next = min(self._next, due) if self._missing else due
        for sequence in range(first, end):
            self._missing[sequence] = _Missing(now + MAX_AGE_S, due)

    def arrived(self, sequence: int, now: float) -> None:
        """A packet filled a hole (or came late); no hole, no matter."""
        missing = self._missing.pop(sequence, None)
        if missing is not None and missing.tries == 1:
            sample = now - missing.sent_at
            self.rtt_s = sample if self.rtt_s is None else self.rtt_s + (sample - self.rtt_s) / 8

    def clear(self) -> None:
        """Forget all holes: another source, or a keyframe made them useless."""
        self._missing.clear()

    def due(self, now: float) -> list[int]:
        """The sequence numbers to ask for now, ascending; each is counted as tried."""
        ask: list[int] = []
        lost: list[int] = []
        retry = max(MIN_RETRY_S, 1.5 * (INITIAL_RTT_S if self.rtt_s is None else self.rtt_s))
        for sequence, missing in self._missing.items():
            if now >= missing.expires or missing.tries >= MAX_TRIES:
                lost.append(sequence)
            elif missing.due <= now:
                missing.due = now + retry
                missing.tries += 1
                missing.sent_at = now
                ask.append(sequence)
        for sequence in lost:
            del self._missing[sequence]
        self.gave_up |= bool(lost)
        self._next = min((min(m.due, m.expires) for m in self._missing.values()), default=0.0)
        return sorted(ask)

    def deadline(self) -> float | None:
        """When to call `due`, None when there is no hole. It may be early: a hole may have been filled."""
        return self._next if self._missing else None
