"""Counters that reports and health are made of: rates, reception of an SSRC (RFC 3550 A.3, A.8), limits."""

from media.rtp.rtcp import ReportBlock
from media.rtp.sequence import unwrap16


class TokenBucket:
    """At most `burst` at once and `rate_per_s` in the long run."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether one more is allowed now."""
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Rate:
    """Events and bytes of the last whole second."""

    __slots__ = ("_amount", "_started", "per_s")

    def __init__(self) -> None:
        self.per_s = 0.0
        self._amount = 0
        self._started: float | None = None

    def add(self, amount: int) -> None:
        """Count an amount."""
        self._amount += amount

    def roll(self, now: float) -> None:
        """Close the second (call about once a second)."""
        if self._started is not None and now > self._started:
            self.per_s = self._amount / (now - self._started)
        self._amount = 0
        self._started = now


class Reception:
    """What has come of one incoming SSRC, for the report blocks sent to the publisher."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self._ssrc = ssrc
        self._clock_rate = clock_rate
        self._base = 0
        self.highest: int | None = None
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: float | None = None
        self._jitter = 0.0
        self._last_sr = 0
        self._last_sr_at = 0.0
        self.fraction_lost = 0.0

    def received(self, sequence: int, timestamp: int, now: float) -> None:
        """A packet came (not a repair, so that the loss is the network's)."""
        if self.highest is None:
            self.highest = self._base = sequence
        else:
            self.highest = max(self.highest, unwrap16(sequence, self.highest))
        self._received += 1
        transit = (now * self._clock_rate - timestamp) % 2**32
        if self._transit is not None:
            step = abs(transit - self._transit)
            self._jitter += (min(step, 2**32 - step) - self._jitter) / 16
        self._transit = transit

    def sender_report(self, ntp: int, now: float) -> None:
        """Remember a sender report for LSR and DLSR."""
        self._last_sr = (ntp >> 16) & 0xFFFF_FFFF
        self._last_sr_at = now

    def block(self, now: float) -> ReportBlock | None:
        """The report block since the last call; None before the first packet."""
        if self.highest is None:
            return None
        expected = self.highest - self._base + 1
        wanted = expected - self._expected_before
        got = self._received - self._received_before
        self._expected_before = expected
        self._received_before = self._received
        self.fraction_lost = max(0.0, (wanted - got) / wanted) if wanted > 0 else 0.0
        lost = max(-0x80_0000, min(expected - self._received, 0x7F_FFFF))
        delay = int((now - self._last_sr_at) * 65536) if self._last_sr else 0
        return ReportBlock(
            self._ssrc,
            min(int(self.fraction_lost * 256), 255),
            lost,
            self.highest & 0xFFFF_FFFF,
            min(int(self._jitter), 0xFFFF_FFFF),
            self._last_sr,
            min(delay, 0xFFFF_FFFF),
        )
