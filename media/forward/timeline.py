"""When a frame was captured, and where it lies on the show's outgoing RTP timeline.

Per SSRC, `c0` is the publisher's wall clock at RTP time 0, from its sender reports; per publisher, `D`
turns that wall clock into ours: the smallest (arrival - capture) of the last 10 s, shared by all SSRCs so
that lip sync is the publisher's own. `mono_ms` is our monotonic clock in milliseconds throughout. A raw
arrival time is never used for a frame: its tail is 200 ms long.
"""

from collections import deque

from media.rtp.sequence import unwrap32

NTP_EPOCH_MS = 2_208_988_800_000
"""1900-01-01 to 1970-01-01."""
MAX_REPORTS = 64
"""Sender reports that c0 is the mean of: one alone is ±0.9 ms off."""
CLOCK_STEP_MS = 100.0
"""A report that far from the mean says that the publisher's clock was set: begin again."""
JUMP_MS = 10_000.0
"""A frame that far from its neighbours' arrivals does not belong to the same timeline. A path that stalls
and then delivers everything stays below.
"""
LATER_TICKS = 3 * 90
"""More than layers that sender reports have aligned lie apart: ±1 ms."""
TICKS_APART = 90
SAME_MOMENT_TICKS = 15 * 90
"""Frames this close were captured at once, whatever the frame rate."""
WINDOW_S = 10
SETTLE_S = 3.0
SLEW_MS_PER_S = 1.0


def ntp_to_ms(ntp: int) -> float:
    """64-bit NTP time to Unix milliseconds."""
    return (ntp >> 32) * 1000 + (ntp & 0xFFFF_FFFF) * 1000 / 2**32 - NTP_EPOCH_MS


def ms_to_ntp(unix_ms: float) -> int:
    """Unix milliseconds to 64-bit NTP time."""
    return int((unix_ms + NTP_EPOCH_MS) * 2**32 / 1000) & 0xFFFF_FFFF_FFFF_FFFF


class SourceClock:
    """The RTP clock of one incoming SSRC."""

    def __init__(self, clock_rate: int) -> None:
        self.ticks_per_ms = clock_rate / 1000
        self._near: int | None = None
        self._reports: deque[float] = deque(maxlen=MAX_REPORTS)
        self._floors: deque[list[float]] = deque()
        self.c0_ms: float | None = None
        self.stepped = False
        """c0 was begun again since this flag was last cleared."""

    def unwrap(self, timestamp: int) -> int:
        """The RTP timestamp without wrapping, in the neighbourhood of the newest."""
        if self._near is None:
            self._near = timestamp
            return timestamp
        ticks = unwrap32(timestamp, self._near)
        self._near = self._near if self.late(ticks, self._near) else ticks
        return ticks

    def late(self, ticks: int, newest: int) -> bool:
        """Whether this timestamp is the newest frame's or one shortly before it; further back is a jump."""
        return 0 <= newest - ticks <= JUMP_MS * self.ticks_per_ms

    def report(self, ntp: int, rtp_timestamp: int) -> None:
        """A sender report (or an abs-capture-time): this NTP time is that RTP time. NTP 0 means unknown."""
        if ntp == 0:
            return
        sample = ntp_to_ms(ntp) - self.unwrap(rtp_timestamp) / self.ticks_per_ms
        if self.c0_ms is None or abs(sample - self.c0_ms) > CLOCK_STEP_MS:
            self._reports.clear()
            self.stepped = True
        self._reports.append(sample)
        self.c0_ms = sum(self._reports) / len(self._reports)

    def arrived(self, ticks: int, mono_ms: float) -> bool:
        """The first packet of the frame with this (unwrapped) timestamp arrived. True when the source has
        left its own timeline (an encoder that began again): what was known of it is forgotten.
        """
        floor = mono_ms - ticks / self.ticks_per_ms
        jumped = bool(self._floors) and abs(floor - self._floors[-1][1]) > JUMP_MS
        if jumped:
            self._floors.clear()
            self._reports.clear()
            self.c0_ms = None
            self.stepped = True
        second = mono_ms // 1000
        if not self._floors or self._floors[-1][0] != second:
            self._floors.append([second, floor])
            while self._floors[0][0] <= second - WINDOW_S:
                self._floors.popleft()
        elif floor < self._floors[-1][1]:
            self._floors[-1][1] = floor
        return jumped

    def floor_ms(self) -> float | None:
        """Smallest (arrival - RTP time) of the window, None before the first frame."""
        return min((floor for _, floor in self._floors), default=None)


class PublisherClock:
    """D of one publication: its wall clock to our monotonic clock, in milliseconds."""

    def __init__(self) -> None:
        self.delay_ms: float | None = None
        self._settled_at = 0.0
        self._updated_at = 0.0

    def update(self, sources: list[SourceClock], now: float) -> None:
        """Move D towards what the sources say; at once in the first `SETTLE_S`, then slowly."""
        targets: list[float] = []
        for source in sources:
            floor = source.floor_ms()
            if floor is not None and source.c0_ms is not None:
                targets.append(floor - source.c0_ms)
            if source.stepped:
                source.stepped = False
                self._settled_at = now + SETTLE_S
        if not targets:
            return
        target = min(targets)
        step = SLEW_MS_PER_S * (now - self._updated_at)
        self._updated_at = now
        if self.delay_ms is None or now < self._settled_at:
            self.delay_ms = target
        else:
            self.delay_ms += max(-step, min(step, target - self.delay_ms))

    def capture_offset_ms(self, source: SourceClock) -> float | None:
        """What to add to RTP milliseconds of a source to get `mono_ms`. Without sender reports the
        smallest arrival stands in; None before the first frame.
        """
        if source.c0_ms is not None and self.delay_ms is not None:
            return source.c0_ms + self.delay_ms
        return source.floor_ms()


class OutgoingTimeline:
    """One track's outgoing RTP timestamps: the same for every viewer, kept across publishers."""

    def __init__(self, first_timestamp: int) -> None:
        self.pinned = False
        """The source is another worker that keeps this timeline already: nothing is moved."""
        self._first = first_timestamp
        self._shift = 0
        self._started = False
        self._highest = 0
        self._line: tuple[float, float, float] | None = None

    def attach(self, ticks: int, ticks_per_ms: float, mono_ms: float) -> None:
        """A new source begins with the frame at `ticks`, which arrived at `mono_ms`: it goes on where the
        timeline is by now, and never before a timestamp that was already used.
        """
        if self.pinned or not self._started:
            self._started = True
            self._shift = 0 if self.pinned else self._first - ticks
            return
        earliest = self._highest + int(ticks_per_ms)
        by_clock = self.at(mono_ms)
        self._shift = max(earliest, earliest if by_clock is None else by_clock) - ticks

    def forget(self) -> None:
        """The publication is over: what comes next need not lie after it by the clock, only after it."""
        self._line = None

    def out(self, ticks: int) -> int:
        """The outgoing timestamp, not wrapped, of a source timestamp."""
        value = ticks + self._shift
        self._highest = max(self._highest, value)
        return value

    def later_by(self, ticks: int) -> int:
        """How much later a layer's keyframe is to be shown, by everybody, than it was captured: so much that
        whatever another layer sent of the same moment lies before it. A viewer that changes over may have
        had that, and two frames with one timestamp would be taken for one.
        """
        captured = ticks + self._shift
        if captured + LATER_TICKS <= self._highest <= captured + SAME_MOMENT_TICKS:
            return self._highest + TICKS_APART - captured
        return LATER_TICKS

    def align(self, capture_offset_ms: float, ticks_per_ms: float) -> None:
        """Tell how the current source's RTP milliseconds relate to `mono_ms`."""
        self._line = (capture_offset_ms, ticks_per_ms, self._shift)

    def at(self, mono_ms: float) -> int | None:
        """The outgoing timestamp (not wrapped) of an instant, None before the first `align`."""
        if self._line is None:
            return None
        offset_ms, ticks_per_ms, shift = self._line
        return round((mono_ms - offset_ms) * ticks_per_ms + shift)

    def mono_ms(self, out_ticks: int) -> float | None:
        """The instant of an outgoing timestamp (not wrapped), the inverse of `at`."""
        if self._line is None:
            return None
        offset_ms, ticks_per_ms, shift = self._line
        return (out_ticks - shift) / ticks_per_ms + offset_ms

    @property
    def highest(self) -> int | None:
        """The newest outgoing timestamp (not wrapped), None before the first."""
        return self._highest if self._started else None
