"""What was sent to a viewer under transport-wide numbers, and what its feedback says of it.

The same as `history.c`, which the C kernel uses: the fallback, and the oracle of its tests. A feedback
message that is malformed, or speaks of more packets than are remembered, changes nothing.

A viewer tells twenty times a second that all is well. What it says is added up and told four times a second,
news at once.
"""

from media.errors import ParseError
from media.kernel import HISTORY_PACKETS, Acked
from media.rtp.feedback import read_transport

TICK_US = 250
REFERENCE_US = 64_000
FLOOR_US = 10_000_000
QUIET_QUEUE_US = 20_000
"""A queue below is no news."""
QUIET_US = 250_000
"""So long messages without news are added up."""
TOLD_US = 10_000
"""Nothing is told more often, whatever a peer sends."""
_NOTHING = Acked(0, 0, 0, 0, 0, 0)
_REPORTED_LOST = 0x8000


class History:
    """The last `HISTORY_PACKETS` packets of one viewer."""

    __slots__ = (
        "_first_delay_us",
        "_floor_since_us",
        "_floors_us",
        "_next",
        "_sent_us",
        "_sizes",
        "_told_us",
        "_waiting",
    )

    def __init__(self) -> None:
        self._next = 0
        self._first_delay_us: int | None = None
        self._floors_us: list[int] = []  # the least delay of the newer and the older window
        self._floor_since_us = 0
        self._waiting = _NOTHING
        self._told_us = 0
        self._sent_us = [0] * HISTORY_PACKETS
        self._sizes = [0] * HISTORY_PACKETS

    def note(self, size: int, now_us: int) -> int:
        """Give a packet of this size its number (16 bit)."""
        number = self._next
        self._next += 1
        self._sent_us[number % HISTORY_PACKETS] = now_us
        self._sizes[number % HISTORY_PACKETS] = size
        return number & 0xFFFF

    def acknowledge(self, fci: bytes, now_us: int) -> list[Acked]:
        """What is to be told of this message, and of messages before it: at most two."""
        message = self._digest(fci)
        if message is None:
            return []
        if message.received:
            message = message._replace(queue_us=self._above_floor(message.queue_us, now_us))
        return self._tell(message, now_us)

    def _tell(self, message: Acked, now_us: int) -> list[Acked]:
        """News with what waited before it, the sum of what is no news when its time has come."""
        waiting = self._waiting
        held_back = bool(waiting.lost or waiting.unknown)
        news = held_back or message.lost or message.unknown or message.queue_us >= QUIET_QUEUE_US
        if now_us - self._told_us < (TOLD_US if news else QUIET_US):
            self._waiting = _sum(waiting, message)
            return []
        self._told_us, self._waiting = now_us, _NOTHING
        if not news:
            return [_sum(waiting, message)]
        return [waiting, message] if waiting.received or held_back else [message]

    def _above_floor(self, delay_us: int, now_us: int) -> int:
        """How far a delay is above the least of the last 10 to 20 s, which stands for an empty path."""
        if not self._floors_us or now_us - self._floor_since_us >= FLOOR_US:
            self._floors_us = [delay_us, *self._floors_us[:1]]
            self._floor_since_us = now_us
        self._floors_us[0] = min(self._floors_us[0], delay_us)
        return delay_us - min(self._floors_us)

    def _digest(self, fci: bytes) -> Acked | None:
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


def _sum(several: Acked, one: Acked) -> Acked:
    """The queue that stands is the least that was seen."""
    queue_us, arrived_us = several.queue_us, several.arrived_us
    if one.received:
        queue_us = min(queue_us, one.queue_us) if several.received else one.queue_us
        arrived_us = max(arrived_us, one.arrived_us) if several.received else one.arrived_us
    return Acked(
        several.received + one.received,
        several.lost + one.lost,
        several.octets + one.octets,
        several.unknown + one.unknown,
        queue_us,
        arrived_us,
    )


def _int32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
