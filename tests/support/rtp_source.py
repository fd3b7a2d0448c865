"""A synthetic publisher: H264-like video and Opus-like audio as plain RTP packets, and its RTCP."""

from dataclasses import dataclass, field, replace

from media.forward.timeline import ms_to_ntp
from media.router import (
    Codec,
    ExtensionIds,
    IncomingTrack,
    Kind,
    OutgoingTrack,
    PublisherConfig,
    SubscriberConfig,
)
from media.rtp import header, rtcp

H264 = Codec("h264", 90_000)
VP8 = Codec("vp8", 90_000)
OPUS = Codec("opus", 48_000)

SPS = bytes.fromhex("6742c01fd9005005ba10000003001000000303c8f1832480")
PPS = b"\x68\xce\x06\xe2"


def publisher_config(show: str = "show", publication: str = "pub1", **changes: object) -> PublisherConfig:
    """As a browser negotiates: NACK, PLI, RTX and transport-wide feedback."""
    return PublisherConfig(
        show,
        publication,
        (
            IncomingTrack(Kind.AUDIO, "0", {111: OPUS}, transport_cc=True),
            IncomingTrack(
                Kind.VIDEO,
                "1",
                {96: H264, 98: VP8},
                rtx={97: 96, 99: 98},
                nack=True,
                pli=True,
                transport_cc=True,
            ),
        ),
        ExtensionIds(mid=4, transport_cc=5),
    )


def simulcast_config(show: str = "show", publication: str = "pub1") -> PublisherConfig:
    """Three layers by rid, as Chromium offers them."""
    plain = publisher_config(show, publication)
    audio, video = plain.tracks
    ids = ExtensionIds(mid=4, rid=10, repaired_rid=11, transport_cc=5)
    return replace(plain, tracks=(audio, replace(video, rids=("q", "h", "f"))), extensions=ids)


def subscriber_config(
    show: str = "show", *, rtx: bool = True, ssrc: int = 0x1000, transport_cc: int = 0
) -> SubscriberConfig:
    """H264, VP8 and Opus, with or without RTX and transport-wide numbers."""
    video = OutgoingTrack(
        Kind.VIDEO,
        ssrc + 1,
        {"h264": 102, "vp8": 104},
        rtx_ssrc=ssrc + 2 if rtx else 0,
        rtx_payload_types={"h264": 103, "vp8": 105} if rtx else {},
    )
    tracks = (OutgoingTrack(Kind.AUDIO, ssrc, {"opus": 109}), video)
    return SubscriberConfig(show, tracks, cname="c", transport_cc=transport_cc)


@dataclass
class RtpSource:
    """One SSRC of video: `frame()` gives its packets. Sequence and timestamp start where told."""

    ssrc: int = 0xAAAA
    payload_type: int = 96
    sequence: int = 65_500
    timestamp: int = 2**32 - 90_000
    packets_per_frame: int = 4
    ticks_per_frame: int = 3_000
    transport_sequence: int = 0
    rid: str = ""
    bytes_per_packet: int = 1_000
    picture: int = 0
    size: tuple[int, int] | None = None
    frames: int = 0
    sent: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def packet(self, payload: bytes, *, marker: bool) -> bytes:
        """The next packet, with a transport-wide number as a one-byte extension (id 5)."""
        plain = header.build(
            self.payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker=marker
        )
        elements = b"\x51" + (self.transport_sequence & 0xFFFF).to_bytes(2)
        if self.rid:
            elements += b"\x40" + b"1" + bytes((0xA0 | (len(self.rid) - 1),)) + self.rid.encode()
        elements += bytes(-len(elements) % 4)
        extension = b"\xbe\xde" + (len(elements) // 4).to_bytes(2) + elements
        packet = bytes((plain[0] | 0x10,)) + plain[1:12] + extension + plain[12:]
        self.sent[self.sequence & 0xFFFF] = packet
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.transport_sequence += 1
        return packet

    def frame(self, *, key: bool = False) -> list[bytes]:
        """A frame: SPS first when `key`. Each payload is unique, so that mix-ups are seen."""
        packets: list[bytes] = []
        for index in range(self.packets_per_frame):
            last = index == self.packets_per_frame - 1
            head = self._head(index, key=key)
            unique = self.frames.to_bytes(4) + index.to_bytes(2) + self.ssrc.to_bytes(4)
            size = self.bytes_per_packet + (index + self.frames) % 3
            size = min(300, size) if last else size
            packets.append(self.packet(head + unique + bytes(size), marker=last))
        self.timestamp = (self.timestamp + self.ticks_per_frame) & 0xFFFF_FFFF
        self.frames += 1
        self.picture += 1
        return packets

    def _head(self, index: int, *, key: bool) -> bytes:
        if self.payload_type == 98:  # VP8: start of partition 0, then the inverse keyframe bit
            numbers = (0x8000 | self.picture & 0x7FFF).to_bytes(2) + bytes((self.picture & 0xFF,))
            first = b"\x90" if index == 0 else b"\x80"
            if not key or index or self.size is None:
                return first + b"\xc0" + numbers + (b"\x00" if key else b"\x01")
            width, height = (side.to_bytes(2, "little") for side in self.size)
            return first + b"\xc0" + numbers + b"\x00\x00\x00\x9d\x01\x2a" + width + height  # RFC 6386 §9.1
        if key:
            return SPS if index == 0 else b"\x65"
        return b"\x61"

    def rtx(self, sequence: int, *, ssrc: int, payload_type: int, number: int) -> bytes:
        """The packet with this sequence number again, as RTX."""
        packet = self.sent[sequence]
        head = header.parse(packet)
        payload = sequence.to_bytes(2) + packet[head.payload_start : head.payload_end]
        return header.build(payload_type, number, head.timestamp, ssrc, payload, marker=head.marker)

    def sender_report(self, unix_ms: float, timestamp: int) -> bytes:
        """A compound that says: this wall time is this RTP time."""
        report = rtcp.SenderReport(self.ssrc, ms_to_ntp(unix_ms), timestamp & 0xFFFF_FFFF, 0, 0)
        return rtcp.write_sender_report(report)
