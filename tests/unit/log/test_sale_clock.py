"""The sale clock: continuous, never running back, still while frozen."""

from hypothesis import given
from hypothesis import strategies as st

from server.log.state import SaleClock

turns = st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), max_size=30)


@given(turns)
def test_it_advances_by_exactly_the_time_that_is_not_frozen(steps: list[tuple[int, bool]]) -> None:
    clock, now, running_ms, frozen = SaleClock(), 1_000_000, 0, False
    start = clock.at(now)
    for wait_ms, freeze in steps:
        before = clock.at(now)
        now += wait_ms
        running_ms += 0 if frozen else wait_ms
        assert clock.at(now) == start + running_ms >= before
        turned = clock.turn(now, frozen=freeze)
        assert turned.at(now) == clock.at(now)
        clock, frozen = turned, freeze


def test_turning_twice_changes_nothing() -> None:
    frozen = SaleClock().turn(5, frozen=True)
    assert frozen.turn(9, frozen=True) == frozen
    running = frozen.turn(9, frozen=False)
    assert running == SaleClock(4, None)
    assert running.turn(20, frozen=False) == running
