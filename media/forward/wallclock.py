"""Server time and NTP time as the media worker knows them."""

from media.forward.timeline import ms_to_ntp


class WallClock:
    """Server time and NTP time as offsets to the monotonic clock, shared by all shows of a worker."""

    def __init__(self) -> None:
        self.server_offset_ms: float | None = None
        self._ntp_offset_ms = 0.0

    def set(self, server_minus_monotonic_ms: float) -> None:
        """Server time moved; NTP follows only a large step, since reports measure round trips by it."""
        self.server_offset_ms = server_minus_monotonic_ms
        if abs(server_minus_monotonic_ms - self._ntp_offset_ms) > 1_000:
            self._ntp_offset_ms = server_minus_monotonic_ms

    def unix_ms(self, now: float) -> float:
        """Unix milliseconds for reports."""
        return now * 1000 + self._ntp_offset_ms

    def ntp_middle(self, now: float) -> int:
        """The middle 32 bits of NTP time (LSR's format)."""
        return (ms_to_ntp(self.unix_ms(now)) >> 16) & 0xFFFF_FFFF
