"""One viewer's copy of one track: its outgoing numbers, retransmissions and what its reports say."""

from media.forward.bandwidth import ViewerPath
from media.forward.cache import PacketCache
from media.forward.layers import LayerChoice
from media.forward.model import OutgoingTrack, PeerId
from media.forward.rewriter import Rewriter, Segment
from media.forward.stats import TokenBucket
from media.kernel import Target
from media.rtp import header
from media.rtp.rtcp import ReportBlock

RESEND_RATE_PER_S = 500
RESEND_BURST = 500
"""A NACK flood costs at most this many packets; a viewer that loses more needs a keyframe, not repairs."""
RESEND_PAUSE_S = 0.02
"""The same packet is not sent again within this time: the first copy may still be on its way."""
MAX_RECENT = 1_024
MAX_PROBE_PACKETS = 64
"""In one tick of 50 ms: a probe of 12 Mbit/s, more than any layer adds."""


class Subscription:
    """One track of one subscriber. `cursor` is the next track sequence of a replay, None when live; `rid`
    is the layer that it was sent last, `wanted` the one that it should be sent.
    """

    __slots__ = (
        "_bucket",
        "_first_out",
        "_octets",
        "_octets_from",
        "_recent",
        "_rtx_sequence",
        "budget_octets",
        "choice",
        "cursor",
        "fit",
        "pace_bps",
        "path",
        "peer",
        "refused",
        "resent",
        "rewriter",
        "rid",
        "track",
        "view",
        "wanted",
    )

    def __init__(
        self, peer: PeerId, track: OutgoingTrack, first_sequence: int, first_rtx: int, now: float
    ) -> None:
        self.peer = peer
        self.track = track
        self.rewriter = Rewriter(first_sequence)
        self.path = ViewerPath()
        self.choice = LayerChoice(now)
        self.rid = self.wanted = ""
        self.view: tuple[float, float] | None = None
        """The box in pixels that the viewer's picture lies in; None: not told."""
        self.fit: str | None = None
        """The largest layer that `view` asks for, by the last look."""
        self.cursor: int | None = None
        self.pace_bps: float | None = None
        """At most so much at once: a narrow path gets frames in slices instead of bursts."""
        self.budget_octets = 0.0
        self.resent = 0
        self.refused = 0
        self._first_out = self.rewriter.sent(0)
        self._rtx_sequence = first_rtx & 0x7FFF
        self._recent: dict[int, float] = {}
        self._bucket = TokenBucket(RESEND_RATE_PER_S, RESEND_BURST)
        self._octets = 0
        self._octets_from: int | None = None

    def accepts(self, codec: str) -> bool:
        """Whether this viewer negotiated the codec."""
        return codec in self.track.payload_types

    def begin(self, rid: str, first: int, codec: str, octets: int) -> Target:
        """Be sent a layer from track sequence `first`; `octets` is the layer's running total."""
        payload_type = self.track.payload_types[codec]
        rtx = self.track.rtx_payload_types.get(codec, 0) if self.track.rtx_ssrc else 0
        segment = self.rewriter.begin(rid, first, payload_type, rtx)
        self._octets_from = octets
        self.rid = rid
        offset = (segment.first_out - first) & 0xFFFF
        return Target(self.peer, self.track.ssrc, payload_type, offset)

    def finish(self, end: int, octets: int) -> None:
        """Not be sent anything from track sequence `end` on."""
        self.rewriter.finish(end)
        if self._octets_from is not None:
            self._octets += octets - self._octets_from
            self._octets_from = None
        self.cursor = None

    def readdress(self, packet: bytes, sequence: int) -> bytes:
        """A prepared packet of the current segment as this viewer gets it (what the kernel does for a
        burst, byte for byte).
        """
        segment = self.rewriter.current
        if segment is None:
            raise RuntimeError("no segment is going")
        return header.readdress(packet, self.track.ssrc, segment.payload_type, segment.out(sequence))

    def retransmit(
        self, caches: dict[str, PacketCache], asked: tuple[int, ...], sent_until: int, now: float
    ) -> list[bytes]:
        """What to send for a NACK: RTX when negotiated (a fresh number each), else the same bytes again.

        Numbers that were never sent, are gone, were just sent again or exceed the limit are left out.
        """
        packets: list[bytes] = []
        for number in asked:
            found = self.rewriter.locate(number, sent_until)
            if found is None:
                continue
            segment, sequence = found
            cache = caches.get(segment.rid)
            packet = None if cache is None else cache.get(sequence)
            if packet is None or not self._may_resend(number, now):
                continue
            packets.append(self._copy(packet, segment, segment.out(sequence)))
        self.resent += len(packets)
        return packets

    def probe(self, cache: PacketCache, sent_until: int, octets: float) -> list[bytes]:
        """About so many octets of what was sent last, once more as RTX; nothing without RTX."""
        segment = self.rewriter.current
        packets: list[bytes] = []
        if segment is None or not segment.rtx_payload_type:
            return packets
        for sequence in range(sent_until - 1, max(segment.first, sent_until - MAX_PROBE_PACKETS) - 1, -1):
            packet = cache.get(sequence)
            if octets <= 0:
                break
            if packet is not None:
                packets.append(self._copy(packet, segment, segment.out(sequence)))
                octets -= len(packet)
        return packets

    def _may_resend(self, number: int, now: float) -> bool:
        if now - self._recent.get(number, float("-inf")) < RESEND_PAUSE_S:
            return False
        if not self._bucket.take(now):
            self.refused += 1
            return False
        if len(self._recent) >= MAX_RECENT:
            self._recent.clear()
        self._recent[number] = now
        return True

    def _copy(self, packet: bytes, segment: Segment, out: int) -> bytes:
        if not segment.rtx_payload_type:
            return header.readdress(packet, self.track.ssrc, segment.payload_type, out)
        number, self._rtx_sequence = self._rtx_sequence, self._rtx_sequence + 1
        return header.wrap_rtx(packet, self.track.rtx_ssrc, segment.rtx_payload_type, number, out)

    def packets_sent(self, sent_until: int) -> int:
        """Packets on the media SSRC so far, for sender reports."""
        return self.rewriter.sent(sent_until) - self._first_out

    def octets_sent(self, octets: int) -> int:
        """Payload octets so far; `octets` is the current layer's running total."""
        return self._octets + (0 if self._octets_from is None else octets - self._octets_from)

    def reported(self, block: ReportBlock, ntp_middle: int, now: float) -> None:
        """The viewer's report about this SSRC; `ntp_middle` is now as the middle 32 bits of NTP time."""
        rtt_s = None
        if block.last_sr:
            ticks = (ntp_middle - block.last_sr - block.delay_since_last_sr) & 0xFFFF_FFFF
            rtt_s = (ticks if ticks < 2**31 else 0) / 65536
        self.path.report(block.fraction_lost, rtt_s, now)
