"""What was sent to a viewer under transport-wide numbers, and what its feedback says of it.

The same as `history.c`, which the C kernel uses: the fallback, and the oracle of its tests. A feedback
message that is malformed, or speaks of more packets than are remembered, changes nothing.
"""

from media.errors import ParseError
from media.kernel import HISTORY_PACKETS, Acked
from media.rtp.feedback import read_transport

TICK_US = 250
REFERENCE_US = 64_000
_REPORTED_LOST = 0x8000


class History:
    """The last `HISTORY_PACKETS` packets of one viewer."""

    __slots__ = ("_first_delay_us", "_next", "_sent_us", "_sizes")

    def __init__(self) -> None:
        self._next = 0
        self._first_delay_us: int | None = None
        self._sent_us = [0] * HISTORY_PACKETS
        self._sizes = [0] * HISTORY_PACKETS

    def note(self, size: int, now_us: int) -> int:
        """Give a packet of this size its number (16 bit)."""
        number = self._next
        self._next += 1
        self._sent_us[number % HISTORY_PACKETS] = now_us
        self._sizes[number % HISTORY_PACKETS] = size
        return number & 0xFFFF

    def acknowledge(self, fci: bytes) -> Acked | None:
        """See `Fanout.acknowledge`."""
        try:
            said = read_transport(fci)
        except ParseError:
            return None
        if not 0 < len(said.arrivals) <= HISTORY_PACKETS:
            return None
        number = self._next - ((self._next - said.base) & 0xFFFF)
        received = lost = octets = unknown = delay_us = arrived_us = 0
        for place, ticks in enumerate(said.arrivals, number):
            if place < 0 or place >= self._next or self._next - place > HISTORY_PACKETS:
                unknown += 1
                continue
            size = self._sizes[place % HISTORY_PACKETS]
            if not size or (ticks is None and size & _REPORTED_LOST):
                continue
            if ticks is None:
                lost += 1
                self._sizes[place % HISTORY_PACKETS] = size | _REPORTED_LOST
                continue
            if size & _REPORTED_LOST:  # it was only late
                lost -= 1
                size &= _REPORTED_LOST - 1
            arrival_us = said.reference * REFERENCE_US + ticks * TICK_US
            delay = self._delay_us(arrival_us, place)
            delay_us = delay if not received else min(delay, delay_us)
            arrived_us = arrival_us if not received else max(arrival_us, arrived_us)
            received += 1
            octets += size
            self._sizes[place % HISTORY_PACKETS] = 0
        return Acked(received, lost, octets, unknown, delay_us, arrived_us)

    def _delay_us(self, arrival_us: int, place: int) -> int:
        """Relative to the first: the two clocks' difference is only known up to a constant."""
        delay_us = _int32(arrival_us - self._sent_us[place % HISTORY_PACKETS])
        if self._first_delay_us is None:
            self._first_delay_us = delay_us
        return _int32(delay_us - self._first_delay_us)


def _int32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
