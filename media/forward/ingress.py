"""One publisher's packets and RTCP: which stream is whose, repairs unwrapped, and the feedback it gets."""

from collections import Counter
from collections.abc import Callable

from media.forward.model import Codec, IncomingTrack, Kind, PublisherConfig
from media.forward.published_track import PublishedLayer
from media.forward.requests import ForwardPlain
from media.forward.stats import Reception, TokenBucket
from media.forward.timeline import PublisherClock, SourceClock
from media.forward.twcc import ArrivalRecorder
from media.kernel import MAX_PACKET_BYTES
from media.rtp import feedback, header, rtcp
from media.rtp.header import Header

MAX_SSRCS = 16
"""Two tracks, three layers, RTX for each and a reload's worth of spares; packets of more are dropped."""
LOCAL_SSRC = 1
"""Receivers that send nothing report as SSRC 1, as Chrome does."""
PACKETS_PER_S = 4_000
"""40 Mbit/s; what a publisher sends beyond it is dropped, so that it cannot starve the other shows."""
MAX_NACKS_PER_PACKET = 256
MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - header.HEADER_BYTES - header.RTX_BYTES
"""A packet must also fit as its own retransmission; what is longer is dropped and counted."""
REMB_MIN_BPS = 1_000_000
REMB_MAX_BPS = 8_000_000

_EMPTY_REPORT = rtcp.write_receiver_report(rtcp.ReceiverReport(LOCAL_SSRC))


class Source:
    """One incoming media SSRC."""

    __slots__ = ("clock", "codec", "layer", "payload_type", "reception", "ssrc", "track")

    def __init__(self, ssrc: int, track: IncomingTrack, layer: PublishedLayer, codec: Codec) -> None:
        self.ssrc = ssrc
        self.track = track
        self.layer = layer
        self.codec = codec
        self.payload_type = -1
        self.clock = SourceClock(codec.clock_rate)
        self.reception = Reception(ssrc, codec.clock_rate)


class Ingress:
    """A publisher as negotiated. `layer_of(kind, rid)` gives the show's layer that a stream feeds."""

    def __init__(
        self,
        config: PublisherConfig,
        layer_of: Callable[[Kind, str], PublishedLayer],
        counters: Counter[str],
    ) -> None:
        self.config = config
        self.clock = PublisherClock()
        self.sources: dict[int, Source] = {}
        self.rtt_s: float | None = None
        self._layer_of = layer_of
        self._counters = counters
        self._repairs: dict[int, tuple[IncomingTrack, str]] = {}
        self._arrivals = ArrivalRecorder()
        self._bucket = TokenBucket(PACKETS_PER_S, PACKETS_PER_S)
        self._fir_command = 0
        self._tracks: list[IncomingTrack] = []
        for kind in Kind:  # one audio and one video section make a show; others are ignored
            self._tracks += [track for track in config.tracks if track.kind is kind][:1]

    # --- packets ------------------------------------------------------------------------------------

    def receive_rtp(self, packet: bytes, now: float) -> None:
        """A plain RTP packet. Raises ParseError for junk."""
        if not self._bucket.take(now):
            self._counters["rtp_rate_limit"] += 1
            return
        head = header.parse(packet)
        elements = header.extensions(packet, head) if head.extension_profile else {}
        number = elements.get(self.config.extensions.transport_cc)
        if number is not None and len(number) >= 2:
            self._arrivals.received(int.from_bytes(number[:2]), now)
        source = self.sources.get(head.ssrc)
        if source is None:
            repaired = self._repairs.get(head.ssrc)
            if repaired is not None:
                self._receive_repair(packet, head, *repaired, now)
                return
            source = self._discover(packet, head, elements, now)
            if source is None:
                return
        if head.payload_type != source.payload_type and not self._select_codec(source, head.payload_type):
            self._counters["rtp_unknown_payload_type"] += 1
            return
        capture = elements.get(self.config.extensions.abs_capture_time)
        if capture is not None and len(capture) >= 8:
            source.clock.report(int.from_bytes(capture[:8]), head.timestamp)
        source.reception.received(head.sequence, head.timestamp, now)
        self._deliver(source, packet, head, now)

    def _deliver(self, source: Source, packet: bytes, head: Header, now: float) -> None:
        if head.payload_end - head.payload_start > MAX_PAYLOAD_BYTES:
            self._counters["rtp_oversized"] += 1
            return
        source.layer.receive(packet, head, now)

    def receive_plain(self, frame: ForwardPlain, server_offset_ms: float | None, now: float) -> None:
        """A frame from the home worker, on the outgoing timeline already. Raises ParseError for junk."""
        layer = self._layer_of(frame.kind, frame.rid)
        key = 1 + list(Kind).index(frame.kind)
        source = self.sources.get(key)
        if source is None or source.codec != frame.codec:
            track = IncomingTrack(frame.kind, "", {0: frame.codec})
            source = self.sources[key] = Source(key, track, layer, frame.codec)
            layer.timeline.pinned = True
            layer.attach(frame.codec, source.clock)
        for packet in frame.packets:
            self._deliver(source, packet, header.parse(packet), now)
        timeline = layer.timeline
        if frame.server_ms is not None and server_offset_ms is not None and timeline.highest is not None:
            frame_ms = timeline.highest / source.clock.ticks_per_ms
            timeline.align(frame.server_ms - server_offset_ms - frame_ms, source.clock.ticks_per_ms)

    def _select_codec(self, source: Source, payload_type: int) -> bool:
        codec = source.track.codecs.get(payload_type)
        if codec is None:
            return False
        if source.payload_type == -1 or codec != source.codec:
            source.codec = codec
            source.layer.attach(codec, source.clock)
        source.payload_type = payload_type
        return True

    def _discover(self, packet: bytes, head: Header, elements: dict[int, bytes], now: float) -> Source | None:
        """A new SSRC: by the SDP's `a=ssrc`, else by MID, else by payload type (RFC 9143 §9.2)."""
        if len(self.sources) + len(self._repairs) >= MAX_SSRCS:
            self._counters["rtp_ssrc_limit"] += 1
            return None
        track = self._track_of(head, elements.get(self.config.extensions.mid))
        if track is None:
            self._counters["rtp_unknown_stream"] += 1
            return None
        repairs = head.payload_type in track.rtx or head.ssrc in track.rtx_ssrcs
        rid = self._rid_of(track, elements, repairs=repairs)
        if rid is None:
            self._counters["rtp_unknown_stream"] += 1
            return None
        if repairs:
            self._repairs[head.ssrc] = (track, rid)
            self._receive_repair(packet, head, track, rid, now)
            return None
        codec = track.codecs.get(head.payload_type)
        if codec is None:
            self._counters["rtp_unknown_payload_type"] += 1
            return None
        layer = self._layer_of(track.kind, rid)
        for other in [source for source in self.sources.values() if source.layer is layer]:
            del self.sources[other.ssrc]  # one source feeds a layer: the newest
        source = self.sources[head.ssrc] = Source(head.ssrc, track, layer, codec)
        return source

    def _rid_of(self, track: IncomingTrack, elements: dict[int, bytes], *, repairs: bool) -> str | None:
        """The layer of a new stream: '' without simulcast, None when it does not say (RFC 8853 §5.5)."""
        if not track.rids:
            return ""
        ids = self.config.extensions
        told = elements.get(ids.repaired_rid if repairs else ids.rid, b"").decode("ascii", "replace")
        return told if told in track.rids else None

    def _track_of(self, head: Header, mid: bytes | None) -> IncomingTrack | None:
        for track in self._tracks:
            if head.ssrc in track.ssrcs or head.ssrc in track.rtx_ssrcs:
                return track
        for track in self._tracks:
            if mid is not None and track.mid.encode() == mid:
                return track
        if mid is not None:
            return None
        for track in self._tracks:
            if head.payload_type in track.codecs or head.payload_type in track.rtx:
                return track
        return None

    def _receive_repair(
        self, packet: bytes, head: Header, track: IncomingTrack, rid: str, now: float
    ) -> None:
        payload_type = track.rtx.get(head.payload_type)
        media_ssrc = track.rtx_ssrcs.get(head.ssrc)
        for source in self.sources.values():
            if source.track is track and source.layer.rid == rid and media_ssrc in (None, source.ssrc):
                break
        else:
            return
        if payload_type is None or payload_type != source.payload_type:
            return
        inner = header.unwrap_rtx(packet, head, source.ssrc, payload_type)
        if inner is not None and len(inner) <= header.HEADER_BYTES + MAX_PAYLOAD_BYTES:
            self._counters["rtp_repairs_received"] += 1
            source.layer.receive_repair(inner, header.parse(inner), now)

    # --- RTCP in ------------------------------------------------------------------------------------

    def receive_rtcp(self, packets: list[rtcp.RtcpPacket], ntp_middle: int, now: float) -> None:
        """What the publisher says; `ntp_middle` is now as the middle 32 bits of our NTP time."""
        for packet in packets:
            match packet:
                case rtcp.SenderReport(ssrc, ntp, timestamp):
                    if (source := self.sources.get(ssrc)) is not None:
                        source.clock.report(ntp, timestamp)
                        source.reception.sender_report(ntp, now)
                case rtcp.DelaySinceReference(_, entries):
                    for ssrc, last, delay in entries:
                        ticks = (ntp_middle - last - delay) & 0xFFFF_FFFF
                        if ssrc == LOCAL_SSRC and last and ticks < 10 * 65536:
                            self._set_rtt(ticks / 65536)
                case rtcp.Goodbye(ssrcs):
                    self._goodbye(ssrcs)
                case _:
                    pass

    def _set_rtt(self, rtt_s: float) -> None:
        self.rtt_s = rtt_s
        for source in self.sources.values():
            source.layer.nack.rtt_s = rtt_s

    def _goodbye(self, ssrcs: tuple[int, ...]) -> None:
        for ssrc in ssrcs:
            self._repairs.pop(ssrc, None)
            if (source := self.sources.pop(ssrc, None)) is not None:
                source.layer.detach()

    # --- RTCP out -----------------------------------------------------------------------------------

    def transport_feedback(self) -> list[bytes]:
        """Compounds with what came since the last call, for the publisher's bandwidth estimator."""
        if not any(track.transport_cc for track in self._tracks):
            return []
        media = next(iter(self.sources), 0)
        return [
            _EMPTY_REPORT + feedback.write_transport(LOCAL_SSRC, media, report)
            for report in self._arrivals.reports()
        ]

    def repair_requests(self, now: float) -> list[bytes]:
        """Compounds with the NACKs and keyframe requests that are due."""
        packets: list[bytes] = []
        for source in self.sources.values():
            layer, track = source.layer, source.track
            due = layer.nacks_due(now)
            if due and track.nack:
                for start in range(0, len(due), MAX_NACKS_PER_PACKET):
                    part = due[start : start + MAX_NACKS_PER_PACKET]
                    packets.append(_EMPTY_REPORT + feedback.write_nack(LOCAL_SSRC, source.ssrc, part))
                self._counters["nacks_sent"] += len(due)
            if layer.kind is Kind.VIDEO and layer.keyframes.due(now):
                packets.append(_EMPTY_REPORT + self._keyframe_request(source))
                self._counters["keyframe_requests_sent"] += 1
        return packets

    def _keyframe_request(self, source: Source) -> bytes:
        if source.track.fir and not source.track.pli:
            self._fir_command += 1
            return feedback.write_fir(LOCAL_SSRC, source.ssrc, self._fir_command)
        return feedback.write_pli(LOCAL_SSRC, source.ssrc)

    def report(self, ntp: int, now: float) -> bytes:
        """The once-a-second compound: receiver report, CNAME, reference time, REMB where it is all."""
        blocks = [source.reception.block(now) for source in self.sources.values()]
        compound = rtcp.write_receiver_report(
            rtcp.ReceiverReport(LOCAL_SSRC, tuple(block for block in blocks if block is not None))
        )
        compound += rtcp.write_sdes((LOCAL_SSRC,), "vendue")
        compound += rtcp.write_reference_time(LOCAL_SSRC, ntp)
        video = [s for s in self.sources.values() if s.track.remb and not s.track.transport_cc]
        if video:
            compound += feedback.write_remb(LOCAL_SSRC, self._remb_bps(video), [s.ssrc for s in video])
        return compound

    @staticmethod
    def _remb_bps(sources: list[Source]) -> int:
        """Without arrival times all we can judge by is loss: let it grow until packets are lost."""
        rate_bps = sum(source.layer.bitrate.per_s for source in sources) * 8
        loss = max(source.reception.fraction_lost for source in sources)
        factor = 0.85 if loss > 0.1 else 1.0 if loss > 0.02 else 1.5
        return int(max(REMB_MIN_BPS, min(rate_bps * factor, REMB_MAX_BPS)))

    def update_clock(self, now: float) -> None:
        """Move D, and tell each track's timeline how its source relates to our clock."""
        if self.config.remote:
            return  # the home worker's frames carry their time
        self.clock.update([source.clock for source in self.sources.values()], now)
        for source in self.sources.values():
            offset_ms = self.clock.capture_offset_ms(source.clock)
            layer = source.layer
            if offset_ms is not None and layer.place_ticks is not None:
                # the timeline is kept in the ticks of the source that leads it
                offset_ms -= layer.place_ticks / source.clock.ticks_per_ms
                layer.timeline.align(offset_ms, source.clock.ticks_per_ms)
