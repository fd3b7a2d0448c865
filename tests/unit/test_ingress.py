"""A publisher's streams: how each is recognised, what is refused, and the feedback that it gets."""

from dataclasses import replace

import pytest
from support.rtp_source import H264, OPUS, RtpSource, publisher_config, subscriber_config
from support.virtual_viewers import Lab

from media.forward.ingress import MAX_SSRCS, PACKETS_PER_S
from media.router import ExtensionIds, IncomingTrack, Kind, PublisherConfig
from media.rtp import feedback, header, rtcp

VIDEO = IncomingTrack(Kind.VIDEO, "1", {96: H264}, rtx={97: 96}, nack=True, pli=True)


def show(*tracks: IncomingTrack) -> Lab:
    """A show with a publisher of these tracks and one viewer."""
    lab = Lab(lambda: 0)
    config = PublisherConfig("show", "pub", tracks, ExtensionIds(mid=4))
    lab.router.add_publisher(1, config, lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    return lab


def send(lab: Lab, *packets: bytes) -> None:
    for packet in packets:
        lab.router.receive_rtp(1, packet, lab.now)
    lab.run(lab.now + 1 / 30)


def with_mid(packet: bytes, mid: bytes) -> bytes:
    """The packet with a MID element (id 4) as its only extension."""
    element = bytes((0x40 | (len(mid) - 1),)) + mid
    element += bytes(-len(element) % 4)
    extension = b"\xbe\xde" + (len(element) // 4).to_bytes(2) + element
    return bytes((packet[0] | 0x10,)) + packet[1:12] + extension + packet[12:]


def plain(ssrc: int, payload_type: int, sequence: int = 1) -> bytes:
    return header.build(payload_type, sequence, 1_000, ssrc, b"\x65\x88keyframe", marker=True)


def test_streams_are_known_by_the_ssrcs_of_the_sdp() -> None:
    other = IncomingTrack(Kind.VIDEO, "2", {96: H264}, ssrcs=(8,))
    lab = show(replace(VIDEO, ssrcs=(7,)), other)
    send(lab, plain(7, 96))
    assert len(lab.video(2, 0x1001)) == 1


def test_streams_are_known_by_mid() -> None:
    lab = show(VIDEO)
    send(lab, with_mid(plain(7, 96), b"1"))
    assert len(lab.video(2, 0x1001)) == 1


def test_a_foreign_mid_is_not_guessed_by_payload_type() -> None:
    lab = show(VIDEO)
    send(lab, with_mid(plain(7, 96), b"9"))
    assert not lab.video(2, 0x1001)
    assert lab.router.counters()["rtp_unknown_stream"] == 1


def test_streams_are_known_by_payload_type_when_nothing_else_tells() -> None:
    lab = show(IncomingTrack(Kind.AUDIO, "0", {111: OPUS}), VIDEO)
    send(lab, plain(7, 96), plain(8, 111))
    assert len(lab.video(2, 0x1001)) == 1
    assert len(lab.video(2, 0x1000)) == 1


def test_unknown_payload_types_are_dropped_and_counted() -> None:
    lab = show(VIDEO)
    send(lab, plain(7, 96), plain(7, 100, 2), plain(9, 101))
    counters = lab.router.counters()
    assert counters["rtp_unknown_payload_type"] == 1
    assert counters["rtp_unknown_stream"] == 1
    assert len(lab.video(2, 0x1001)) == 1


def test_a_second_section_of_a_kind_is_ignored() -> None:
    lab = show(replace(VIDEO, ssrcs=(7,)), IncomingTrack(Kind.VIDEO, "2", {98: H264}, ssrcs=(8,)))
    send(lab, plain(8, 98))
    assert not lab.video(2, 0x1001)
    assert lab.router.counters()["rtp_unknown_stream"] == 1


def test_ssrcs_are_bounded() -> None:
    lab = show(VIDEO)
    for ssrc in range(1, 200):
        send(lab, plain(ssrc, 97))
    assert lab.router.counters()["rtp_ssrc_limit"] == 199 - MAX_SSRCS


def test_the_newest_source_feeds_the_layer() -> None:
    lab = show(VIDEO)
    first, second = RtpSource(ssrc=7), RtpSource(ssrc=8)
    send(lab, *first.frame(key=True))
    send(lab, *second.frame(key=True))
    assert sorted(lab.video(2, 0x1001)) == list(range(8))


def test_a_publisher_is_policed() -> None:
    lab = show(VIDEO)
    source = RtpSource(packets_per_frame=PACKETS_PER_S + 100)
    for packet in source.frame(key=True):
        lab.router.receive_rtp(1, packet, lab.now)
    assert lab.router.counters()["rtp_rate_limit"] == 100


def test_rtx_fills_the_hole_under_its_own_number() -> None:
    lab = show(replace(VIDEO, ssrcs=(7,), rtx_ssrcs={70: 7}))
    source = RtpSource(ssrc=7)
    packets = source.frame(key=True)
    lost = header.parse(packets[1]).sequence
    send(lab, packets[0], *packets[2:])
    (nack,) = [p for _, p in lab.rtcp[1] if isinstance(p, feedback.Nack)]
    assert (nack.ssrc, nack.sequences) == (7, (lost,))
    send(lab, source.rtx(lost, ssrc=70, payload_type=97, number=5))
    assert sorted(lab.video(2, 0x1001)) == [0, 1, 2, 3]
    assert lab.payloads(2, 0x1001) == [p[20:] for p in packets]
    send(lab, *source.frame())
    assert not [now for now, p in lab.rtcp[1] if isinstance(p, feedback.Nack) and now > lab.now]


def test_goodbye_frees_the_stream_and_silence_follows() -> None:
    lab = show(VIDEO)
    source = RtpSource(ssrc=7)
    send(lab, *source.frame(key=True))
    lab.router.receive_rtcp(1, rtcp.write_bye((7, 12)), lab.now)
    lab.run(lab.now + 5)
    assert "PublisherAway" in [type(news).__name__ for _, news in lab.news]
    send(lab, *source.frame(key=True))
    assert sorted(lab.video(2, 0x1001)) == list(range(8))


def test_fir_where_pli_was_not_negotiated() -> None:
    lab = show(replace(VIDEO, pli=False, fir=True))
    send(lab, *RtpSource(ssrc=7).frame())
    lab.run(lab.now + 0.6)
    requests = [p for _, p in lab.rtcp[1] if isinstance(p, feedback.FullIntra)]
    assert [request.entries for request in requests] == [((7, 1),), ((7, 2),)]


@pytest.mark.parametrize("transport_cc", [False, True])
def test_remb_only_where_it_is_all_there_is(transport_cc: bool) -> None:
    lab = show(replace(VIDEO, remb=True, transport_cc=transport_cc))
    source = RtpSource(ssrc=7)
    for _ in range(90):
        send(lab, *source.frame(key=True))
    rembs = [p for _, p in lab.rtcp[1] if isinstance(p, feedback.Remb)]
    assert bool(rembs) is not transport_cc
    assert all(1_000_000 <= remb.bitrate_bps <= 8_000_000 for remb in rembs)


def test_receiver_reports_tell_the_loss_of_the_network() -> None:
    lab = Lab(lambda: 0)
    lab.router.add_publisher(1, publisher_config(), lab.now)
    source = RtpSource()
    for index in range(90):
        packets = source.frame(key=index == 0)
        send(lab, *packets[:3] if index % 2 else packets)
    reports = [p for _, p in lab.rtcp[1] if isinstance(p, rtcp.ReceiverReport) and p.reports]
    assert len(reports) in (2, 3)
    (block,) = reports[-1].reports
    assert block.ssrc == source.ssrc
    assert block.fraction_lost / 256 == pytest.approx(1 / 8, abs=0.02)
    health = lab.router.health("show", lab.now)
    assert health.publisher is not None
    assert health.publisher.loss == pytest.approx(1 / 8, abs=0.02)


def test_who_is_not_the_publisher_cannot_publish() -> None:
    lab = show(VIDEO)
    lab.router.receive_rtp(2, plain(7, 96), lab.now)
    lab.router.receive_rtp(99, plain(7, 96), lab.now)
    lab.run(lab.now + 0.1)
    assert not lab.rtp[2]
    assert lab.router.counters()["rtp_not_a_publisher"] == 2


def test_a_viewers_lies_change_nothing_for_others() -> None:
    lab = show(VIDEO)
    source = RtpSource(ssrc=7)
    lab.router.add_subscriber(3, subscriber_config(ssrc=0x3000), lab.now)
    send(lab, *source.frame(key=True))
    everything = list(range(0, 65_535, 17))
    for _ in range(50):
        nack = feedback.write_nack(9, 0x1001, everything[:300])
        for compound in (nack, feedback.write_remb(9, 0, [0x1001]), feedback.write_nack(9, 0x3001, [1])):
            lab.router.receive_rtcp(2, compound, lab.now)
    send(lab, *source.frame())
    assert len(lab.video(3, 0x3001)) == 8
    assert not lab.video(3, 0x3002), "a NACK for somebody else's SSRC is nobody's"


def test_what_is_too_long_to_be_sent_on_is_dropped_and_counted() -> None:
    lab = show(VIDEO)
    longest, too_long = (bytes((0x65,)) + bytes(size - 1) for size in (1_414, 1_415))
    send(lab, header.build(96, 1, 0, 7, longest, marker=True))
    send(lab, header.build(96, 2, 3_000, 7, too_long, marker=True))
    assert lab.payloads(2, 0x1001) == [longest]
    assert lab.router.counters()["rtp_oversized"] == 1


SIMULCAST = replace(VIDEO, rids=("q", "h"))
RIDS = ExtensionIds(mid=4, rid=10, repaired_rid=11)


def with_rid(packet: bytes, element: int, rid: bytes) -> bytes:
    """The packet with one header extension element."""
    elements = bytes((element << 4 | (len(rid) - 1),)) + rid
    elements += bytes(-len(elements) % 4)
    extension = b"\xbe\xde" + (len(elements) // 4).to_bytes(2) + elements
    return bytes((packet[0] | 0x10,)) + packet[1:12] + extension + packet[12:]


def simulcast() -> Lab:
    lab = Lab(lambda: 0)
    lab.router.add_publisher(1, PublisherConfig("show", "pub", (SIMULCAST,), RIDS), lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    return lab


def test_layers_are_known_by_rid_from_their_first_packets() -> None:
    lab = simulcast()
    send(lab, with_rid(plain(7, 96), 10, b"q"), with_rid(plain(8, 96), 10, b"h"))
    send(lab, plain(7, 96, 2), plain(8, 96, 2))
    assert len(lab.video(2, 0x1001)) == 2, "one layer"
    publisher = lab.router.health("show", lab.now).publisher
    assert publisher is not None
    assert [layer.rid for layer in publisher.layers] == ["q", "h"]


@pytest.mark.parametrize("rid", [b"x", b"\xff", b"qq"])
def test_streams_of_unknown_layers_are_dropped(rid: bytes) -> None:
    lab = simulcast()
    send(lab, with_rid(plain(7, 96), 10, rid), plain(8, 96))
    assert not lab.video(2, 0x1001)
    assert lab.router.counters()["rtp_unknown_stream"] == 2


def test_repairs_belong_to_the_layer_that_they_name() -> None:
    lab = simulcast()
    send(lab, with_rid(plain(8, 96, 1), 10, b"h"), with_rid(plain(7, 96, 1), 10, b"q"))
    repair = header.build(97, 1, 1_000, 9, (2).to_bytes(2) + b"\x61repaired", marker=True)
    send(lab, with_rid(repair, 11, b"h"))
    assert lab.payloads(2, 0x1001)[-1] == b"\x61repaired"
    assert lab.router.counters()["rtp_repairs_received"] == 1
