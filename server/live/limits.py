"""Every number that bounds a viewer, with its unit in its name, and the token bucket that enforces rates.

Pure: the caller brings the time. The numbers that a page must know are told in `hello` (`told_to_pages`).
"""

from collections import OrderedDict
from typing import Final, NamedTuple

# What one viewer may send.
FRAME_BYTES_MAX: Final = 4096
CHAT_TEXT_CHARS_MAX: Final = 280
CID_CHARS_MAX: Final = 64
REACTIONS_PER_COMMAND_MAX: Final = 20
FIRST_FRAME_MS_MAX: Final = 60_000
FREEZES_MAX: Final = 1_000
QUERY_CHARS_MAX: Final = 256
TICKET_CHARS_MAX: Final = 1024

# How often. A page that keeps to its own throttles never meets these.
FRAMES_PER_S: Final = 10.0  # every frame counts, pings of the protocol too
FRAMES_BURST: Final = 40
BAD_FRAMES_PER_S: Final = 0.2  # not JSON, unknown type: a broken page stumbles, an attacker insists
BAD_FRAMES_BURST: Final = 10
PIDS_TRACKED_MAX: Final = 20_000

# What one show may send.
CHAT_LINES_SHOWN_PER_S: Final = 20  # more cannot be read; the rest is counted in chat_skipped
CHAT_LINES_PENDING_MAX: Final = 400
CHAT_RECENT_LINES: Final = 50
STOCK_INTERVAL_MS: Final = 250  # at most 4 a second for a product
HEADCOUNT_INTERVAL_MS: Final = 333  # reactions and viewer counts between workers: 3 Hz
HEADCOUNT_TTL_MS: Final = 5_000
TICK_MS_MIN: Final = 100
TICK_MS_MAX: Final = 1_000
DELIVERY_US: Final = 11.0  # CPU of one delivery, and of reading it in the kernel, measured on a slow core
TICK_CORE_SHARE: Final = 0.25

# What one show keeps.
HISTORY_ENTRIES: Final = 512
CATCH_UP_ENTRIES_MAX: Final = (
    2_000  # read from the store for one who was away longer than the history reaches
)
URGENT_BACKLOG_MAX: Final = (
    256  # public entries waiting to be written; beyond it everybody gets a snapshot instead
)

# Slow viewers, in seconds.
STUCK_S: Final = 15.0
WRITE_BUFFER_HIGH_BYTES: Final = 64 * 1024
WRITE_BUFFER_LOW_BYTES: Final = 16 * 1024


class Rates(NamedTuple):
    """What one person may say in a show; the settings may choose otherwise. Bursts are counts."""

    chat_per_s: float = 0.5
    chat_burst: int = 5
    reactions_per_s: float = 20.0
    reactions_burst: int = 40


def tick_interval_ms(viewers: int) -> int:
    """Time between ticks for so many viewers of one show on this worker: a quarter of a core at the most."""
    cost_ms = viewers * DELIVERY_US / 1_000
    return int(min(max(cost_ms / TICK_CORE_SHARE, TICK_MS_MIN), TICK_MS_MAX))


def told_to_pages(rates: Rates) -> dict[str, int]:
    """The limits that `hello` carries."""
    return {
        "frame_bytes": FRAME_BYTES_MAX,
        "chat_chars": CHAT_TEXT_CHARS_MAX,
        "chat_lines_per_minute": int(rates.chat_per_s * 60),
        "reactions_per_command": REACTIONS_PER_COMMAND_MAX,
        "reactions_per_second": int(rates.reactions_per_s),
    }


class TokenBucket:
    """Lets `burst` through at once and `rate_per_s` over time. `now` is in seconds and never runs back."""

    __slots__ = ("_at", "_left", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take `cost`: 0.0 when it was there, else nothing is taken and the seconds to wait are returned."""
        if self._at is not None:
            self._left = min(self.burst, self._left + (now - self._at) * self.rate_per_s)
        self._at = now
        if cost <= self._left:
            self._left -= cost
            return 0.0
        return (min(cost, self.burst) - self._left) / self.rate_per_s


class KeyedBuckets:
    """One bucket a key (a pid, an address), for at most `keys_max` keys: the one unused for longest is
    forgotten.

    Forgetting gives that key a full bucket again, so `keys_max` times `burst` bounds what a crowd of keys can
    gain.
    """

    def __init__(self, rate_per_s: float, burst: float, keys_max: int = PIDS_TRACKED_MAX) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, now: float, cost: float = 1.0) -> float:
        """As `TokenBucket.take`, for `key`."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate_per_s, self._burst)
            if len(self._buckets) > self._keys_max:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now, cost)
