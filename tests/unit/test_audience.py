"""Joining, catching up and leaving, seen through the requests that come out."""

from support.rtp_source import RtpSource, publisher_config, subscriber_config
from support.virtual_viewers import Lab

from media.router import ForwardPlain, Kind, PublisherConfig, RequestKeyframe, SendBurst
from media.rtp import feedback, header, rtcp


def live_show(now_frames: int = 3) -> tuple[Lab, RtpSource]:
    """A show with a publisher that has sent a keyframe and some frames."""
    lab = Lab(lambda: 0)
    source = RtpSource()
    lab.router.add_publisher(1, publisher_config(), lab.now)
    play(lab, source, now_frames, key_first=True)
    return lab, source


def play(lab: Lab, source: RtpSource, frames: int, *, key_first: bool = False) -> None:
    for index in range(frames):
        for packet in source.frame(key=key_first and index == 0):
            lab.router.receive_rtp(1, packet, lab.now)
        lab.run(lab.now + 1 / 30)


def plis(lab: Lab) -> list[float]:
    return [now for now, packet in lab.rtcp[1] if isinstance(packet, feedback.PictureLoss)]


def test_a_young_gop_is_replayed_paced_and_then_live() -> None:
    lab, source = live_show(20)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    joined = lab.now
    play(lab, source, 10)
    packets = lab.rtp[2]
    assert len(lab.payloads(2, 0x1001)) == 30 * 4
    assert not plis(lab)
    early = [now for now, _ in packets if now < joined + 0.001]
    assert 1 <= len(early) <= 10, "not all at once"
    assert max(now for now, _ in packets[:80]) - joined < 0.1
    numbers = [header.parse(packet).sequence for _, packet in packets]
    assert numbers == list(range(120)), "in order, without a hole"


def test_an_old_gop_is_not_replayed_but_a_keyframe_asked_for_once() -> None:
    lab, source = live_show(40)
    for peer in range(2, 52):
        lab.router.add_subscriber(peer, subscriber_config(ssrc=0x1000 * peer), lab.now)
    lab.run(lab.now + 0.4)
    assert len(plis(lab)) == 1
    play(lab, source, 3, key_first=True)
    for peer in range(2, 52):
        assert len(lab.payloads(peer, 0x1000 * peer + 1)) == 3 * 4
    lab.run(lab.now + 1)
    assert len(plis(lab)) == 1


def test_a_keyframe_is_asked_for_again_until_it_comes() -> None:
    lab, source = live_show(40)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    begin = lab.now
    play(lab, source, 45)
    assert [round(now - begin, 1) for now in plis(lab)] == [0.0, 0.5, 1.0]


def test_a_pli_flood_asks_twice_a_second() -> None:
    lab, source = live_show(3)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    begin = lab.now
    for _ in range(60):
        for _ in range(50):
            lab.router.receive_rtcp(2, feedback.write_pli(9, 0x1001), lab.now)
        play(lab, source, 1)
    assert len(plis(lab)) == 4
    assert lab.now - begin < 2.1
    assert lab.router.counters()["rtcp_limit"] > 2_000
    assert lab.router.counters()["keyframes_asked"] < 1_000


def test_a_request_that_is_not_drained_yet_does_not_reach_who_joins_later() -> None:
    """One call may flush a frame and admit a viewer with the next one."""
    lab, source = live_show(40)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    play(lab, source, 1, key_first=True)
    lab.router.add_subscriber(3, subscriber_config(), lab.now)
    lab.run(lab.now + 1.5)
    lab.router.add_subscriber(4, subscriber_config(), lab.now)
    lab.collect()
    for packet in source.frame()[:-1]:
        lab.router.receive_rtp(1, packet, lab.now)
    source.packets_per_frame = 1
    for packet in source.frame(key=True):
        marked = packet[:1] + bytes((packet[1] | 0x80,)) + packet[2:]
        lab.router.receive_rtp(1, marked, lab.now)
    bursts = [request for request in lab.router.drain() if isinstance(request, SendBurst)]
    assert [len(burst.packets) for burst in bursts] == [3, 1]
    assert [[target.slot for target in burst.targets] for burst in bursts] == [[2, 3], [2, 3, 4]]


def test_audio_is_sent_at_once_and_needs_no_keyframe() -> None:
    lab = Lab(lambda: 0)
    lab.router.add_publisher(1, publisher_config(), lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    audio = RtpSource(ssrc=0xBBBB, payload_type=111, packets_per_frame=1, ticks_per_frame=960)
    for packet in audio.frame():
        lab.router.receive_rtp(1, packet, lab.now)
    lab.collect()
    assert len(lab.video(2, 0x1000)) == 1


def test_a_frame_without_a_marker_is_sent_after_two_milliseconds() -> None:
    lab, source = live_show(1)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    lab.run(lab.now + 0.1)
    before = len(lab.rtp[2])
    begin = lab.now
    for packet in source.frame()[:-1]:
        lab.router.receive_rtp(1, packet, lab.now)
    lab.collect()
    assert len(lab.rtp[2]) == before
    lab.run(begin + 0.003)
    assert len(lab.rtp[2]) == before + 3


def test_a_viewer_without_the_codec_gets_nothing_of_it() -> None:
    lab, source = live_show(1)
    source.payload_type = 98
    play(lab, source, 2, key_first=True)
    config = subscriber_config()
    audio, video = config.tracks
    only_h264 = type(video)(Kind.VIDEO, 0x1001, {"h264": 102})
    lab.router.add_subscriber(2, type(config)("show", (audio, only_h264)), lab.now)
    play(lab, source, 5, key_first=True)
    assert not lab.video(2, 0x1001)
    source.payload_type = 96
    play(lab, source, 5, key_first=True)
    assert len(lab.video(2, 0x1001)) == 5 * 4


def test_leaving_ends_everything_for_that_viewer_only() -> None:
    lab, source = live_show(2)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    lab.router.add_subscriber(3, subscriber_config(), lab.now)
    play(lab, source, 2)
    lab.router.remove_peer(2, lab.now)
    lab.router.remove_peer(2, lab.now)
    play(lab, source, 2)
    assert len(lab.payloads(2, 0x1001)) == 4 * 4
    assert len(lab.payloads(3, 0x1001)) == 6 * 4


def test_blanking_drops_video_and_keeps_audio() -> None:
    lab, source = live_show(2)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    play(lab, source, 2)
    lab.router.set_blanked("show", blanked=True, now=lab.now)
    audio = RtpSource(ssrc=0xBBBB, payload_type=111, packets_per_frame=1, ticks_per_frame=960)
    play(lab, source, 5, key_first=True)
    play(lab, audio, 5)
    assert len(lab.payloads(2, 0x1001)) == 4 * 4
    assert len(lab.payloads(2, 0x1000)) == 5
    lab.router.set_blanked("show", blanked=False, now=lab.now)
    play(lab, source, 2)
    assert plis(lab)
    assert len(lab.payloads(2, 0x1001)) == 4 * 4, "from the next keyframe"
    play(lab, source, 3, key_first=True)
    assert len(lab.payloads(2, 0x1001)) == 7 * 4
    assert sorted(lab.video(2, 0x1001)) == list(range(7 * 4)), "without a gap in the numbers"


def test_a_show_may_be_blanked_before_anybody_publishes() -> None:
    lab = Lab(lambda: 0)
    lab.router.set_blanked("show", blanked=True, now=lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    lab.router.add_publisher(1, publisher_config(), lab.now)
    play(lab, RtpSource(), 3, key_first=True)
    assert not lab.video(2, 0x1001)


def test_a_remote_worker_carries_the_show_on_the_same_timeline() -> None:
    lab, source = live_show(2)
    lab.router.set_clock(1_700_000_000_000.0, lab.now)
    lab.run(lab.now + 0.1)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    lab.router.add_sink(9, "show", lab.now)
    far = Lab(lambda: 77)
    far.router.set_clock(1_700_000_000_000.0, far.now)
    far.router.add_publisher(5, PublisherConfig("show", "pub1", (), remote=True), far.now)
    far.router.add_subscriber(6, subscriber_config(), far.now)
    for step in range(90):
        play(lab, source, 1, key_first=step % 30 == 3)
        far.now = lab.now
        for request in lab.other:
            assert isinstance(request, ForwardPlain)
            far.router.receive_plain(5, request, far.now)
        lab.other.clear()
        far.run(far.now)
    near_by_payload = {packet[12:]: packet[4:8] for _, packet in lab.rtp[2]}
    far_by_payload = {packet[12:]: packet[4:8] for _, packet in far.rtp[6]}
    assert len(far_by_payload) > 80 * 4
    for payload, timestamp in far_by_payload.items():
        assert near_by_payload[payload] == timestamp
    assert any(isinstance(request, RequestKeyframe) for request in far.other)
    assert not far.rtcp[5]
    near_clock, far_clock = lab.clocks[-1], far.clocks[-1]
    ticks = far_clock.rtp_timestamp - near_clock.rtp_timestamp
    assert abs(far_clock.server_ms - near_clock.server_ms - ticks / 90) < 1.5
    reports = [packet for _, packet in far.rtcp[6] if isinstance(packet, rtcp.SenderReport)]
    assert {report.ssrc for report in reports} == {0x1001}


def test_health_of_unknown_and_known_shows() -> None:
    lab, source = live_show(2)
    assert lab.router.health("other", lab.now).publisher is None
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    for start in range(0, 90, 30):
        del start
        play(lab, source, 30, key_first=True)
    health = lab.router.health("show", lab.now)
    assert health.publisher is not None
    assert health.publisher.codec == "h264"
    assert round(health.publisher.fps) == 30
    assert health.publisher.layers[0].width == 1280
    assert 950 < (health.publisher.keyframe_interval_ms or 0) < 1_050
    assert 700_000 < health.publisher.bitrate_bps < 900_000
    assert health.viewers.count == 1


def test_an_old_repair_that_fills_a_probe_interrupts_nobody() -> None:
    """Chromium repeats its last large packet as RTX when it probes, however old it is."""
    lab = Lab(lambda: 0)
    source = RtpSource()
    lab.router.add_publisher(1, publisher_config(), lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    first = source.sequence
    for index in range(360):
        for packet in source.frame(key=index == 0):
            lab.router.receive_rtp(1, packet, lab.now)
        lab.run(lab.now + 1 / 30)
    lab.router.receive_rtp(1, source.rtx(first, ssrc=9, payload_type=97, number=1), lab.now)
    for packet in source.frame():
        lab.router.receive_rtp(1, packet, lab.now)
    lab.run(lab.now + 1 / 30)
    assert len(lab.payloads(2, 0x1001)) == 361 * 4
