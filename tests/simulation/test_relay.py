"""The relay between a publisher and viewers on bad networks, in virtual time; the seed names each run."""

import itertools
import random

import pytest
from support.lossy_path import LossyPath
from support.rtp_source import RtpSource, publisher_config, subscriber_config
from support.virtual_publisher import FRAME_S, WALL_MS, Publisher, play
from support.virtual_viewers import Lab

from media.router import PublisherAway, PublisherBack, PublisherDown, PublisherUp
from media.rtp import feedback, header, rtcp
from media.rtp.sequence import unwrap16, unwrap32


class Viewer:
    """A browser's receiving side on a lossy path: NACKs each hole, unwraps RTX, asks with PLI at first."""

    def __init__(self, lab: Lab, peer: int, path: LossyPath, *, rtx: bool) -> None:
        self.lab, self.peer, self.path = lab, peer, path
        self.ssrc = 0x1000 * peer
        self.have: dict[int, bytes] = {}
        self.seen = 0
        lab.router.add_subscriber(peer, subscriber_config(ssrc=self.ssrc, rtx=rtx), lab.now)

    def step(self) -> None:
        """Take what has come and ask for what has not."""
        for now, packet in self.lab.rtp[self.peer][self.seen :]:
            self.path.put(packet, now)
        self.seen = len(self.lab.rtp[self.peer])
        for packet in self.path.take(self.lab.now):
            self._receive(packet)
        if self.have:
            top = max(self.have)
            holes = [n & 0xFFFF for n in range(max(min(self.have), top - 500), top) if n not in self.have]
            if holes:
                nack = feedback.write_nack(9, self.ssrc + 1, holes[:200])
                self.lab.router.receive_rtcp(self.peer, nack, self.lab.now)

    def _receive(self, packet: bytes) -> None:
        head = header.parse(packet)
        if head.ssrc == self.ssrc + 2:
            inner = header.unwrap_rtx(packet, head, self.ssrc + 1, 102)
            assert inner is not None
            packet, head = inner, header.parse(inner)
        if head.ssrc == self.ssrc + 1:
            number = unwrap16(head.sequence, max(self.have, default=head.sequence))
            payload = packet[head.payload_start : head.payload_end]
            assert self.have.setdefault(number, payload) == payload


@pytest.mark.parametrize("seed", range(6))
def test_every_packet_reaches_every_viewer_over_lossy_paths(seed: int) -> None:
    rng = random.Random(seed)
    lab = Lab(lambda: rng.getrandbits(32), lambda: rng.choice((0.0, 0.001, 0.004)))
    up = LossyPath(rng, loss=0.05, jitter_s=0.02, duplicate=0.02)
    publisher = Publisher(lab, 1, up, seed, "p1")
    viewers = [
        Viewer(lab, peer, LossyPath(rng, loss=0.05, jitter_s=0.01), rtx=peer % 2 == 0) for peer in range(2, 6)
    ]
    play(lab, publisher, 5, viewers)
    late = Viewer(lab, 9, LossyPath(rng, loss=0.02), rtx=True)
    viewers.append(late)
    play(lab, publisher, 5, viewers)
    up._loss = 0.0  # pyright: ignore[reportPrivateUsage]
    play(lab, publisher, 1.5, viewers)
    sent = [packet[20:] for packet in publisher.source.sent.values()]
    for viewer in viewers:
        numbers = sorted(viewer.have)
        settled = [n for n in numbers if n < numbers[-1] - 20]
        assert settled == list(range(numbers[0], settled[-1] + 1)), f"holes at viewer {viewer.peer}"
        start = sent.index(viewer.have[numbers[0]])
        received = [viewer.have[number] for number in settled]
        assert received == sent[start : start + len(settled)], "the publisher's packets in its order"
    assert len(late.have) > 4.9 * 30 * 4
    counters = lab.router.counters()
    assert counters["nacks_sent"] > 20
    assert counters["retransmit_refused"] == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("away_s", [0.5, 5.0])
def test_a_returning_publisher_continues_every_viewer(seed: int, away_s: float) -> None:
    rng = random.Random(seed)
    lab = Lab(lambda: rng.getrandbits(32))
    lab.router.set_clock(WALL_MS, lab.now)
    first = Publisher(lab, 1, LossyPath(rng, jitter_s=0.01), seed, "p1")
    lab.router.add_subscriber(2, subscriber_config(ssrc=0x2000), lab.now)
    play(lab, first, 4)
    lab.router.remove_peer(1, lab.now)
    lab.run(lab.now + away_s)
    second = Publisher(lab, 3, LossyPath(rng, jitter_s=0.01), seed + 100, "p2")
    play(lab, second, 4)

    got = lab.video(2, 0x2001)
    assert sorted(got) == list(range(min(got), max(got) + 1)), "no hole in the numbers"
    assert len(got) > 7.8 * 30 * 4
    captured = first.captured | second.captured
    ticks: dict[int, float] = {}
    near: int | None = None
    for number in sorted(got):
        head = header.parse(got[number])
        near = head.timestamp if near is None else unwrap32(head.timestamp, near)
        ticks[near] = captured[got[number][12 : head.payload_end]]
    times = sorted(ticks)
    assert times == list(ticks), "the timeline never runs back"
    error_ms = [(b - a) / 90 - (ticks[b] - ticks[a]) * 1000 for a, b in itertools.pairwise(times)]
    assert max(abs(error) for error in error_ms) < 12, "over the gap as well (jitter of one frame)"

    kinds = [type(news) for _, news in lab.news]
    expected = [PublisherUp, PublisherUp]
    if away_s > 2:
        expected = [PublisherUp, PublisherAway, PublisherBack, PublisherUp]
    assert kinds == expected


@pytest.mark.parametrize("seed", range(4))
def test_the_broadcast_clock_tells_when_a_frame_was_captured(seed: int) -> None:
    """FRAMELOCK: server time of a frame, the same for all viewers, to a few milliseconds."""
    rng = random.Random(seed)
    lab = Lab(lambda: rng.getrandbits(32))
    lab.router.set_clock(WALL_MS, lab.now)
    path = LossyPath(rng, delay_s=0.03, jitter_s=0.06)
    publisher = Publisher(lab, 1, path, seed, "p1")
    lab.router.add_subscriber(2, subscriber_config(ssrc=0x2000), lab.now)
    play(lab, publisher, 12)
    assert 12 <= len(lab.clocks) <= 30
    clock = lab.clocks[-1]
    assert clock.delay_ms is not None
    assert clock.delay_ms == pytest.approx(30, abs=6)  # the fastest frame: 30 ms and a little jitter
    for packet in list(lab.video(2, 0x2001).values())[-200:]:
        head = header.parse(packet)
        captured_ms = publisher.captured[packet[12 : head.payload_end]] * 1000 + WALL_MS
        ticks = unwrap32(head.timestamp, clock.rtp_timestamp) - clock.rtp_timestamp
        server_ms = clock.server_ms + ticks / 90
        assert server_ms - captured_ms == pytest.approx(clock.delay_ms, abs=1)


def test_sender_reports_carry_the_publishers_lip_sync() -> None:
    rng = random.Random(1)
    lab = Lab(lambda: rng.getrandbits(32))
    lab.router.set_clock(WALL_MS, lab.now)
    lab.router.add_publisher(1, publisher_config(), lab.now)
    lab.router.add_subscriber(2, subscriber_config(), lab.now)
    video = RtpSource(ssrc=1, timestamp=123_456)
    audio = RtpSource(ssrc=2, timestamp=999, payload_type=111, packets_per_frame=1, ticks_per_frame=1_600)
    origin = {video.ssrc: (video.timestamp, 90.0, 40.0), audio.ssrc: (audio.timestamp, 48.0, 0.0)}
    begin = lab.now
    for index in range(300):  # sound is captured 40 ms before the picture that arrives with it
        for source in (video, audio):
            for packet in source.frame(key=index == 0):
                lab.router.receive_rtp(1, packet, lab.now)
            if index % 30 == 7:
                first, per_ms, early_ms = origin[source.ssrc]
                elapsed_ms = (lab.now - begin) * 1000
                report = source.sender_report(
                    WALL_MS + lab.now * 1000, round(first + (elapsed_ms + early_ms) * per_ms)
                )
                lab.router.receive_rtcp(1, report, lab.now)
        lab.run(lab.now + FRAME_S)
    last: dict[int, rtcp.SenderReport] = {}
    for _, packet in lab.rtcp[2]:
        if isinstance(packet, rtcp.SenderReport):
            last[packet.ssrc] = packet
    picture, sound = last[0x1001], last[0x1000]
    assert picture.ntp == sound.ntp
    newest = {kind: header.parse(lab.rtp[2][-1 - kind][1]) for kind in (0, 1)}
    by_ssrc = {head.ssrc: head.timestamp for head in newest.values()}
    picture_ms = unwrap32(by_ssrc[0x1001] - picture.rtp_timestamp, 0) / 90
    sound_ms = unwrap32(by_ssrc[0x1000] - sound.rtp_timestamp, 0) / 48
    assert sound_ms - picture_ms == pytest.approx(40, abs=1)
    assert picture.packet_count == pytest.approx(1_200, abs=130)
    sdes = [packet for _, packet in lab.rtcp[2] if isinstance(packet, rtcp.SourceDescription)]
    assert sdes[-1].cnames == {0x1000: "c", 0x1001: "c"}


def test_round_trips_are_measured_on_both_sides() -> None:
    rng = random.Random(2)
    lab = Lab(lambda: rng.getrandbits(32))
    lab.router.set_clock(WALL_MS, lab.now)
    publisher = Publisher(lab, 1, LossyPath(rng), 2, "p1")
    lab.router.add_subscriber(2, subscriber_config(ssrc=0x2000), lab.now)
    play(lab, publisher, 3)
    sent_at, report = next(
        (now, p) for now, p in lab.rtcp[2] if isinstance(p, rtcp.SenderReport) and p.ssrc == 0x2001
    )
    held_s = 0.2
    lab.run(sent_at + held_s + 3.0)
    middle = (report.ntp >> 16) & 0xFFFF_FFFF
    delay = round((lab.now - sent_at - 0.08) * 65536)
    block = rtcp.ReportBlock(0x2001, 64, 0, 0, 0, middle, delay)
    compound = rtcp.write_receiver_report(rtcp.ReceiverReport(9, (block,)))
    lab.router.receive_rtcp(2, compound, lab.now)
    asked_at, reference = next(
        (now, p) for now, p in reversed(lab.rtcp[1]) if isinstance(p, rtcp.ReferenceTime)
    )
    middle = (reference.ntp >> 16) & 0xFFFF_FFFF
    delay = round((lab.now - asked_at - 0.05) * 65536)
    answer = rtcp.write_delay_since_reference(7, ((1, middle, delay),))
    lab.router.receive_rtcp(1, answer, lab.now)
    health = lab.router.health("show", lab.now)
    assert health.viewers.rtt_ms_p50 == pytest.approx(80, abs=1)
    assert health.viewers.loss_p50 == 0.25
    assert health.publisher is not None
    assert health.publisher.rtt_ms == pytest.approx(50, abs=1)


def test_a_publisher_that_does_not_return_is_down_after_thirty_seconds() -> None:
    lab = Lab(lambda: 0)
    publisher = Publisher(lab, 1, LossyPath(random.Random(0)), 0, "p1")
    lab.router.add_subscriber(2, subscriber_config(ssrc=0x2000), lab.now)
    play(lab, publisher, 1)
    gone = lab.now
    lab.router.remove_peer(1, lab.now)
    lab.run(gone + 100)
    assert [(round(now - gone), type(news)) for now, news in lab.news[1:]] == [
        (2, PublisherAway),
        (30, PublisherDown),
    ]
    assert lab.router.next_deadline() is None
    heard = [at - gone for at, _ in lab.rtcp[2] if at > gone]
    silences = [after - before for before, after in itertools.pairwise([0.0, *heard])]
    assert max(silences) <= 1.2, "a viewer hears that the server is there"
    assert 28 < heard[-1] <= 30


def test_a_replaced_publisher_is_named_and_no_longer_heard() -> None:
    lab = Lab(lambda: 0)
    path = LossyPath(random.Random(0), delay_s=0.0)
    old = Publisher(lab, 1, path, 0, "p1")
    lab.router.add_subscriber(5, subscriber_config(), lab.now)
    play(lab, old, 1)
    before = len(lab.rtp[5])
    assert lab.router.add_publisher(2, publisher_config(publication="p2"), lab.now) == 1
    for packet in old.source.frame(key=True):
        lab.router.receive_rtp(1, packet, lab.now)
    lab.run(lab.now + 0.1)
    assert len(lab.rtp[5]) == before
    assert lab.router.counters()["rtp_not_a_publisher"] == 4
