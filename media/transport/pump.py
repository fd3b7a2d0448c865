"""Drives the sans-I/O router: carries out what it asks for and owns its only timer."""

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic

from media.kernel import Fanout, Sent
from media.router import (
    ForwardPlain,
    Request,
    RequestKeyframe,
    Router,
    SendBurst,
    SendRtcp,
    SendTo,
)
from media.transport.guard import Guard
from media.transport.notices import Notice

_SHORTEST_WAIT_S = 0.001
"""Also for a deadline that has passed: should one never move, it must not eat the loop."""


class Pump:
    """`flush` after every call of the router. `notify` takes what concerns the web worker."""

    def __init__(
        self, router: Router, fanout: Fanout, guard: Guard, notify: Callable[[Notice], None]
    ) -> None:
        self.totals: Counter[str] = Counter()
        self._router = router
        self._fanout = fanout
        self._guard = guard
        self._notify = notify
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the router's deadlines from now on."""
        self._loop = loop
        self._arm()

    def stop(self) -> None:
        """Let the timer go."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()

    def flush(self) -> None:
        """Tell the router what feedback told the fan-out, carry out its requests and set its timer."""
        try:
            for slot, acked in self._fanout.acknowledged():
                self._router.acknowledged(slot, acked, monotonic())
            while requests := self._router.drain():
                self._carry_out(requests)
        finally:
            self._arm()

    def _carry_out(self, requests: list[Request]) -> None:
        now = monotonic()
        now_us = int(now * 1e6)
        for request in requests:
            match request:
                case SendBurst(packets, targets):
                    self._count(self._fanout.send(packets, targets, now_us))
                case SendTo(slot, packets):
                    self._count(self._fanout.send_to(slot, packets, now_us))
                case SendRtcp(slot, packet):
                    self._count(self._fanout.send_rtcp(slot, packet))
                case ForwardPlain() | RequestKeyframe():
                    pass  # one worker: there are no sinks and no remote publishers yet
                case _:
                    self._notify(request)

    def _count(self, sent: Sent) -> None:
        totals = self.totals
        totals["sent_packets"] += sent.packets
        totals["sent_octets"] += sent.octets
        totals["sent_dropped"] += sent.dropped

    def _arm(self) -> None:
        """Move the timer only when the deadline comes earlier: one that is early costs a look, no more."""
        deadline = self._router.next_deadline()
        if deadline is None or self._loop is None or deadline >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        wait_s = max(_SHORTEST_WAIT_S, deadline - monotonic())
        self._timer = self._loop.call_later(wait_s, self._due)

    def _due(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        self._guard.run(lambda: self._router.handle_deadline(monotonic()))
        self._guard.run(self.flush)
