"""Packet cache, NACK generator, keyframe requests: limits and timers, with time as an argument."""

import pytest

from media.forward.cache import PacketCache
from media.forward.keyframes import MIN_INTERVAL_S, KeyframeRequests
from media.forward.nack import MAX_AGE_S, MAX_MISSING, MAX_TRIES, REORDER_GRACE_S, NackGenerator


def test_cache_keeps_the_newest_and_never_changes_a_number() -> None:
    cache = PacketCache(4)
    for number in range(10, 16):
        assert cache.put(number, bytes((number,)))
    assert [cache.get(number) for number in range(10, 16)] == [None, None, b"\x0c", b"\x0d", b"\x0e", b"\x0f"]
    assert not cache.put(14, b"other")
    assert cache.get(14) == b"\x0e"
    assert not cache.put(11, b"too old")
    assert cache.get(11) is None


@pytest.mark.parametrize("capacity", [0, 3, -4])
def test_cache_capacity_is_a_power_of_two(capacity: int) -> None:
    with pytest.raises(ValueError):
        PacketCache(capacity)


def test_nack_waits_for_reordering_then_asks_and_asks_again() -> None:
    nack = NackGenerator()
    nack.rtt_s = 0.04
    nack.gap(5, 8, now=1.0)
    assert nack.due(1.0) == []
    nack.arrived(6, 1.001)
    assert nack.deadline() == pytest.approx(1.0 + REORDER_GRACE_S)
    assert nack.due(1.0 + REORDER_GRACE_S) == [5, 7]
    assert nack.due(1.01) == []
    nack.arrived(5, 1.045)
    assert nack.due(1.0 + REORDER_GRACE_S + 1.5 * 0.05) == [7]


def test_nack_learns_the_round_trip_only_from_packets_asked_for_once() -> None:
    nack = NackGenerator()
    nack.gap(1, 3, now=0.0)
    assert nack.due(0.01) == [1, 2]
    nack.arrived(1, 0.06)
    assert nack.rtt_s == pytest.approx(0.05)
    assert nack.due(0.2) == [2]
    nack.arrived(2, 0.9)
    assert nack.rtt_s == pytest.approx(0.05)


def test_nack_gives_up_after_its_tries_or_its_age_and_says_so() -> None:
    nack = NackGenerator()
    nack.rtt_s = 0.001
    nack.gap(1, 2, now=0.0)
    asked = 0
    while (deadline := nack.deadline()) is not None:
        assert deadline <= MAX_AGE_S
        asked += len(nack.due(deadline))
    assert asked == MAX_TRIES
    assert nack.gave_up


def test_nack_expires_exactly_at_its_deadline() -> None:
    """Found by simulation: `since + age - since` may be below `age`, and the timer never moved on."""
    for step in range(1_000):
        nack = NackGenerator()
        nack.rtt_s = 10.0
        nack.gap(1, 2, now=step / 30)
        for _ in range(3):
            deadline = nack.deadline()
            if deadline is None:
                break
            nack.due(deadline)
        assert nack.deadline() is None


def test_too_many_holes_are_not_repaired_one_by_one() -> None:
    nack = NackGenerator()
    nack.gap(0, MAX_MISSING, now=0.0)
    assert not nack.gave_up
    nack.gap(MAX_MISSING + 1, MAX_MISSING + 2, now=0.0)
    assert nack.gave_up
    assert nack.deadline() is None


def test_keyframe_requests_are_shared_throttled_and_repeated() -> None:
    requests = KeyframeRequests()
    assert requests.deadline() is None
    sent: list[float] = []
    for millisecond in range(2_000):
        now = millisecond / 1000
        requests.ask()
        if requests.due(now):
            sent.append(now)
    assert sent == [0.0, 0.5, 1.0, 1.5]
    assert requests.asked == 2_000
    requests.arrived()
    assert not requests.due(10.0)
    requests.ask()
    assert requests.due(10.0)
    assert requests.deadline() == 10.0 + MIN_INTERVAL_S
    assert requests.due(10.0 + MIN_INTERVAL_S)  # it has not come: asked again
