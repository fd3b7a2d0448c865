"""Viewers of a simulcast publisher, in virtual time: who gets which layer when, what they notice of it."""

import itertools

import pytest
from support.rtp_source import subscriber_config
from support.simulcast_studio import FRAME_S, SIZES, Studio
from support.virtual_viewers import Lab

from media.rtp import feedback, header, rtcp, vp8
from media.rtp.sequence import unwrap32


class Viewer:
    """Reports once a second: loss, and what it claims to have as bandwidth."""

    def __init__(self, lab: Lab, peer: int) -> None:
        self.lab, self.peer = lab, peer
        self.ssrc = 0x1000 * peer + 1
        self.loss = 0.0
        self.claim_bps = 30_000_000
        lab.router.add_subscriber(peer, subscriber_config(ssrc=self.ssrc - 1), lab.now)

    def report(self) -> None:
        block = rtcp.ReportBlock(self.ssrc, round(self.loss * 256), 0, 0, 0, 0, 0)
        compound = rtcp.write_receiver_report(rtcp.ReceiverReport(9, (block,)))
        compound += feedback.write_remb(9, self.claim_bps, [self.ssrc])
        self.lab.router.receive_rtcp(self.peer, compound, self.lab.now)

    def frames(self) -> list[tuple[float, int, int]]:
        """When each frame was whole, its timestamp (unwrapped) and its size, in the order of its numbers."""
        found: dict[int, tuple[float, int]] = {}
        near = None
        for at, packet in self.lab.rtp[self.peer]:
            head = header.parse(packet)
            if head.ssrc != self.ssrc:
                continue
            near = head.timestamp if near is None else unwrap32(head.timestamp, near)
            _, size = found.get(near, (0.0, 0))
            found[near] = (at, size + head.payload_end - head.payload_start)
        return [(at, timestamp, size) for timestamp, (at, size) in found.items()]

    def layer(self) -> str:
        """What the last frame was."""
        size = self.frames()[-1][2]
        return min(SIZES, key=lambda rid: abs(size - 3 * SIZES[rid]))

    def seen_from(self, at: float) -> set[str]:
        found = [size for when, _, size in self.frames() if when >= at]
        return {min(SIZES, key=lambda rid: abs(size - 3 * SIZES[rid])) for size in found}


class Stage:
    def __init__(self, seed: int, payload_type: int = 96, viewers: int = 3) -> None:
        self.lab = Lab(lambda: 5)
        self.studio = Studio(self.lab, seed, payload_type)
        self.viewers = [Viewer(self.lab, 2 + index) for index in range(viewers)]
        self.frames = 0

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds * 30)):
            begin = self.lab.now
            self.studio.frame()
            if self.frames % 30 == 7:
                self.studio.report()
            for viewer in self.viewers:
                if self.frames % 30 == viewer.peer % 30:
                    viewer.report()
            self.frames += 1
            self.lab.run(begin + FRAME_S)
            self.studio.react()


def unbroken(viewer: Viewer) -> None:
    """No hole in the numbers, time that only goes on, and no pause that a viewer would call a freeze."""
    numbers = sorted(viewer.lab.video(viewer.peer, viewer.ssrc))
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    frames = viewer.frames()
    stamps = [timestamp for _, timestamp, _ in frames]
    assert stamps == sorted(set(stamps))
    steps_ms = [(after - before) / 90 for before, after in itertools.pairwise(stamps)]
    assert max(steps_ms) < 45
    times = [at for at, _, _ in frames]
    assert max(after - before for before, after in itertools.pairwise(times)) < 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("payload_type", [96, 98])
def test_a_viewer_in_trouble_goes_down_and_comes_back(seed: int, payload_type: int) -> None:
    stage = Stage(seed, payload_type)
    bad, good = stage.viewers[0], stage.viewers[1]
    stage.play(4)
    assert [viewer.layer() for viewer in stage.viewers] == ["f", "f", "f"]
    bad.claim_bps, bad.loss = 300_000, 0.1
    told = stage.lab.now
    stage.play(2)
    down = [at for at, _, size in bad.frames() if at > told and size < 3 * 200]
    assert down, "it got a smaller layer"
    assert down[0] - told < 1.0 + 0.5, "half a second after its next report"
    bad.claim_bps, bad.loss = 30_000_000, 0.0
    well = stage.lab.now
    stage.play(14)
    up = [at for at, _, size in bad.frames() if at > well and size > 3 * 900]
    assert up
    assert up[0] - well >= 5
    assert bad.layer() == "f"
    assert good.seen_from(told) == {"f"}, "nobody else notices"
    for viewer in stage.viewers:
        unbroken(viewer)
    assert max(stage.studio.keyframes.values()) <= 6


@pytest.mark.parametrize("seed", range(3))
def test_a_frame_has_one_timestamp_whatever_the_layer(seed: int) -> None:
    """To a millisecond or two, as sender reports tell; keyframes 3 ms later."""
    stage = Stage(seed)
    stage.viewers[0].claim_bps = 50_000
    stage.play(8)
    low, high = stage.viewers[0].frames(), stage.viewers[1].frames()
    nearest = [min(abs(stamp - other) for _, other, _ in high) / 90 for _, stamp, _ in low[60:]]
    assert max(nearest) < 6
    assert sorted(nearest)[len(nearest) // 2] < 2


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_that_the_encoder_stops_is_left_within_a_second(seed: int) -> None:
    stage = Stage(seed)
    stage.play(4)
    stage.studio.off = "f"
    stopped = stage.lab.now
    stage.play(3)
    for viewer in stage.viewers:
        after = [at for at, _, _ in viewer.frames() if at > stopped]
        assert after[0] - stopped < 1.5
        assert viewer.layer() == "h"


def test_picture_numbers_and_bases_only_grow_across_layers() -> None:
    stage = Stage(1, payload_type=98)
    stage.play(4)
    for claim in (100_000, 30_000_000, 400_000, 30_000_000):
        stage.viewers[0].claim_bps = claim
        stage.play(8)
    viewer = stage.viewers[0]
    found = [vp8.picture(payload) for payload in stage.lab.payloads(viewer.peer, viewer.ssrc)]
    numbers = [picture.number for picture in found if picture is not None]
    assert len(numbers) > 3_000
    steps = [(after - before) % vp8.WIDE for before, after in itertools.pairwise(numbers)]
    assert max(steps) < 100, "never back"
    assert viewer.seen_from(0) == {"q", "h", "f"}


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_sent_more_than_the_picture_shows(seed: int) -> None:
    stage = Stage(seed, payload_type=98)  # VP8 keyframes tell their size
    small, large = stage.viewers[0], stage.viewers[1]
    stage.play(4)
    assert small.layer() == "f"
    stage.lab.router.set_view(small.peer, (640.0, 360.0), stage.lab.now)
    told = stage.lab.now
    stage.play(1)
    stage.play(7)
    assert small.seen_from(told + 1) == {"h"}
    for width in (660, 690, 650, 700) * 3:  # a window's edge in somebody's hand
        stage.lab.router.set_view(small.peer, (width, width * 9 / 16), stage.lab.now)
        stage.play(0.3)
    assert small.seen_from(told + 1) == {"h"}
    keyframes = sum(stage.studio.keyframes.values())
    stage.lab.router.set_view(small.peer, None, stage.lab.now)
    lifted = stage.lab.now
    stage.play(2)
    assert small.seen_from(lifted + 1) == {"f"}, "a path without trouble need not wait"
    assert large.seen_from(told) == {"f"}, "nobody else notices"
    assert sum(stage.studio.keyframes.values()) - keyframes <= len(SIZES)
    for viewer in stage.viewers:
        unbroken(viewer)


@pytest.mark.parametrize("seed", range(2))
def test_a_path_in_trouble_goes_below_what_fits_and_back_no_further(seed: int) -> None:
    stage = Stage(seed, payload_type=98)
    viewer = stage.viewers[0]
    stage.lab.router.set_view(viewer.peer, (600.0, 338.0), stage.lab.now)
    stage.play(4)
    viewer.claim_bps, viewer.loss = 50_000, 0.1
    stage.play(3)
    assert viewer.layer() == "q"
    viewer.claim_bps, viewer.loss = 30_000_000, 0.0
    well = stage.lab.now
    stage.play(14)
    assert viewer.layer() == "h"
    assert viewer.seen_from(well) == {"q", "h"}
    unbroken(viewer)
