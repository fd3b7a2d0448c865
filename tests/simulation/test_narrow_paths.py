"""Viewers that give transport-wide feedback, behind seeded bottlenecks: who gets which layer when."""

import itertools
import random

import pytest
from support.narrow_path import Link, NarrowPath
from support.rtp_source import subscriber_config
from support.simulcast_studio import FRAME_S, PUBLISHER, Studio
from support.virtual_viewers import Lab

from media.rtp import feedback, header

PEER, SSRC, PACKETS_A_FRAME = 7, 0x7001, 4
BITS_A_FRAME = {"q": 100, "h": 300, "f": 1_000}
ROOMY, NARROW = 5e6, 450_000.0
"""The layers take about 150, 350 and 1,000 kbit/s."""


class Viewer:
    """One viewer of a three-layer publisher behind a link."""

    def __init__(self, seed: int, link: Link) -> None:
        self.lab = Lab(lambda: 5)
        self.studio = Studio(self.lab, seed, 96)
        self.link = link
        self.path = self.lab.paths[PEER] = NarrowPath(seed, link)
        self.joined = self.frames = 0
        self.claims = list[bytes]()

    def join(self) -> None:
        self.lab.router.add_subscriber(PEER, subscriber_config(ssrc=SSRC - 1, transport_cc=3), self.lab.now)

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds * 30)):
            begin = self.lab.now
            self.studio.frame()
            if self.frames % 30 == 7:
                self.studio.report()
            self.frames += 1
            for part in (1, 2):
                self.lab.run(begin + FRAME_S * part / 2)
                for message in self.claims or self.path.tell(self.lab.now):
                    self.lab.feedback(PEER, message)
            self.studio.react()

    def layer(self) -> str:
        """Of what arrived last."""
        sizes = [len(p) for _, p in self.path.arrived[-60:] if header.parse(p).ssrc == SSRC]
        return min(BITS_A_FRAME, key=lambda rid: abs(max(sizes) - BITS_A_FRAME[rid]))

    def first_of(self, rid: str, since: float) -> float:
        """When the first packet of a layer left after a moment."""
        for at, packet in self.lab.rtp[PEER]:
            large = len(packet) > 2 / 3 * BITS_A_FRAME[rid]
            small = len(packet) < 4 / 3 * BITS_A_FRAME[rid]
            if at > since and header.parse(packet).ssrc == SSRC and large and small:
                return at
        raise AssertionError(f"{rid} was never sent")

    def largest_of_each_frame(self, since: float) -> list[int]:
        """Bytes of each frame's longest packet, of what left after a moment."""
        longest: dict[int, int] = {}
        for at, packet in self.lab.rtp[PEER]:
            head = header.parse(packet)
            if at > since and head.ssrc == SSRC:
                longest[head.timestamp] = max(longest.get(head.timestamp, 0), len(packet))
        return list(longest.values())

    def asked_for(self, rid: str) -> list[float]:
        """When the publisher was asked for a keyframe of a layer."""
        (ssrc,) = (layer.ssrc for layer in self.studio.layers if layer.rid == rid)
        told = self.lab.rtcp[PUBLISHER]
        return [at for at, packet in told if isinstance(packet, feedback.PictureLoss) and packet.ssrc == ssrc]

    def longest_gap(self, since: float) -> float:
        """Between whole frames that arrived after a moment."""
        times = [at for at in self.path.frames(SSRC, PACKETS_A_FRAME - 1) if at > since]
        return max(after - before for before, after in itertools.pairwise(times))


def playing(seed: int, link: Link) -> Viewer:
    viewer = Viewer(seed, link)
    viewer.play(2)
    viewer.join()
    return viewer


@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_path_has_its_layer_within_two_seconds(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=NARROW))
    joined = viewer.lab.now
    viewer.play(10)
    assert viewer.first_of("h", joined) - joined < 2
    assert viewer.layer() == "h"
    assert viewer.longest_gap(joined + 3) < 0.3, "and no freeze"


@pytest.mark.parametrize("seed", range(4))
def test_a_path_that_becomes_narrow_is_relieved_within_half_a_second(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=ROOMY))
    viewer.play(6)
    assert viewer.layer() == "f"
    viewer.link.rate_bps = NARROW
    narrow = viewer.lab.now
    viewer.play(8)
    chosen = next(at for at in viewer.asked_for("h") if at > narrow)
    assert chosen - narrow < 0.5
    assert viewer.layer() == "h"


@pytest.mark.parametrize("seed", range(4))
def test_a_path_that_recovers_is_tried_after_five_seconds_and_never_freezes(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=NARROW))
    viewer.play(8)
    assert viewer.layer() == "h"
    viewer.link.rate_bps = ROOMY
    wide = viewer.lab.now
    viewer.play(60)
    assert viewer.layer() == "f"
    assert viewer.first_of("f", wide) - wide > 1
    assert viewer.longest_gap(wide) < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_probes_of_a_path_that_stays_narrow_do_not_hurt(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=NARROW))
    viewer.play(8)
    began = viewer.lab.now
    viewer.play(60)
    assert viewer.layer() == "h"
    assert viewer.lab.router.counters()["probes"] > 0
    assert viewer.longest_gap(began) < 0.3
    assert max(viewer.largest_of_each_frame(began)) < 600, "the large layer was never sent"


@pytest.mark.parametrize("seed", range(4))
def test_jitter_and_random_loss_are_no_congestion(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=ROOMY, jitter_s=0.04, loss=0.02))
    began = viewer.lab.now
    viewer.play(30)
    assert min(viewer.largest_of_each_frame(began + 1)) > 600, "always the large layer"


@pytest.mark.parametrize("seed", range(4))
def test_an_outage_that_ends_with_another_address_is_no_congestion(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=ROOMY))
    viewer.play(6)
    assert viewer.layer() == "f"
    viewer.link.loss = 1.0
    viewer.play(0.7)
    viewer.link.loss = 0.0
    moved = viewer.lab.now
    viewer.lab.router.moved(PEER, moved)
    viewer.play(3)
    asked = [at for at in viewer.asked_for("f") if at >= moved]
    assert len(asked) == 1
    assert asked[0] == moved, "what it lost it may not be able to ask for yet"
    assert min(viewer.largest_of_each_frame(moved)) > 600, "always the large layer"
    assert viewer.longest_gap(moved) < 0.1


def test_an_address_that_changes_while_the_viewer_is_heard_asks_for_nothing() -> None:
    viewer = playing(1, Link(rate_bps=ROOMY))
    viewer.play(6)
    moved = viewer.lab.now
    viewer.lab.router.moved(PEER, moved)
    viewer.lab.router.moved(PEER + 1, moved)  # nobody
    viewer.play(1)
    assert not [at for at in viewer.asked_for("f") if at >= moved]


@pytest.mark.parametrize("seed", range(4))
def test_a_lying_viewer_hurts_nobody_else(seed: int) -> None:
    viewer = playing(seed, Link(rate_bps=ROOMY))
    rng = random.Random(seed)
    honest = NarrowPath(seed, Link(rate_bps=ROOMY))
    viewer.lab.paths[PEER + 1] = honest
    config = subscriber_config(ssrc=SSRC + 0x1000, transport_cc=3)
    viewer.lab.router.add_subscriber(PEER + 1, config, viewer.lab.now)
    for _ in range(40):
        told = feedback.TransportFeedback(
            rng.getrandbits(16),
            rng.getrandbits(24),
            0,
            tuple(rng.choice((None, rng.randrange(-3_000, 3_000))) for _ in range(rng.randrange(1, 300))),
        )
        viewer.claims = [feedback.write_transport(9, 1, told)]
        viewer.play(0.5)
        honest.tell(viewer.lab.now)
    assert honest.link.rate_bps == ROOMY
    longest: dict[int, int] = {}
    for _, packet in honest.arrived:
        head = header.parse(packet)
        if head.ssrc == SSRC + 0x1001:
            longest[head.timestamp] = max(longest.get(head.timestamp, 0), len(packet))
    assert len(longest) > 500
    assert min(longest.values()) > 600
    assert viewer.lab.router.counters()["acknowledged_unknown"] > 0
