"""When a host counts as away, whoever says so and in whatever order."""

from server.media_events import AWAY_AFTER_S, REASSERT_S, ClockEvent, HostAway, Publications, Published

UP = Published("s", "one", "p", "up")
AWAY = Published("s", "one", "p", "away")
DOWN = Published("s", "one", "p", "down")


def _settle(publications: Publications, now: float) -> list[HostAway]:
    decisions = publications.decide(now)
    for decision in decisions:
        publications.said(decision, now)
    return decisions


def test_a_host_that_appears_is_there() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    assert _settle(publications, 0.0) == [HostAway("s", away=False)]
    assert _settle(publications, 0.1) == []


def test_a_host_is_away_after_two_seconds_and_no_sooner() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    _settle(publications, 0.0)
    publications.hear(0, AWAY, 1.0)
    publications.hear(0, AWAY, 2.0)  # said again each second: the count goes on
    assert _settle(publications, 0.99 + AWAY_AFTER_S) == []
    assert _settle(publications, 1.0 + AWAY_AFTER_S) == [HostAway("s", away=True)]
    assert _settle(publications, 9.0) == []
    publications.hear(0, UP, 9.5)
    assert _settle(publications, 9.5) == [HostAway("s", away=False)]


def test_what_could_not_be_written_is_decided_again() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    assert publications.decide(0.0) == publications.decide(0.5) == [HostAway("s", away=False)]


def test_that_a_host_is_there_is_said_again_now_and_then() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    _settle(publications, 0.0)
    assert _settle(publications, REASSERT_S) == [HostAway("s", away=False)]


def test_the_end_of_a_publication_is_told_once_and_makes_the_host_away() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    _settle(publications, 0.0)
    assert publications.hear(0, DOWN, 1.0)
    assert not publications.hear(0, DOWN, 1.1)
    assert publications.running() == []
    assert _settle(publications, 1.0 + AWAY_AFTER_S) == [HostAway("s", away=True)]
    assert publications.by_show == {}  # and is forgotten


def test_a_replaced_publication_ends_without_a_trace() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    publications.hear(0, Published("s", "two", "p", "up"), 1.0)
    assert not publications.hear(0, DOWN, 1.1)
    assert [known.publication for _, known in publications.running()] == ["two"]
    assert _settle(publications, 9.0) == [HostAway("s", away=False)]


def test_what_is_missing_in_the_whole_list_has_ended() -> None:
    publications = Publications()
    publications.hear_all(0, [UP, Published("t", "x", "q")], 0.0)
    publications.hear_all(1, [Published("u", "y", "r")], 0.0)
    assert publications.hear_all(0, [UP], 1.0) == ["t"]
    assert publications.hear_all(0, [UP], 2.0) == []
    assert {show for show, _ in publications.running()} == {"s", "u"}


def test_a_worker_that_cannot_be_heard_makes_its_hosts_away_until_it_is_back() -> None:
    publications = Publications()
    publications.hear_all(0, [UP], 0.0)
    publications.hear_all(1, [Published("u", "y", "r")], 0.0)
    _settle(publications, 0.0)
    publications.lose(0, 1.0)
    assert _settle(publications, 1.0 + AWAY_AFTER_S) == [HostAway("s", away=True)]
    publications.hear_all(0, [UP], 4.0)
    assert HostAway("s", away=False) in _settle(publications, 4.0)


def test_the_clock_measures_only_its_own_publication() -> None:
    publications = Publications()
    publications.hear(0, UP, 0.0)
    publications.measure(ClockEvent("s", "other", 1, 1.0, d_ms=7.0))
    assert publications.by_show["s"].d_ms is None
    publications.measure(ClockEvent("s", "one", 1, 1.0, d_ms=7.0))
    assert publications.by_show["s"].d_ms == 7.0
