"""One show's media: at most one publisher, its two tracks, everybody who watches, and what is due when."""

from collections import Counter
from collections.abc import Callable

from media.forward import health
from media.forward.audience import REPLAY_TICK_S
from media.forward.egress import Egress
from media.forward.ingress import Ingress
from media.forward.model import Kind, PeerId, PublisherConfig, ShowHealth, SubscriberConfig
from media.forward.presence import Presence
from media.forward.published_track import PublishedLayer
from media.forward.requests import (
    ClockMapping,
    ForwardPlain,
    Request,
    RequestKeyframe,
    SendRtcp,
    SendTo,
)
from media.forward.subscription import Subscription
from media.forward.timeline import OutgoingTimeline, ms_to_ntp
from media.forward.track import Track
from media.forward.wallclock import WallClock
from media.kernel import Acked
from media.rtp.rtcp import RtcpPacket
from media.rtp.sequence import unwrap32

TICK_S = 0.05
"""Transport feedback every 50 ms: what Chrome's estimator is tuned for."""
REPORT_TICKS = 20
"""Reports, statistics and the clock go out once in so many ticks, each subscriber in a tick of its own."""


class Show:
    """See the module. `wake(at)` tells the router that `handle(now)` wants to be called by then."""

    def __init__(
        self,
        name: str,
        *,
        random_u32: Callable[[], int],
        clock: WallClock,
        counters: Counter[str],
        emit: Callable[[Request], None],
        wake: Callable[[float], None],
    ) -> None:
        self.name = name
        self.publisher: PeerId | None = None
        self.publication = ""
        self.egresses: dict[PeerId, Egress] = {}
        self.sinks: set[PeerId] = set()
        self.ingress: Ingress | None = None
        self.deadline: float | None = None
        self._random_u32 = random_u32
        self._clock = clock
        self._counters = counters
        self._emit = emit
        self._wake = wake
        self.tracks = {
            kind: Track(kind, OutgoingTimeline(random_u32()), self._emit, self._forward) for kind in Kind
        }
        self._ticks = 0
        self._tick_at: float | None = None
        self._replay_at: float | None = None
        self._presence = Presence(name, emit)
        self._mapped_ms: float | None = None

    @property
    def _layers(self) -> list[PublishedLayer]:
        return [layer for track in self.tracks.values() for layer in track.layers.values()]

    # --- peers --------------------------------------------------------------------------------------

    def publish(self, peer: PeerId, config: PublisherConfig, now: float) -> PeerId | None:
        """A publisher takes the show; returns the one that it replaces."""
        replaced = self.publisher
        self._detach()
        self.publisher = peer
        self.publication = config.publication
        self.ingress = Ingress(config, lambda kind, rid: self.tracks[kind].layer(rid), self._counters)
        for kind, track in self.tracks.items():
            rids = next((one.rids for one in config.tracks if one.kind is kind), ())
            track.begin(rids)
        self._presence.begin(config.publication)
        self._schedule_tick(now)
        return replaced

    def unpublish(self, now: float) -> None:
        """The publisher has gone; its place is kept for `presence.RETURN_S`."""
        self._detach()
        self.publisher = None
        self._schedule_tick(now)

    def _detach(self) -> None:
        self.ingress = None
        for track in self.tracks.values():
            track.detach()

    def subscribe(self, peer: PeerId, config: SubscriberConfig, now: float) -> None:
        """A subscriber comes."""
        subscriptions: dict[Kind, Subscription] = {}
        for track in config.tracks:
            if track.kind not in subscriptions:
                subscription = Subscription(peer, track, self._random_u32(), self._random_u32(), now)
                subscriptions[track.kind] = subscription
                self.tracks[track.kind].join(subscription, now)
        self.egresses[peer] = Egress(config, subscriptions, self.tracks, self._counters)
        if any(layer.audience.replaying for layer in self._layers):
            self._replay_at = self._replay_at or now
        self._schedule()

    def leave(self, peer: PeerId) -> None:
        """A subscriber or sink goes; unknown peers are ignored."""
        self.sinks.discard(peer)
        if self.egresses.pop(peer, None) is not None:
            for track in self.tracks.values():
                track.leave(peer)

    @property
    def forgotten(self) -> bool:
        """Whether nothing would be lost with this show."""
        return not (
            self.egresses
            or self.sinks
            or self.publisher is not None
            or self._presence.last_packet_at is not None
            or self.tracks[Kind.VIDEO].blanked
        )

    def blank(self, *, blanked: bool) -> None:
        """Stop or resume the video."""
        self.tracks[Kind.VIDEO].blank(blanked=blanked)
        self._schedule()

    def request_keyframe(self, rid: str) -> None:
        """A sink wants a keyframe."""
        self.tracks[Kind.VIDEO].ask_keyframe(rid)
        self._schedule()

    # --- packets ------------------------------------------------------------------------------------

    def receive_rtp(self, packet: bytes, now: float) -> None:
        """A packet from the publisher. Raises ParseError for junk."""
        if self.ingress is None:
            return
        self.ingress.receive_rtp(packet, now)
        self._presence.packet(now)
        self._schedule()

    def receive_plain(self, frame: ForwardPlain, now: float) -> None:
        """A frame from the home worker (remote publisher). Raises ParseError for junk."""
        if self.ingress is None:
            return
        self.ingress.receive_plain(frame, self._clock.server_offset_ms, now)
        self._presence.packet(now)
        self._schedule()

    def receive_rtcp(self, peer: PeerId, packets: list[RtcpPacket], now: float) -> None:
        """RTCP from the publisher or a subscriber."""
        middle = self._clock.ntp_middle(now)
        if peer == self.publisher and self.ingress is not None:
            self.ingress.receive_rtcp(packets, middle, now)
        elif (egress := self.egresses.get(peer)) is not None:
            resend = egress.receive_rtcp(packets, middle, now)
            if resend:
                self._emit(SendTo(peer, resend))
            if (video := egress.subscriptions.get(Kind.VIDEO)) is not None:
                self.tracks[Kind.VIDEO].reported(video, now)
        self._schedule()

    def set_view(self, peer: PeerId, view: tuple[float, float] | None, now: float) -> None:
        """The box in pixels that a viewer's picture lies in, None for any; unknown peers are ignored."""
        egress = self.egresses.get(peer)
        if egress is not None and (video := egress.subscriptions.get(Kind.VIDEO)) is not None:
            video.view = view
            self.tracks[Kind.VIDEO].reported(video, now)
            self._schedule()

    def moved(self, peer: PeerId, now: float) -> None:
        """A peer is at another address; only a viewer's matters."""
        egress = self.egresses.get(peer)
        if egress is not None and (video := egress.subscriptions.get(Kind.VIDEO)) is not None:
            self.tracks[Kind.VIDEO].moved(video, now)
            self._schedule()

    def acknowledged(self, peer: PeerId, acked: Acked, now: float) -> None:
        """What a viewer's transport-wide feedback says of what was sent to it."""
        egress = self.egresses.get(peer)
        video = None if egress is None else egress.subscriptions.get(Kind.VIDEO)
        if video is None:
            return
        self._counters["acknowledged_unknown"] += acked.unknown
        track = self.tracks[Kind.VIDEO]
        if track.measured(video, acked, now):
            track.reported(video, now)
            self._replay_at = self._replay_at or now
            self._schedule()

    def _forward(self, layer: PublishedLayer, packets: list[bytes]) -> None:
        """A frame for the sinks."""
        if not self.sinks or layer.codec is None:
            return
        timestamp = unwrap32(int.from_bytes(packets[0][4:8]), layer.timeline.highest or 0)
        mono_ms = layer.timeline.mono_ms(timestamp)
        offset_ms = self._clock.server_offset_ms
        server_ms = None if mono_ms is None or offset_ms is None else mono_ms + offset_ms
        for peer in self.sinks:
            self._emit(ForwardPlain(peer, layer.kind, layer.rid, layer.codec, packets, server_ms))

    # --- time ---------------------------------------------------------------------------------------

    def _schedule_tick(self, now: float) -> None:
        self._tick_at = min(self._tick_at or now + TICK_S, now + TICK_S)
        self._schedule()

    def _schedule(self) -> None:
        """Recompute the deadline: the earliest of what is due."""
        earliest = self._tick_at
        for at in self._deadlines():
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        self.deadline = earliest
        if earliest is not None:
            self._wake(earliest)

    def _deadlines(self) -> list[float | None]:
        due: list[float | None] = [self._replay_at]
        due += [layer.flush_at for layer in self._layers]
        if self.ingress is not None:
            for source in self.ingress.sources.values():
                due += (source.layer.nack.deadline(), source.layer.keyframes.deadline())
        return due

    def handle(self, now: float) -> None:
        """Do what is due."""
        for layer in self._layers:
            if layer.flush_at is not None and layer.flush_at <= now:
                layer.flush()
        if self._replay_at is not None and self._replay_at <= now:
            self._replay(now)
        if self._tick_at is not None and self._tick_at <= now:
            self._tick(now)
        if self.ingress is not None and self.publisher is not None:
            self._ask_publisher(now)
        self._schedule()

    def _replay(self, now: float) -> None:
        for layer in self._layers:
            layer.audience.tick()
        going = any(layer.audience.replaying for layer in self._layers)
        self._replay_at = now + REPLAY_TICK_S if going else None

    def _ask_publisher(self, now: float) -> None:
        if self.ingress is None or self.publisher is None:
            return
        if self.ingress.config.remote:
            for layer in self.tracks[Kind.VIDEO].sent:
                if layer.keyframes.due(now):
                    self._emit(RequestKeyframe(self.publisher, layer.rid))
            return
        for packet in self.ingress.repair_requests(now):
            self._emit(SendRtcp(self.publisher, packet))

    def _tick(self, now: float) -> None:
        self._ticks += 1
        self._tick_at = now + TICK_S
        if not self._presence.tick(now, connected=self.publisher is not None):
            self._end()
        if self.ingress is not None and self.publisher is not None:
            self.ingress.update_clock(now)
            if not self.ingress.config.remote:
                for packet in self.ingress.transport_feedback():
                    self._emit(SendRtcp(self.publisher, packet))
            self._map_clock()
        if self._ticks % REPORT_TICKS == 0:
            self._every_second(now)
        self.tracks[Kind.VIDEO].review(self._ticks, now)
        for peer, packets in self.tracks[Kind.VIDEO].probes(TICK_S):
            self._counters["probes"] += len(packets)
            self._emit(SendTo(peer, packets))
        if self._replay_at is None and any(layer.audience.replaying for layer in self._layers):
            self._replay_at = now  # a viewer with a pace has begun on a layer
        self._report_to_subscribers(now)

    def _end(self) -> None:
        """Nobody publishes and nobody is awaited: the next publication begins a timeline of its own."""
        self._tick_at = None
        for track in self.tracks.values():
            track.timeline.forget()

    def _every_second(self, now: float) -> None:
        for layer in self._layers:
            layer.bitrate.roll(now)
            layer.frames.roll(now)
        if self.ingress is None or self.publisher is None:
            return
        self._mapped_ms = None
        if not self.ingress.config.remote and self.ingress.sources:
            ntp = ms_to_ntp(self._clock.unix_ms(now))
            self._emit(SendRtcp(self.publisher, self.ingress.report(ntp, now)))

    def _report_to_subscribers(self, now: float) -> None:
        if not self._presence.up:
            return
        turn = self._ticks % REPORT_TICKS
        unix_ms = self._clock.unix_ms(now)
        for peer, egress in self.egresses.items():
            if peer % REPORT_TICKS == turn:
                away = self._presence.away
                report = egress.sign_of_life() if away else egress.report(unix_ms, now * 1000)
                if report is not None:
                    self._emit(SendRtcp(peer, report))

    def _map_clock(self) -> None:
        """Once a second, and when the mapping has moved by more than a millisecond."""
        timeline = self.tracks[Kind.VIDEO].timeline
        highest, origin_ms = timeline.highest, timeline.mono_ms(0)
        offset_ms = self._clock.server_offset_ms
        if self.ingress is None or highest is None or origin_ms is None or offset_ms is None:
            return
        if self._mapped_ms is not None and abs(origin_ms - self._mapped_ms) <= 1.0:
            return
        self._mapped_ms = origin_ms
        mono_ms = timeline.mono_ms(highest)
        delay_ms = self.ingress.clock.delay_ms
        if mono_ms is not None:
            self._emit(
                ClockMapping(
                    self.name,
                    self.publication,
                    highest & 0xFFFF_FFFF,
                    mono_ms + offset_ms,
                    None if delay_ms is None else delay_ms + offset_ms,
                )
            )

    def health(self) -> ShowHealth:
        """The contract's health JSON as a value."""
        ingress = self.ingress if self._presence.up else None
        return health.of(ingress, self.tracks, list(self.egresses.values()))
