"""Publishers (local and remote) × subscribers: who gets which packets. Sans-I/O, as aioquic and h11 are.

Bytes and times go in (`receive_rtp`, `receive_rtcp`, `add_*`, `handle_deadline`), requests come out (`drain`). The
caller owns sockets, keys and the only timer:

    router.receive_rtp(peer, packet, now)
    for request in router.drain(): ...          # after every call, in order
    timer.at(router.next_deadline())            # then router.handle_deadline(now)

`now` is monotonic seconds and never runs back. All packets are plain: SRTP was removed before and is added after.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from media.kernel import Target

PeerId = int
"""A connected peer: the slot number that `Fanout.add_slot` gave it."""


class Kind(StrEnum):
    """What a track carries."""

    AUDIO = "audio"
    VIDEO = "video"


# --- what goes in ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """A negotiated codec. `name` is the SDP encoding name in lower case (`h264`, `vp8`, `opus`)."""

    name: str
    clock_rate: int


@dataclass(frozen=True, slots=True)
class IncomingTrack:
    """One media section of a publisher as negotiated: how to recognise its packets and what feedback it takes.

    `ssrcs` and `rtx` may be empty when the SDP names none: packets are then told apart by MID, else by payload type.
    """

    kind: Kind
    mid: str
    codecs: Mapping[int, Codec]
    """Payload type → codec, without RTX, RED and FEC."""
    rtx: Mapping[int, int] = field(default_factory=dict[int, int])
    """RTX payload type → payload type that it repairs (`apt`, RFC 4588)."""
    ssrcs: tuple[int, ...] = ()
    """Media SSRCs that the SDP names for this section."""
    rtx_ssrcs: Mapping[int, int] = field(default_factory=dict[int, int])
    """RTX SSRC → media SSRC (`a=ssrc-group:FID`)."""
    rids: tuple[str, ...] = ()
    """Simulcast layers in the order of `a=simulcast`; empty: one layer with rid ''."""
    nack: bool = False
    pli: bool = False
    fir: bool = False
    remb: bool = False
    transport_cc: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """Negotiated header extension ids of a publisher (RFC 8285), 0 where absent."""

    mid: int = 0
    rid: int = 0
    repaired_rid: int = 0
    transport_cc: int = 0
    abs_capture_time: int = 0


@dataclass(frozen=True, slots=True)
class PublisherConfig:
    """A publisher whose DTLS handshake is done. `remote`: the packets come from this show's home worker and are
    already on the outgoing timeline; no RTCP goes back, keyframes are asked for with `RequestKeyframe`.
    """

    show: str
    publication: str
    tracks: tuple[IncomingTrack, ...]
    extensions: ExtensionIds = ExtensionIds()
    remote: bool = False


@dataclass(frozen=True, slots=True)
class OutgoingTrack:
    """One media section of a subscriber as answered. It keeps `ssrc` for its whole life, whoever publishes."""

    kind: Kind
    ssrc: int
    payload_types: Mapping[str, int]
    """Codec name → payload type. A publisher's codec that is not here is not sent to this subscriber."""
    rtx_ssrc: int = 0
    """0: RTX was not negotiated, retransmissions are byte-identical."""
    rtx_payload_types: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class SubscriberConfig:
    """A subscriber whose DTLS handshake is done. `cname` is the one that its SDP answer names."""

    show: str
    tracks: tuple[OutgoingTrack, ...]
    cname: str = "vendue"


# --- what comes out -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SendBurst:
    """`Fanout.send(packets, targets)`: one frame to everybody on this layer."""

    packets: list[bytes]
    targets: list[Target]


@dataclass(slots=True)
class SendTo:
    """`Fanout.send_to(peer, packets)`: a retransmission or a slice of a paced replay for one peer."""

    peer: PeerId
    packets: list[bytes]


@dataclass(slots=True)
class SendRtcp:
    """`Fanout.send_rtcp(peer, packet)`: a compound RTCP packet for a publisher or a subscriber."""

    peer: PeerId
    packet: bytes


@dataclass(slots=True)
class ForwardPlain:
    """One frame of plain prepared packets for a sink (another media worker, the recorder)."""

    peer: PeerId
    kind: Kind
    rid: str
    codec: str
    packets: list[bytes]


@dataclass(slots=True)
class RequestKeyframe:
    """Ask the home worker of a remote publisher for a keyframe (a local one gets a PLI in `SendRtcp`)."""

    peer: PeerId
    rid: str


@dataclass(slots=True)
class ClockMapping:
    """Video `rtp_timestamp` on the outgoing timeline is server time `server_ms`, for every viewer of the show.

    Once a second and at each change. `delay_ms` is FRAMELOCK's D in server time (`at_ms = press + D`), None until the
    publisher's sender reports are known. Only sent once `set_clock` has been called.
    """

    show: str
    publication: str
    rtp_timestamp: int
    server_ms: float
    delay_ms: float | None


@dataclass(slots=True)
class PublisherUp:
    """The first packet of a publication has come."""

    show: str
    publication: str


@dataclass(slots=True)
class PublisherAway:
    """Nothing has come from the publisher for 2 s, or it was removed. Viewers are kept."""

    show: str
    publication: str


@dataclass(slots=True)
class PublisherBack:
    """Packets again after `PublisherAway` (`publication` is the returning one)."""

    show: str
    publication: str


@dataclass(slots=True)
class PublisherDown:
    """Away for 30 s: the publication is over, its timeline is forgotten. Subscribers stay and wait."""

    show: str
    publication: str


Request = (
    SendBurst
    | SendTo
    | SendRtcp
    | ForwardPlain
    | RequestKeyframe
    | ClockMapping
    | PublisherUp
    | PublisherAway
    | PublisherBack
    | PublisherDown
)


# --- health ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """A layer as the contract's health JSON shows it; sizes are None until a keyframe has told them."""

    rid: str
    width: int | None
    height: int | None
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """The publisher's half of the contract's health JSON."""

    bitrate_bps: int
    loss: float
    rtt_ms: float | None
    fps: float
    keyframe_interval_ms: float | None
    codec: str
    layers: tuple[LayerHealth, ...]


@dataclass(frozen=True, slots=True)
class ViewersHealth:
    """The viewers' half: medians over the subscribers that have reported."""

    count: int
    rtt_ms_p50: float | None
    loss_p50: float | None
    layers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShowHealth:
    """`publisher` is None while nobody publishes."""

    publisher: PublisherHealth | None
    viewers: ViewersHealth


class Router:
    """All shows of one media worker. Not thread-safe; see the module for how to drive it."""

    def __init__(self, random_u32: Callable[[], int]) -> None:
        """`random_u32` gives first sequence numbers and timestamps (`secrets.randbits(32)`; seeded in tests)."""
        raise NotImplementedError

    def add_publisher(self, peer: PeerId, config: PublisherConfig, now: float) -> PeerId | None:
        """Take the publisher of a show; returns the peer that it replaces, which the caller should close.

        Its media continues the outgoing SSRCs, sequence numbers and timeline of the show's last publisher if that one
        was there within the last 30 s.
        """
        raise NotImplementedError

    def add_subscriber(self, peer: PeerId, config: SubscriberConfig, now: float) -> None:
        """Start sending to a subscriber: the GOP so far when its keyframe is young, else from the next keyframe."""
        raise NotImplementedError

    def add_sink(self, peer: PeerId, show: str, now: float) -> None:
        """Give every prepared frame of the show to a plain consumer as `ForwardPlain`."""
        raise NotImplementedError

    def remove_peer(self, peer: PeerId, now: float) -> None:
        """A publisher, subscriber or sink has gone. Unknown peers are ignored."""
        raise NotImplementedError

    def remove_show(self, show: str, now: float) -> list[PeerId]:
        """Forget a show; returns its peers, which the caller should close."""
        raise NotImplementedError

    def receive_rtp(self, peer: PeerId, packet: bytes, now: float) -> None:
        """A plain RTP packet from a publisher. Junk and packets of unknown streams are counted and dropped."""
        raise NotImplementedError

    def receive_rtcp(self, peer: PeerId, packet: bytes, now: float) -> None:
        """A plain compound RTCP packet from any peer. Junk is counted and dropped."""
        raise NotImplementedError

    def request_keyframe(self, show: str, rid: str, now: float) -> None:
        """A remote worker wants a keyframe (its `RequestKeyframe`)."""
        raise NotImplementedError

    def set_clock(self, server_minus_monotonic_ms: float, now: float) -> None:
        """Server time minus monotonic time, from the web worker once a second."""
        raise NotImplementedError

    def set_blanked(self, show: str, *, blanked: bool, now: float) -> None:
        """Stop or resume the show's video; audio goes on. Remembered for shows that nobody publishes yet."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called, None when there is nothing to do."""
        raise NotImplementedError

    def handle_deadline(self, now: float) -> None:
        """Do what is due: flush frames, feedback, reports, retries, away and down."""
        raise NotImplementedError

    def drain(self) -> list[Request]:
        """The requests since the last call, oldest first. The caller owns the list."""
        raise NotImplementedError

    def health(self, show: str, now: float) -> ShowHealth:
        """What the contract's health JSON says about a show (one that is unknown here: no publisher, no viewers)."""
        raise NotImplementedError

    def counters(self) -> Mapping[str, int]:
        """Totals for the metrics endpoint: names → counts (junk, limits reached, NACKs, retransmissions, …)."""
        raise NotImplementedError
