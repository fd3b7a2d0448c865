"""The clock filter: shortest round trip wins, jumps are seen, slow answers are no jumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.log.clock import STEP_MS, ClockFilter

TRUE_OFFSET_MS = 1_700_000_000_000.0


def store_ms(now: float) -> float:
    return now * 1000 + TRUE_OFFSET_MS


def test_the_sample_with_the_shortest_round_trip_is_believed() -> None:
    clock = ClockFilter()
    clock.add(10.0, 10.2, store_ms(10.19))  # slow on the way there
    clock.add(11.0, 11.002, store_ms(11.001))
    clock.add(12.0, 12.3, store_ms(12.01))  # slow on the way back
    assert clock.offset_ms == pytest.approx(TRUE_OFFSET_MS, abs=0.01)


@pytest.mark.parametrize("jump_ms", [3_600_000.0, -3_600_000.0, 1500.0, -1500.0])
def test_a_jump_is_seen_once_and_followed(jump_ms: float) -> None:
    clock = ClockFilter()
    assert clock.add(10.0, 10.001, store_ms(10.0005)) == 0
    assert clock.add(10.5, 10.501, store_ms(10.5005) + jump_ms) == pytest.approx(jump_ms, abs=1)
    assert clock.add(11.0, 11.001, store_ms(11.0005) + jump_ms) == 0
    assert clock.offset_ms == pytest.approx(TRUE_OFFSET_MS + jump_ms, abs=1)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=40))
def test_answers_however_late_are_no_jumps(samples: list[tuple[float, float]]) -> None:
    clock, now = ClockFilter(), 100.0
    for rtt_s, where in samples:
        assert clock.add(now, now + rtt_s, store_ms(now + rtt_s * where)) == 0
        now += rtt_s + 0.5
    best_s = min(rtt_s for rtt_s, _ in samples[-20:])
    assert abs(clock.offset_ms - TRUE_OFFSET_MS) <= best_s * 500 + 0.01


def test_steps_below_the_threshold_are_followed() -> None:
    clock = ClockFilter()
    clock.add(10.0, 10.0, store_ms(10.0))
    assert clock.add(11.0, 11.0, store_ms(11.0) + STEP_MS - 1) == 0
