"""Who gets a layer's frames: viewers waiting for a keyframe, viewers catching up with the GOP, live ones."""

from collections.abc import Callable

from media.forward.cache import PacketCache
from media.forward.model import PeerId
from media.forward.requests import Request, SendBurst, SendTo
from media.forward.subscription import Subscription
from media.kernel import Target

REPLAY_TICK_S = 0.005
REPLAY_PACKETS_PER_TICK = 10
"""20 Mbit/s of 1,200-byte packets: a second of 2 Mbit/s video is replayed in about 0.1 s."""
REPLAY_TICKS = 30
"""A longer replay is not spread over more ticks than this, so that it outruns any publisher."""
PACED_PACKETS = 300
"""A viewer at a pace that lies further behind (a second of 2.5 Mbit/s) waits for a keyframe instead."""

Enter = Callable[[Subscription, str, int], bool]
"""May this viewer begin on this layer (rid) with a frame of this timestamp? Whoever says yes has ended its
stretch on the layer that it was sent until now.
"""


class Audience:
    """The subscriptions of one layer. `sent_until` is the track sequence after the last frame sent."""

    def __init__(self, rid: str, cache: PacketCache, emit: Callable[[Request], None], enter: Enter) -> None:
        self._rid = rid
        self._cache = cache
        self._emit = emit
        self._enter = enter
        self.codec = ""
        self.sent_until = 0
        self.timestamp: int | None = None
        """Of the last frame sent, as it is in its packets."""
        self.octets = 0
        self.waiting: dict[PeerId, Subscription] = {}
        self.replaying: dict[PeerId, Subscription] = {}
        self.live: dict[PeerId, Subscription] = {}
        self.targets: list[Target] = []
        """Never changed in place: requests that are not drained yet hold it."""

    def wait(self, subscription: Subscription) -> None:
        """Begin with the next keyframe."""
        self.waiting[subscription.peer] = subscription

    def sends_to(self, peer: PeerId) -> bool:
        """Whether the viewer is being sent this layer."""
        return peer in self.live or peer in self.replaying

    def replay(self, subscription: Subscription, first: int) -> None:
        """Begin with the cached packet `first` and catch up, paced."""
        subscription.begin(self._rid, first, self.codec, self.octets)
        subscription.cursor = first
        self.replaying[subscription.peer] = subscription

    def slow_down(self, peer: PeerId) -> None:
        """The viewer has got a pace: what comes next leaves in slices. Ignored for who is not live."""
        subscription = self.live.pop(peer, None)
        if subscription is not None:
            self.targets = [target for target in self.targets if target.slot != peer]
            subscription.cursor = self.sent_until
            self.replaying[peer] = subscription

    def leave(self, peer: PeerId) -> None:
        """The viewer has gone or takes another layer; unknown peers are ignored."""
        self.waiting.pop(peer, None)
        if (subscription := self.replaying.pop(peer, None)) is not None:
            subscription.finish(subscription.cursor or 0, self.octets)
        if (subscription := self.live.pop(peer, None)) is not None:
            subscription.finish(self.sent_until, self.octets)
            self.targets = [target for target in self.targets if target.slot != peer]

    def interrupt(self) -> None:
        """What follows does not continue what was sent: everybody waits for a keyframe."""
        for subscription in self.live.values():
            subscription.finish(self.sent_until, self.octets)
        for subscription in self.replaying.values():
            subscription.finish(subscription.cursor or 0, self.octets)
        self.waiting |= self.live | self.replaying
        self.live = {}
        self.replaying = {}
        self.targets = []

    def frame(self, packets: list[bytes], first: int, end: int, *, entry: bool) -> None:
        """Send a frame (or a part of one). `entry`: viewers who wait can begin with it."""
        timestamp = int.from_bytes(packets[0][4:8])
        if entry and self.waiting:
            self._admit(first, timestamp)
        if self.targets:
            self._emit(SendBurst(packets, self.targets))
        self.octets += sum(map(len, packets)) - 12 * len(packets)
        self.sent_until = end
        self.timestamp = timestamp

    def _admit(self, first: int, timestamp: int) -> None:
        ready = {
            p: s
            for p, s in self.waiting.items()
            if s.accepts(self.codec) and self._enter(s, self._rid, timestamp)
        }
        self.waiting = {p: s for p, s in self.waiting.items() if p not in ready}
        at_once = {p: s for p, s in ready.items() if s.pace_bps is None}
        targets = [s.begin(self._rid, first, self.codec, self.octets) for s in at_once.values()]
        self.live |= at_once
        self.targets = [*self.targets, *targets]
        for peer, subscription in ready.items():
            if peer not in at_once:
                self.replay(subscription, first)

    def late(self, packet: bytes, sequence: int) -> None:
        """Send one packet that came after its frame, to those whose stretch includes it."""
        targets = [t for t in self.targets if self._first(t.slot) <= sequence]
        if targets:
            self._emit(SendBurst([packet], targets))
        for peer, subscription in self.replaying.items():
            segment = subscription.rewriter.current
            if segment is not None and segment.first <= sequence < (subscription.cursor or 0):
                self._emit(SendTo(peer, [subscription.readdress(packet, sequence)]))

    def _first(self, peer: PeerId) -> int:
        segment = self.live[peer].rewriter.current
        return self.sent_until if segment is None else segment.first

    def tick(self) -> None:
        """One step of every replay; those that have caught up become live."""
        for peer, subscription in list(self.replaying.items()):
            if subscription.pace_bps and self.sent_until - (subscription.cursor or 0) > PACED_PACKETS:
                subscription.finish(subscription.cursor or 0, self.octets)
                self.waiting[peer] = self.replaying.pop(peer)
        done = {p: s for p, s in self.replaying.items() if self._step(s)}
        if not done:
            return
        self.replaying = {p: s for p, s in self.replaying.items() if p not in done}
        self.live |= done
        self.targets = [*self.targets, *(self._target(subscription) for subscription in done.values())]

    def _target(self, subscription: Subscription) -> Target:
        subscription.cursor = None
        segment = subscription.rewriter.current
        if segment is None:
            raise RuntimeError("a replay has a segment")
        offset = (segment.first_out - segment.first) & 0xFFFF
        return Target(subscription.peer, subscription.track.ssrc, segment.payload_type, offset)

    def _step(self, subscription: Subscription) -> bool:
        cursor = subscription.cursor or 0
        behind = self.sent_until - cursor
        end = cursor + min(behind, max(REPLAY_PACKETS_PER_TICK, -(-behind // REPLAY_TICKS)))
        pace_bps = subscription.pace_bps
        if pace_bps is not None:
            octets = pace_bps / 8 * REPLAY_TICK_S
            subscription.budget_octets = min(subscription.budget_octets, octets) + octets
        packets: list[bytes] = []
        for sequence in range(cursor, end):
            packet = self._cache.get(sequence)
            if pace_bps is not None and subscription.budget_octets <= 0:
                end = sequence
                break
            if packet is not None:
                packets.append(subscription.readdress(packet, sequence))
                subscription.budget_octets -= len(packet)
        if packets:
            self._emit(SendTo(subscription.peer, packets))
        subscription.cursor = end
        return end >= self.sent_until and pace_bps is None
