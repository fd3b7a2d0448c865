"""A bug in a shared callback is counted and logged, but not a thousand times a second."""

from collections import Counter

from structlog.testing import capture_logs

from media.transport.guard import Guard


def test_a_bug_is_counted_each_time_and_logged_once_a_second() -> None:
    counters: Counter[str] = Counter()
    guard = Guard(counters)

    def bug() -> None:
        raise RuntimeError("a bug")

    with capture_logs() as logs:
        for _ in range(1000):
            guard.run(bug)
    assert counters["internal_errors"] == 1000
    assert [entry["event"] for entry in logs] == ["internal_error"]


def test_what_works_is_left_alone() -> None:
    counters: Counter[str] = Counter()
    done: list[int] = []
    Guard(counters).run(lambda: done.append(1))
    assert done == [1]
    assert not counters
