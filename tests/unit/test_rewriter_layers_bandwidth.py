"""Outgoing numbering, the choice of a layer, and claims of peers that cannot be true."""

import itertools
import math

import pytest

from media.forward import layers
from media.forward.bandwidth import MAX_BPS, MIN_BPS, ViewerPath
from media.forward.cache import PacketCache
from media.forward.model import Kind, OutgoingTrack
from media.forward.rewriter import MAX_SEGMENTS, Rewriter
from media.forward.subscription import Subscription
from media.kernel import Acked
from media.rtp import header


def test_segments_follow_each_other_without_a_gap() -> None:
    rewriter = Rewriter(0xFFFF)
    first = rewriter.begin("low", 1_000, 102, 103)
    assert first.first_out == 0x7FFF
    rewriter.finish(1_010)
    second = rewriter.begin("high", 5_000, 102, 103)
    assert second.first_out == first.first_out + 10
    assert rewriter.locate(0x7FFF + 3, 5_002) == (first, 1_003)
    assert rewriter.locate(0x7FFF + 11, 5_002) == (second, 5_001)
    assert rewriter.locate(0x7FFF + 12, 5_002) is None  # not sent yet
    assert rewriter.locate(0x7FFF - 1, 5_002) is None  # before the first
    assert rewriter.sent(5_002) == 0x7FFF + 12


def test_a_number_is_found_after_the_wrap() -> None:
    rewriter = Rewriter(10)
    segment = rewriter.begin("", 1_000, 102, 0)
    assert rewriter.locate((10 + 70_000) & 0xFFFF, 80_000) == (segment, 71_000)


def test_old_segments_are_forgotten() -> None:
    rewriter = Rewriter(0)
    for index in range(MAX_SEGMENTS + 1):
        rewriter.begin("", 100 * index, 102, 0)
        rewriter.finish(100 * index + 10)
    assert rewriter.locate(5, 0) is None
    assert rewriter.locate(15, 0) is not None


def test_the_first_numbers_of_a_viewer_leave_no_doubt_about_the_roll_over_counter() -> None:
    config = OutgoingTrack(Kind.VIDEO, 1, {"VP8": 98}, 2, {"VP8": 99})
    subscription = Subscription(1, config, 2**32 - 1, 2**32 - 1, 0.0)
    cache = PacketCache(2)
    packet = header.build(98, 5, 0, 1, b"picture")
    cache.put(5, packet)
    segment = subscription.rewriter.begin("", 5, 98, 99)
    (again,) = subscription.retransmit({"": cache}, (segment.first_out,), 6, 0.0)
    assert [segment.first_out, header.parse(again).sequence] == [0x7FFF, 0x7FFF]  # RFC 3711 §3.3.1


def test_the_largest_layer_that_fits() -> None:
    rates = {"f": 2_000_000.0, "h": 700_000.0, "q": 200_000.0}
    assert layers.choose(rates, 5_000_000, None) == "f"
    assert layers.choose(rates, 1_000_000, None) == "h"
    assert layers.choose(rates, 100_000, None) == "q"
    assert layers.choose({}, 100_000, None) is None


PICTURES = {"q": (320, 180), "h": (640, 360), "f": (1280, 720)}


@pytest.mark.parametrize(
    ("view", "rid"),
    [
        ((640, 360), "h"),
        ((641, 361), "f"),
        ((639, 2_000), "h"),  # a tall box: the picture is as wide as it
        ((100, 100), "q"),
        ((math.inf, 200), "h"),
        ((4_000, 3_000), "f"),
    ],
)
def test_the_smallest_layer_that_fills_the_picture(view: tuple[float, float], rid: str) -> None:
    assert layers.fitting(PICTURES, view, None) == rid


def test_a_layer_is_kept_while_a_tenth_is_lacking() -> None:
    held, seen = "h", list[str]()
    for width in (640, 700, 712, 700, 641, 640, 641):
        held = layers.fitting(PICTURES, (width, 9 / 16 * width), held)
        seen.append(held)
    assert seen == ["h", "h", "f", "f", "f", "h", "h"]


def test_a_probe_ends_with_the_layer_that_it_was_for() -> None:
    choice, path = layers.LayerChoice(0.0), ViewerPath()
    path.report(60, 0.05, 1.0)
    assert choice.decide(RATES, "h", path, 1.0) == "q"
    path.report(0, 0.05, 2.0)
    path.acknowledged(Acked(5, 0, 5_000, 0, 0, 7_500_000), 7.5)
    assert choice.decide(RATES, "q", path, 7.5) == "q"
    assert choice.probe is not None
    assert choice.decide({"q": RATES["q"]}, "q", path, 7.6) == "q"
    assert choice.probe is None


def test_a_step_up_needs_room() -> None:
    rates = {"f": 2_000_000.0, "h": 700_000.0}
    assert layers.choose(rates, 2_100_000, "h") == "h"
    assert layers.choose(rates, 2_400_000, "h") == "f"
    assert layers.choose(rates, 2_000_000, "f") == "f"


def test_a_lying_remb_is_clamped_and_forgotten() -> None:
    path = ViewerPath()
    path.remb(2**80, now=0.0)
    assert path.allowed_bps(1e6, 0.0) == MAX_BPS
    path.remb(0, now=1.0)
    assert path.allowed_bps(1e6, 1.0) == MIN_BPS
    assert path.clamped == 2
    assert path.allowed_bps(1e6, 60.0) == MAX_BPS


def test_an_absurd_round_trip_is_not_believed() -> None:
    path = ViewerPath()
    path.report(256 // 4, 11.0, now=0.0)
    assert path.loss == 0.25
    assert path.rtt_s is None
    path.report(0, 0.1, now=1.0)
    assert path.rtt_s == 0.1


RATES = {"f": 2_000_000.0, "h": 450_000.0, "q": 200_000.0}


def test_a_stranger_is_trusted_at_once() -> None:
    assert layers.LayerChoice(0.0).decide(RATES, "q", ViewerPath(), 0.0) == "f"


def test_loss_brings_down_with_the_first_report() -> None:
    choice, path = layers.LayerChoice(0.0), ViewerPath()
    path.report(26, 0.05, 10.0)  # 10 %
    assert choice.decide(RATES, "f", path, 10.0) == "h"
    assert choice.decide(RATES, "h", path, 10.2) == "h", "the report was about the old layer"
    path.report(26, 0.05, 11.5)
    assert choice.decide(RATES, "h", path, 11.5) == "q"


def test_up_after_five_clean_seconds_one_layer_at_a_time() -> None:
    choice, path = layers.LayerChoice(0.0), ViewerPath()
    path.remb(300_000, 10.0)
    assert choice.decide(RATES, "f", path, 10.0) == "q"
    path.remb(10_000_000, 10.1)
    assert choice.decide(RATES, "q", path, 14.9) == "q"
    assert choice.decide(RATES, "q", path, 15.1) == "h"
    assert choice.decide(RATES, "h", path, 15.2) == "h"
    assert choice.decide(RATES, "h", path, 20.2) == "f"


def test_a_claim_that_is_no_mirror_is_a_ceiling() -> None:
    choice, path = layers.LayerChoice(0.0), ViewerPath()
    current = "f"
    for second in range(60):
        path.remb(950_000, float(second))
        current = choice.decide(RATES, current, path, float(second))
    assert current == "h"


def test_an_attempt_that_fails_is_repeated_later_and_later() -> None:
    choice, path = layers.LayerChoice(0.0), ViewerPath()
    current, attempts = "f", list[int]()
    for second in range(100):
        path.report(0 if current != "f" else 60, 0.05, float(second))
        chosen = choice.decide(RATES, current, path, float(second))
        if chosen == "f" and current != "f":
            attempts.append(second)
        current = chosen
    waits = [after - before for before, after in itertools.pairwise(attempts)]
    assert waits == sorted(waits)
    assert len(attempts) <= 5
    assert waits[0] >= 10


def test_a_layer_that_is_gone_is_left() -> None:
    assert layers.LayerChoice(0.0).decide({"q": 2e5, "h": 7e5}, "f", ViewerPath(), 0.0) == "h"


def test_a_claim_alone_must_be_low_to_be_believed() -> None:
    path = ViewerPath()
    path.remb(700_000, 1.0)
    assert not path.troubled(1_000_000, 0.0, 0.0, 1.0)
    path.report(8, 0.05, 1.0)  # 3 %
    assert path.troubled(1_000_000, 0.0, 0.0, 1.0)
    path.report(0, 0.05, 2.0)
    assert not path.troubled(1_000_000, 0.0, 0.0, 2.0)
    path.report(0, 0.2, 3.0)  # a queue
    assert path.troubled(1_000_000, 0.0, 0.0, 3.0)
    path.report(0, 0.05, 4.0)
    path.remb(400_000, 4.0)
    assert path.troubled(1_000_000, 0.0, 0.0, 4.0)
    assert not path.troubled(1_000_000, 0.0, 5.0, 4.0), "soon after a step up"
    path.remb(450_000, 5.5)
    assert not path.troubled(1_000_000, 0.0, 5.0, 5.5), "on its way up"
    path.remb(440_000, 6.0)
    assert path.troubled(1_000_000, 0.0, 5.0, 6.0)
