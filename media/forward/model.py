"""What the relay is told about publishers and subscribers, and what it says about a show's health."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PeerId = int
"""A connected peer: the slot number that `Fanout.add_slot` gave it."""


class Kind(StrEnum):
    """What a track carries."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Codec:
    """A negotiated codec. `name` is the SDP encoding name in lower case (`h264`, `vp8`, `opus`)."""

    name: str
    clock_rate: int


@dataclass(frozen=True, slots=True)
class IncomingTrack:
    """One media section of a publisher as negotiated: how to recognise its packets and what feedback
    it takes.

    `ssrcs` and `rtx` may be empty when the SDP names none: packets are then told apart by MID, else by
    payload type.
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
    """A publisher whose DTLS handshake is done. `remote`: the packets come from this show's home
    worker and are already on the outgoing timeline; no RTCP goes back, keyframes are asked for with
    `RequestKeyframe`.
    """

    show: str
    publication: str
    tracks: tuple[IncomingTrack, ...]
    extensions: ExtensionIds = ExtensionIds()
    remote: bool = False


@dataclass(frozen=True, slots=True)
class OutgoingTrack:
    """One media section of a subscriber as answered. It keeps `ssrc` for its whole life, whoever
    publishes.
    """

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
    transport_cc: int = 0
    """Id of the header extension for transport-wide numbers; 0: not negotiated. Only with RTX for every video
    codec: a byte-identical retransmission would need a remembered number.
    """


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
    b_frames: bool = False
    """The stream has B slices: pictures come in another order than they are shown in, and browsers judder."""


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
