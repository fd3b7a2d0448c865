"""What the sans-I/O core asks its caller to do, in order. One object a frame, never one a packet and
viewer.
"""

from dataclasses import dataclass

from media.forward.model import Codec, Kind, PeerId
from media.kernel import Target


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
    codec: Codec
    packets: list[bytes]
    server_ms: float | None
    """Server time of the frame, None while it is not known."""


@dataclass(slots=True)
class RequestKeyframe:
    """Ask the home worker of a remote publisher for a keyframe (a local one gets a PLI in `SendRtcp`)."""

    peer: PeerId
    rid: str


@dataclass(slots=True)
class ClockMapping:
    """Video `rtp_timestamp` on the outgoing timeline is server time `server_ms`, for every viewer of
    the show.

    Once a second and at each change. `delay_ms` is FRAMELOCK's D in server time (`at_ms = press + D`),
    None until the publisher's sender reports are known. Only sent once `set_clock` has been called.
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
