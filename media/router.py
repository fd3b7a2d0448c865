"""Publishers (local and remote) × subscribers: who gets which packets. Sans-I/O, as aioquic and h11 are.

Bytes and times go in (`receive_rtp`, `receive_rtcp`, `add_*`, `handle_deadline`), requests come out
(`drain`). The caller owns sockets, keys and the only timer:

    router.receive_rtp(peer, packet, now)
    for request in router.drain(): ...          # after every call, in order
    timer.at(router.next_deadline())            # then router.handle_deadline(now)

`now` is monotonic seconds and never runs back. All packets are plain: SRTP was removed before and is
added after.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from media.errors import ParseError
from media.forward.model import (
    Codec,
    ExtensionIds,
    IncomingTrack,
    Kind,
    LayerHealth,
    OutgoingTrack,
    PeerId,
    PublisherConfig,
    PublisherHealth,
    ShowHealth,
    SubscriberConfig,
    ViewersHealth,
)
from media.forward.requests import (
    ClockMapping,
    ForwardPlain,
    PublisherAway,
    PublisherBack,
    PublisherDown,
    PublisherUp,
    Request,
    RequestKeyframe,
    SendBurst,
    SendRtcp,
    SendTo,
)
from media.forward.show import Show
from media.forward.stats import TokenBucket
from media.forward.wallclock import WallClock
from media.kernel import Acked
from media.rtp import rtcp

__all__ = [
    "ClockMapping",
    "Codec",
    "ExtensionIds",
    "ForwardPlain",
    "IncomingTrack",
    "Kind",
    "LayerHealth",
    "OutgoingTrack",
    "PeerId",
    "PublisherAway",
    "PublisherBack",
    "PublisherConfig",
    "PublisherDown",
    "PublisherHealth",
    "PublisherUp",
    "Request",
    "RequestKeyframe",
    "Router",
    "SendBurst",
    "SendRtcp",
    "SendTo",
    "ShowHealth",
    "SubscriberConfig",
    "ViewersHealth",
]

RTCP_RATE_PER_S = 200
RTCP_BURST = 400
"""Compounds a peer may send; a viewer under heavy loss sends about 50 a second. More are dropped."""


class _Peer:
    """Where a peer belongs, and how much RTCP it may still send."""

    __slots__ = ("bucket", "show")

    def __init__(self, show: Show) -> None:
        self.show = show
        self.bucket = TokenBucket(RTCP_RATE_PER_S, RTCP_BURST)


class Router:
    """All shows of one media worker. Not thread-safe; see the module for how to drive it."""

    def __init__(self, random_u32: Callable[[], int]) -> None:
        """`random_u32` gives first sequence numbers and timestamps (`secrets.randbits(32)`; seeded in
        tests).
        """
        self._random_u32 = random_u32
        self._shows: dict[str, Show] = {}
        self._peers: dict[PeerId, _Peer] = {}
        self._clock = WallClock()
        self._counters: Counter[str] = Counter()
        self._requests: list[Request] = []
        self._deadline: float | None = None

    # --- peers --------------------------------------------------------------------------------------

    def add_publisher(self, peer: PeerId, config: PublisherConfig, now: float) -> PeerId | None:
        """Take the publisher of a show; returns the peer that it replaces, which the caller should close
        (and need not remove).

        Its media continues the outgoing SSRCs, sequence numbers and timeline of the show's last publisher
        if that one was there within the last 30 s.
        """
        show = self._show(config.show)
        replaced = show.publish(peer, config, now)
        if replaced is not None:
            self._peers.pop(replaced, None)
        self._peers[peer] = _Peer(show)
        return replaced

    def add_subscriber(self, peer: PeerId, config: SubscriberConfig, now: float) -> None:
        """Start sending to a subscriber: the GOP so far when its keyframe is young, else from the next
        keyframe. It may come before the publisher.
        """
        show = self._show(config.show)
        self._peers[peer] = _Peer(show)
        show.subscribe(peer, config, now)

    def add_sink(self, peer: PeerId, show: str, now: float) -> None:
        """Give every prepared frame of the show to a plain consumer as `ForwardPlain`."""
        found = self._show(show)
        self._peers[peer] = _Peer(found)
        found.sinks.add(peer)
        self.request_keyframe(show, "", now)

    def remove_peer(self, peer: PeerId, now: float) -> None:
        """A publisher, subscriber or sink has gone. Unknown peers are ignored."""
        known = self._peers.pop(peer, None)
        if known is None:
            return
        if known.show.publisher == peer:
            known.show.unpublish(now)
        known.show.leave(peer)
        self._forget(known.show)

    def remove_show(self, show: str, now: float) -> list[PeerId]:
        """Forget a show; returns its peers, which the caller should close."""
        del now
        found = self._shows.pop(show, None)
        peers = [peer for peer, known in self._peers.items() if known.show is found]
        for peer in peers:
            del self._peers[peer]
        return peers

    def _show(self, name: str) -> Show:
        show = self._shows.get(name)
        if show is None:
            show = self._shows[name] = Show(
                name,
                random_u32=self._random_u32,
                clock=self._clock,
                counters=self._counters,
                emit=self._emit,
                wake=self._wake,
            )
        return show

    def _forget(self, show: Show) -> None:
        if show.forgotten and self._shows.get(show.name) is show:
            del self._shows[show.name]

    def _emit(self, request: Request) -> None:
        self._requests.append(request)

    def _wake(self, at: float) -> None:
        if self._deadline is None or at < self._deadline:
            self._deadline = at

    # --- packets ------------------------------------------------------------------------------------

    def receive_rtp(self, peer: PeerId, packet: bytes, now: float) -> None:
        """A plain RTP packet from a publisher. Junk and packets of unknown streams are counted and
        dropped.
        """
        known = self._peers.get(peer)
        if known is None or known.show.publisher != peer:
            self._counters["rtp_not_a_publisher"] += 1
            return
        try:
            known.show.receive_rtp(packet, now)
        except ParseError:
            self._counters["rtp_junk"] += 1

    def receive_plain(self, peer: PeerId, frame: ForwardPlain, now: float) -> None:
        """A frame from the home worker of a remote publisher (its `ForwardPlain`)."""
        known = self._peers.get(peer)
        if known is None or known.show.publisher != peer:
            self._counters["rtp_not_a_publisher"] += 1
            return
        try:
            known.show.receive_plain(frame, now)
        except ParseError:
            self._counters["rtp_junk"] += 1

    def receive_rtcp(self, peer: PeerId, packet: bytes, now: float) -> None:
        """A plain compound RTCP packet from any peer. Junk is counted and dropped."""
        known = self._peers.get(peer)
        if known is None:
            return
        if not known.bucket.take(now):
            self._counters["rtcp_limit"] += 1
            return
        try:
            packets = rtcp.parse(packet)
        except ParseError:
            self._counters["rtcp_junk"] += 1
            return
        known.show.receive_rtcp(peer, packets, now)

    def acknowledged(self, peer: PeerId, acked: Acked, now: float) -> None:
        """What the fan-out read in a viewer's transport-wide feedback. A peer that has gone is ignored."""
        known = self._peers.get(peer)
        if known is not None:
            known.show.acknowledged(peer, acked, now)

    def moved(self, peer: PeerId, now: float) -> None:
        """A peer is sent to another address from now on. One that has gone is ignored."""
        known = self._peers.get(peer)
        if known is not None:
            known.show.moved(peer, now)

    def set_view(self, peer: PeerId, view: tuple[float, float] | None, now: float) -> None:
        """The box (width, height in pixels, infinite for any) that a subscriber's picture lies in: it is
        sent no layer larger than the smallest that fills it. None: whatever its path carries. A peer that
        has gone is ignored.
        """
        known = self._peers.get(peer)
        if known is not None:
            known.show.set_view(peer, view, now)

    def request_keyframe(self, show: str, rid: str, now: float) -> None:
        """A sink wants a keyframe (a remote worker's `RequestKeyframe`). An unknown show is ignored."""
        del now
        found = self._shows.get(show)
        if found is not None:
            found.request_keyframe(rid)

    # --- settings and time --------------------------------------------------------------------------

    def set_clock(self, server_minus_monotonic_ms: float, now: float) -> None:
        """Server time minus monotonic time, from the web worker once a second."""
        del now
        self._clock.set(server_minus_monotonic_ms)

    def set_blanked(self, show: str, *, blanked: bool, now: float) -> None:
        """Stop or resume the show's video; audio goes on. Remembered for shows that nobody publishes
        yet.
        """
        del now
        found = self._show(show)
        found.blank(blanked=blanked)
        self._forget(found)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called, None when there is nothing to do."""
        return self._deadline

    def handle_deadline(self, now: float) -> None:
        """Do what is due: flush frames, feedback, reports, retries, away and down."""
        self._deadline = None
        for show in list(self._shows.values()):
            if show.deadline is None:
                continue
            if show.deadline <= now:
                show.handle(now)
                self._forget(show)
            else:
                self._wake(show.deadline)

    def drain(self) -> list[Request]:
        """The requests since the last call, oldest first. The caller owns the list."""
        requests = self._requests
        self._requests = []
        return requests

    # --- what is going on ---------------------------------------------------------------------------

    def health(self, show: str, now: float) -> ShowHealth:
        """What the contract's health JSON says about a show (one that is unknown here: no publisher, no
        viewers).
        """
        del now
        found = self._shows.get(show)
        return ShowHealth(None, ViewersHealth(0, None, None, {})) if found is None else found.health()

    def counters(self) -> Mapping[str, int]:
        """Totals for the metrics endpoint: names → counts (junk, limits, NACKs, retransmissions, …)."""
        return dict(self._counters)
