"""The answers to WHIP and WHEP offers: an ICE-lite, bundled, rtcp-muxed description of this worker.

A publisher gets exactly one codec a section, the first of ours that it has, so that a publication never
changes its codec. A viewer gets every codec of ours that it has: the publisher may come later, or return with
another one, and nobody has to renegotiate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from media.forward.model import ExtensionIds, IncomingTrack, Kind, OutgoingTrack
from media.transport.candidates import candidate_lines
from media.transport.dtls import Fingerprint, Role
from media.transport.ice import Credentials
from media.transport.sdp import Offer, OfferedCodec, OfferedMedia
from media.transport.simulcast import answer_lines

CNAME = "vendue"

_RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
_SIMULCAST_EXTENSIONS = {
    _RID: "rid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "repaired_rid",
}
_TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_EXTENSIONS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    _TRANSPORT_CC: "transport_cc",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time": "abs_capture_time",
}
_VIDEO_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
_VIEWER_FEEDBACK = ("goog-remb", "ccm fir", "nack", "nack pli")
_MEASURED_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
_AUDIO_FEEDBACK = ("transport-cc", "nack")


@dataclass(frozen=True, slots=True)
class NoCommonCodec:
    """The offer is sound, but nothing in it can be relayed."""


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """What of this worker goes into an answer. `addresses`: host and UDP port of each candidate."""

    credentials: Credentials
    fingerprint: Fingerprint
    addresses: Sequence[tuple[str, int]]
    tcp_addresses: Sequence[tuple[str, int]] = ()
    """The same for ICE-TCP."""


@dataclass(frozen=True, slots=True)
class PublisherAnswer:
    """An answer to a WHIP offer and what the router needs of it."""

    sdp: str
    tracks: tuple[IncomingTrack, ...]
    extensions: ExtensionIds
    accepted: tuple[tuple[str, str], ...]
    """Kind and mid of the sections in the bundle."""


@dataclass(frozen=True, slots=True)
class ViewerAnswer:
    """An answer to a WHEP offer and what the router needs of it."""

    sdp: str
    tracks: tuple[OutgoingTrack, ...]
    accepted: tuple[tuple[str, str], ...]
    """Kind and mid of the sections in the bundle."""
    transport_cc: int = 0
    """Id of the header extension for transport-wide numbers; 0: not negotiated."""


def answer_publisher(offer: Offer, local: LocalTransport) -> PublisherAnswer | NoCommonCodec:
    """Take the first audio and the first video section that the peer sends."""
    tracks: list[IncomingTrack] = []
    extensions: dict[str, int] = {}
    writer = _Writer(offer, local)
    taken: set[str] = set()
    for media in offer.media:
        codec = next(iter(_preferred(media)), None)
        wanted = media.usable and media.direction in ("sendonly", "sendrecv") and media.kind not in taken
        if codec is None or not wanted:
            writer.reject(media)
            continue
        taken.add(media.kind)
        codec = _with_fec(codec)
        feedback = [one for one in _feedback_for(media.kind) if one in codec.feedback]
        rids = media.rids if _RID in media.extensions and media.kind == "video" else ()
        known = _EXTENSIONS | (_SIMULCAST_EXTENSIONS if rids else {})
        shared = {uri: number for uri, number in media.extensions.items() if uri in known}
        extensions |= {known[uri]: number for uri, number in shared.items()}
        lines = [f"extmap:{number} {uri}" for uri, number in shared.items()]
        writer.accept(media, [codec], feedback, "recvonly", lines + answer_lines(rids))
        tracks.append(_incoming(media, codec, feedback, rids))
    if not tracks:
        return NoCommonCodec()
    return PublisherAnswer(writer.text(), tuple(tracks), ExtensionIds(**extensions), tuple(writer.accepted))


def _with_fec(codec: OfferedCodec) -> OfferedCodec:
    """Opus as we want to receive it (RFC 7587 §6.1): with what a viewer needs to decode a packet that it
    lost from the next one.
    """
    if codec.name != "opus":
        return codec
    return replace(codec, parameters={**codec.parameters, "useinbandfec": "1"})


def answer_viewer(
    offer: Offer, local: LocalTransport, random_u32: Callable[[], int]
) -> ViewerAnswer | NoCommonCodec:
    """Send to the first audio and the first video section that takes it."""
    tracks: list[OutgoingTrack] = []
    writer = _Writer(offer, local)
    wanted = _wanted_by_viewer(offer)
    transport_cc = _transport_cc(list(wanted.values()))
    for media in offer.media:
        if wanted.get(media.kind) is not media:
            writer.reject(media)
            continue
        codecs = _preferred(media)
        track = _outgoing(media.kind, codecs, random_u32)
        lines = [f"msid:{CNAME} {media.kind}"]
        if track.rtx_ssrc:
            lines.append(f"ssrc-group:FID {track.ssrc} {track.rtx_ssrc}")
        lines += [f"ssrc:{ssrc} cname:{CNAME}" for ssrc in (track.ssrc, track.rtx_ssrc) if ssrc]
        if transport_cc:
            lines.append(f"extmap:{transport_cc} {_TRANSPORT_CC}")
        writer.accept(
            media, codecs, _viewer_feedback(media.kind, measured=bool(transport_cc)), "sendonly", lines
        )
        tracks.append(track)
    if not tracks:
        return NoCommonCodec()
    return ViewerAnswer(writer.text(), tuple(tracks), tuple(writer.accepted), transport_cc)


def _wanted_by_viewer(offer: Offer) -> dict[str, OfferedMedia]:
    """The first section of each kind that takes something of ours."""
    wanted: dict[str, OfferedMedia] = {}
    for media in offer.media:
        if media.usable and media.direction in ("recvonly", "sendrecv") and _preferred(media):
            wanted.setdefault(media.kind, media)
    return wanted


def _viewer_feedback(kind: str, *, measured: bool) -> tuple[str, ...]:
    if kind == "video":
        return _MEASURED_FEEDBACK if measured else _VIEWER_FEEDBACK
    return ("transport-cc",) if measured else ()


def _transport_cc(sections: Sequence[OfferedMedia]) -> int:
    """The id of transport-wide numbers where all sections offer them under one, and every video codec has RTX
    (a byte-identical retransmission would need its number remembered); else 0.
    """
    ids = {media.extensions.get(_TRANSPORT_CC, 0) for media in sections}
    video = next((media for media in sections if media.kind == "video"), None)
    if len(ids) != 1 or video is None:
        return 0
    repaired = all(
        codec.rtx_payload_type is not None and "transport-cc" in codec.feedback for codec in _preferred(video)
    )
    return ids.pop() if repaired else 0


def restart_fragment(accepted: Sequence[tuple[str, str]], local: LocalTransport) -> str:
    """The body that answers an ICE restart (RFC 9725 §4.3.3)."""
    kind, mid = accepted[0]
    lines = ["a=ice-lite", "a=group:BUNDLE " + " ".join(mid for _, mid in accepted)]
    lines += [f"m={kind} 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{mid}"]
    lines += [f"a=ice-ufrag:{local.credentials.ufrag}", f"a=ice-pwd:{local.credentials.pwd}"]
    lines += candidate_lines(local.addresses, local.tcp_addresses)
    return "\r\n".join(lines) + "\r\n"


# --- codecs ------------------------------------------------------------------------------------------


def _preferred(media: OfferedMedia) -> list[OfferedCodec]:
    """The best payload type of each codec that can be relayed, best codec first."""
    best: dict[str, tuple[tuple[int, ...], OfferedCodec]] = {}
    for position, codec in enumerate(media.codecs):
        rank = _rank(media.kind, codec)
        if rank is None:
            continue
        key = (*rank, position)
        if codec.name not in best or key < best[codec.name][0]:
            best[codec.name] = (key, codec)
    return [codec for _, codec in sorted(best.values(), key=lambda pair: pair[0])]


def _rank(kind: str, codec: OfferedCodec) -> tuple[int, ...] | None:
    """Lower is better: H264 first: HLS needs it and its layers switch cleanly. None cannot be relayed."""
    match kind, codec.name, codec.clock_rate:
        case "audio", "opus", 48000:
            return (0, 0)
        case "video", "h264", 90000:
            return (0, _h264_rank(codec.parameters))
        case "video", "vp8", 90000:
            return (1, 0)
        case "video", "vp9", 90000 if codec.parameters.get("profile-id", "0") == "0":
            return (2, 0)
        case "video", "av1", 90000 if codec.parameters.get("profile", "0") == "0":
            return (3, 0)
        case _:
            return None


def _h264_rank(parameters: Mapping[str, str]) -> int:
    """42e01f (constrained baseline) in packetization mode 1, then near relatives (RFC 6184 §8.1)."""
    profile = parameters.get("profile-level-id", "42000a").lower()
    order = ("42e0", "42c0", "4200", "4d", "64")
    rank = next((index for index, prefix in enumerate(order) if profile.startswith(prefix)), len(order))
    return rank + (0 if parameters.get("packetization-mode") == "1" else 10)


def _feedback_for(kind: str) -> tuple[str, ...]:
    return _VIDEO_FEEDBACK if kind == "video" else _AUDIO_FEEDBACK


def _incoming(
    media: OfferedMedia, codec: OfferedCodec, feedback: Sequence[str], rids: tuple[str, ...]
) -> IncomingTrack:
    rtx = codec.rtx_payload_type
    return IncomingTrack(
        kind=Kind(media.kind),
        mid=media.mid,
        codecs={codec.payload_type: codec.codec},
        rtx={} if rtx is None else {rtx: codec.payload_type},
        ssrcs=media.ssrcs,
        rtx_ssrcs=media.rtx_ssrcs if rtx is not None else {},
        rids=rids,
        nack="nack" in feedback,
        pli="nack pli" in feedback,
        fir="ccm fir" in feedback,
        remb="goog-remb" in feedback,
        transport_cc="transport-cc" in feedback,
    )


def _outgoing(kind: str, codecs: Sequence[OfferedCodec], random_u32: Callable[[], int]) -> OutgoingTrack:
    rtx = {codec.name: codec.rtx_payload_type for codec in codecs if codec.rtx_payload_type is not None}
    ssrc = random_u32() or 1
    return OutgoingTrack(
        kind=Kind(kind),
        ssrc=ssrc,
        payload_types={codec.name: codec.payload_type for codec in codecs},
        rtx_ssrc=_other_than(ssrc, random_u32) if rtx else 0,
        rtx_payload_types=rtx,
    )


def _other_than(ssrc: int, random_u32: Callable[[], int]) -> int:
    other = random_u32()
    return other if other not in (0, ssrc) else (ssrc ^ 0x5A5A5A5A) or 1


# --- text ------------------------------------------------------------------------------------------


class _Writer:
    """Builds the answer section by section, in the offer's order."""

    def __init__(self, offer: Offer, local: LocalTransport) -> None:
        self._offer = offer
        self._local = local
        self._lines: list[str] = []
        self.accepted: list[tuple[str, str]] = []

    def reject(self, media: OfferedMedia) -> None:
        """Port 0, formats repeated (RFC 3264 §6)."""
        self._lines += [
            f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{media.mid}",
            "a=inactive",
        ]

    def accept(
        self,
        media: OfferedMedia,
        codecs: Sequence[OfferedCodec],
        feedback: Sequence[str],
        direction: str,
        extra: Sequence[str],
    ) -> None:
        """One section with its share of the common transport."""
        formats: list[int] = []
        attributes: list[str] = []
        for codec in codecs:
            formats.append(codec.payload_type)
            attributes += _codec_lines(codec, feedback)
        for codec in codecs:
            if codec.rtx_payload_type is not None:
                formats.append(codec.rtx_payload_type)
                attributes.append(f"rtpmap:{codec.rtx_payload_type} rtx/{codec.clock_rate}")
                attributes.append(f"fmtp:{codec.rtx_payload_type} apt={codec.payload_type}")
        lines = [
            f"m={media.kind} 9 {media.protocol} {' '.join(map(str, formats))}",
            "c=IN IP4 0.0.0.0",
            *self._transport(),
            f"a=mid:{media.mid}",
            f"a={direction}",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            *[f"a={one}" for one in (*attributes, *extra)],
        ]
        if not self.accepted:  # the section that stands for the whole bundle (RFC 8843 §7.3)
            lines += candidate_lines(self._local.addresses, self._local.tcp_addresses)
        self._lines += lines
        self.accepted.append((media.kind, media.mid))

    def text(self) -> str:
        """The whole description."""
        head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
        if self._offer.bundled:
            head.append("a=group:BUNDLE " + " ".join(mid for _, mid in self.accepted))
        head.append("a=msid-semantic: WMS *")
        return "\r\n".join([*head, *self._lines]) + "\r\n"

    def _transport(self) -> list[str]:
        local = self._local
        return [
            f"a=ice-ufrag:{local.credentials.ufrag}",
            f"a=ice-pwd:{local.credentials.pwd}",
            f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
            f"a=setup:{'active' if self._offer.role is Role.ACTIVE else 'passive'}",
        ]


def _codec_lines(codec: OfferedCodec, feedback: Sequence[str]) -> list[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    name = {"opus": "opus"}.get(codec.name, codec.name.upper())
    lines = [f"rtpmap:{codec.payload_type} {name}/{codec.clock_rate}{channels}"]
    lines += [f"rtcp-fb:{codec.payload_type} {one}" for one in feedback if one in codec.feedback]
    if codec.parameters:
        text = ";".join(f"{key}={value}" if value else key for key, value in codec.parameters.items())
        lines.append(f"fmtp:{codec.payload_type} {text}")
    return lines
