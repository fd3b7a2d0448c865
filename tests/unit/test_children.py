"""When a dead child is started again, and when not."""

from server.children import GIVE_UP_AFTER, PAUSE_MAX_S, STEADY_AFTER_S, RestartPolicy


def test_pauses_grow_and_end() -> None:
    policy = RestartPolicy()
    pauses = [policy.died(0.1) for _ in range(GIVE_UP_AFTER)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, None]


def test_a_steady_life_forgives() -> None:
    policy = RestartPolicy()
    for _ in range(100):
        assert policy.died(STEADY_AFTER_S) == 0.1
        assert policy.died(0) == 0.2
    assert PAUSE_MAX_S > 1.6
