"""Outgoing numbering, the choice of a layer, and claims of peers that cannot be true."""

from media.forward import layers
from media.forward.bandwidth import MAX_BPS, MIN_BPS, ViewerPath
from media.forward.rewriter import MAX_SEGMENTS, Rewriter


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


def test_the_largest_layer_that_fits() -> None:
    rates = {"f": 2_000_000.0, "h": 700_000.0, "q": 200_000.0}
    assert layers.choose(rates, 5_000_000, None) == "f"
    assert layers.choose(rates, 1_000_000, None) == "h"
    assert layers.choose(rates, 100_000, None) == "q"
    assert layers.choose({}, 100_000, None) is None


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
    path.report(256 // 4, 11.0)
    assert path.loss == 0.25
    assert path.rtt_s is None
    path.report(0, 0.1)
    assert path.rtt_s == 0.1
