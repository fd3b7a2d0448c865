"""One subscriber: its tracks, what it reports and asks for, and its regenerated sender reports."""

from collections import Counter

from media.forward.model import Kind, SubscriberConfig
from media.forward.subscription import Subscription
from media.forward.timeline import ms_to_ntp
from media.forward.track import Track
from media.rtp import feedback, rtcp


class Egress:
    """A subscriber's two subscriptions at most, each of the show's track of that kind."""

    def __init__(
        self,
        config: SubscriberConfig,
        subscriptions: dict[Kind, Subscription],
        tracks: dict[Kind, Track],
        counters: Counter[str],
    ) -> None:
        self.config = config
        self.subscriptions = subscriptions
        self._tracks = tracks
        self._counters = counters

    def receive_rtcp(self, packets: list[rtcp.RtcpPacket], ntp_middle: int, now: float) -> list[bytes]:
        """What the viewer says; returns the packets to retransmit to it, complete."""
        resend: list[bytes] = []
        for packet in packets:
            match packet:
                case rtcp.ReceiverReport(_, blocks) | rtcp.SenderReport(reports=blocks):
                    self._reported(blocks, ntp_middle, now)
                case feedback.Nack(_, ssrc, sequences):
                    resend += self._asked(ssrc, sequences, now)
                case feedback.PictureLoss(_, ssrc):
                    self._wants_keyframe(ssrc)
                case feedback.FullIntra(_, entries):
                    for ssrc, _ in entries:
                        self._wants_keyframe(ssrc)
                case feedback.Remb(_, bitrate_bps, _):
                    for subscription in self.subscriptions.values():
                        subscription.path.remb(bitrate_bps, now)
                case _:
                    pass
        return resend

    def _find(self, ssrc: int) -> tuple[Kind, Subscription] | None:
        for kind, subscription in self.subscriptions.items():
            if subscription.track.ssrc == ssrc:
                return kind, subscription
        return None

    def _reported(self, blocks: tuple[rtcp.ReportBlock, ...], ntp_middle: int, now: float) -> None:
        for block in blocks:
            if (found := self._find(block.ssrc)) is not None:
                found[1].reported(block, ntp_middle, now)

    def _asked(self, ssrc: int, sequences: tuple[int, ...], now: float) -> list[bytes]:
        found = self._find(ssrc)
        if found is None:
            return []
        kind, subscription = found
        track = self._tracks[kind]
        layer = track.layer_of(subscription)
        until = layer.audience.sent_until if subscription.cursor is None else subscription.cursor
        refused = subscription.refused
        caches = {rid: layer.cache for rid, layer in track.layers.items()}
        packets = subscription.retransmit(caches, sequences, until, now)
        self._counters["nacks_received"] += len(sequences)
        self._counters["retransmitted"] += len(packets)
        self._counters["retransmit_refused"] += subscription.refused - refused
        return packets

    def _wants_keyframe(self, ssrc: int) -> None:
        found = self._find(ssrc)
        if found is not None and found[0] is Kind.VIDEO:
            self._counters["keyframes_asked"] += 1
            self._tracks[Kind.VIDEO].layer_of(found[1]).keyframes.ask()

    def sign_of_life(self) -> bytes:
        """What a viewer hears while its publisher is away: that the server is there, and nothing else."""
        ssrcs = tuple(subscription.track.ssrc for subscription in self.subscriptions.values())
        receiver = rtcp.ReceiverReport(ssrcs[0] if ssrcs else 0)
        return rtcp.write_receiver_report(receiver) + rtcp.write_sdes(ssrcs, self.config.cname)

    def report(self, unix_ms: float, mono_ms: float) -> bytes | None:
        """Sender reports of the tracks being sent and their CNAME; None when nothing is.

        `unix_ms` and `mono_ms` are the same instant on two clocks. The RTP time is the publisher's, by
        its own sender reports, moved onto the outgoing timeline: so lip sync is the publisher's.
        """
        reports: list[bytes] = []
        for kind, subscription in self.subscriptions.items():
            layer = self._tracks[kind].layer_of(subscription)
            timestamp = layer.timeline.at(mono_ms)
            until = layer.audience.sent_until if subscription.cursor is None else subscription.cursor
            sent = subscription.packets_sent(until)
            if timestamp is None or not sent or subscription.rewriter.current is None:
                continue
            octets = subscription.octets_sent(layer.audience.octets)
            report = rtcp.SenderReport(
                subscription.track.ssrc, ms_to_ntp(unix_ms), timestamp & 0xFFFF_FFFF, sent, octets
            )
            reports.append(rtcp.write_sender_report(report))
        if not reports:
            return None
        ssrcs = tuple(subscription.track.ssrc for subscription in self.subscriptions.values())
        return b"".join(reports) + rtcp.write_sdes(ssrcs, self.config.cname)
