"""WHIP and WHEP offers: what they say that matters here, as plain values (RFC 8866, RFC 8829, RFC 9725).

`parse_offer` checks what both kinds of offer must have. What we answer is `media.transport.answer`'s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from media.forward.model import Codec
from media.transport.aiortc_shim import MediaDescription, SdpError, SessionDescription, parse_session
from media.transport.dtls import Fingerprint, Role
from media.transport.simulcast import offered_rids

__all__ = ["Offer", "OfferedCodec", "OfferedMedia", "SdpError", "parse_fragment", "parse_offer"]

MAX_MEDIA_SECTIONS = 16
"""A WHIP or WHEP offer has two; more are refused before any work is done for them."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]{1,64}")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")  # '=', '-', '_' are not ice-char, but senders use them
_PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"})


@dataclass(frozen=True, slots=True)
class OfferedCodec:
    """One payload type of an offer that carries media of its own."""

    payload_type: int
    name: str
    """Encoding name in lower case."""
    clock_rate: int
    channels: int
    parameters: Mapping[str, str]
    feedback: frozenset[str]
    """`nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc` and the like."""
    rtx_payload_type: int | None = None

    @property
    def codec(self) -> Codec:
        """The router's view of it."""
        return Codec(self.name, self.clock_rate)


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One m= section."""

    kind: str
    mid: str
    protocol: str
    formats: tuple[str, ...]
    direction: str
    usable: bool
    """Audio or video over DTLS-SRTP, in the bundle, not rejected by its own port 0."""
    codecs: tuple[OfferedCodec, ...]
    extensions: Mapping[str, int]
    """URI → id (RFC 8285)."""
    ssrcs: tuple[int, ...]
    rtx_ssrcs: Mapping[int, int]
    """RTX SSRC → media SSRC."""
    rids: tuple[str, ...] = ()
    """Simulcast layers, in the order of the offer."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked offer. `role` is ours: passive unless the peer insists on being it itself (RFC 5763 §5)."""

    media: tuple[OfferedMedia, ...]
    fingerprints: tuple[Fingerprint, ...]
    role: Role
    ufrag: str
    bundled: bool


def parse_offer(text: str) -> Offer:
    """Parse and check an offer; SdpError names what is missing."""
    session = parse_session(text)
    if len(session.media) > MAX_MEDIA_SECTIONS:
        raise SdpError("too many media sections")
    bundle = _bundle(session)
    rids = offered_rids(text)
    if len(rids) != len(session.media):
        raise SdpError("cannot be parsed")
    sections = tuple(
        _media(section, index, bundle, rids[index]) for index, section in enumerate(session.media)
    )
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise SdpError("two media sections with one mid")
    leader = next((raw for raw, section in zip(session.media, sections, strict=True) if section.usable), None)
    if leader is None:
        raise SdpError("no audio or video over DTLS-SRTP")
    if leader.ice is None or not _ICE_CHARS.fullmatch(leader.ice.usernameFragment or ""):
        raise SdpError("no ice-ufrag")
    if leader.dtls is None or not leader.dtls.fingerprints:
        raise SdpError("no fingerprint or no setup")
    if not leader.rtcp_mux:
        raise SdpError("no rtcp-mux")
    return Offer(
        media=sections,
        fingerprints=tuple(Fingerprint(one.algorithm, one.value) for one in leader.dtls.fingerprints),
        role=Role.ACTIVE if leader.dtls.role == "server" else Role.PASSIVE,
        ufrag=leader.ice.usernameFragment or "",
        bundled=bundle is not None,
    )


def _bundle(session: SessionDescription) -> set[str] | None:
    """The mids that share one transport, None for a single section without a group (RFC 8843)."""
    for group in session.group:
        if group.semantic == "BUNDLE":
            return {str(mid) for mid in group.items}
    if len(session.media) > 1:
        raise SdpError("several media sections without BUNDLE")
    return None


def _media(
    section: MediaDescription, index: int, bundle: set[str] | None, rids: tuple[str, ...]
) -> OfferedMedia:
    mid = section.rtp.muxId or str(index)
    if not _TOKEN.fullmatch(mid):
        raise SdpError("mid is not a token")
    usable = (
        section.kind in ("audio", "video")
        and section.profile in _PROTOCOLS
        and (bundle is None or mid in bundle)
    )
    groups = [
        group.items for group in section.ssrc_group if group.semantic == "FID" and len(group.items) == 2
    ]
    rtx_ssrcs = {int(rtx): int(media) for media, rtx in groups}
    return OfferedMedia(
        kind=section.kind,
        mid=mid,
        protocol=section.profile,
        formats=tuple(str(one) for one in section.fmt),
        direction=section.direction or "sendrecv",
        usable=usable,
        codecs=_codecs(section),
        extensions={one.uri: one.id for one in section.rtp.headerExtensions if 1 <= one.id <= 14},
        ssrcs=tuple(one.ssrc for one in section.ssrc if one.ssrc not in rtx_ssrcs),
        rtx_ssrcs=rtx_ssrcs,
        rids=rids,
    )


def _codecs(section: MediaDescription) -> tuple[OfferedCodec, ...]:
    """The section's codecs in its order, each with the RTX payload type that repairs it (RFC 4588 §8.6)."""
    offered = {str(one) for one in section.fmt}
    rtx = {
        one.parameters.get("apt"): one.payloadType
        for one in section.rtp.codecs
        if one.name.lower() == "rtx" and str(one.payloadType) in offered
    }
    return tuple(
        OfferedCodec(
            payload_type=one.payloadType,
            name=one.name.lower(),
            clock_rate=one.clockRate,
            channels=one.channels or 1,
            parameters={key: "" if value is None else str(value) for key, value in one.parameters.items()},
            feedback=frozenset(
                f"{fb.type} {fb.parameter}" if fb.parameter else fb.type for fb in one.rtcpFeedback
            ),
            rtx_payload_type=rtx.get(one.payloadType),
        )
        for one in section.rtp.codecs
        if one.payloadType is not None and one.name.lower() != "rtx" and str(one.payloadType) in offered
    )


@dataclass(frozen=True, slots=True)
class Fragment:
    """A trickle fragment (RFC 8840 §9). An ICE-lite agent needs none of its candidates."""

    ufrag: str | None
    pwd: str | None


_FRAGMENT_LINE = re.compile(r"[a-z]=.{0,1024}")


def parse_fragment(text: str) -> Fragment:
    """Parse the body of a PATCH; SdpError when it is no fragment or half a pair of credentials."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or len(lines) > 200 or not all(_FRAGMENT_LINE.fullmatch(line) for line in lines):
        raise SdpError("not a trickle fragment")
    ufrag = pwd = None
    for line in lines:
        if line.startswith("a=ice-ufrag:"):
            ufrag = line.removeprefix("a=ice-ufrag:")
        elif line.startswith("a=ice-pwd:"):
            pwd = line.removeprefix("a=ice-pwd:")
        elif line[0] not in "am":
            raise SdpError("not a trickle fragment")
    for value in (ufrag, pwd):
        if value is not None and not _ICE_CHARS.fullmatch(value):
            raise SdpError("not ICE credentials")
    return Fragment(ufrag, pwd)
