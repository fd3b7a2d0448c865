"""The synthetic creator publishes when nobody else does, and never fights."""

from server.presence import VACANT_AFTER_OTHERS_S, Decision, Presence, Seen

VACANT = Seen(reachable=True)
OURS = Seen(reachable=True, publication="ours")
THEIRS = Seen(reachable=True, publication="theirs")
DOWN = Seen(reachable=False)


def test_publishes_at_once_on_a_vacant_show() -> None:
    assert Presence().decide(VACANT, None, 100.0) is Decision.PUBLISH


def test_stays_while_it_is_the_publisher() -> None:
    presence = Presence()
    presence.published(0.0)
    assert {presence.decide(OURS, "ours", now) for now in range(100)} == {Decision.WAIT}


def test_a_person_takes_over_reloads_and_leaves() -> None:
    presence = Presence()
    presence.published(0.0)
    assert presence.decide(OURS, "ours", 1.0) is Decision.WAIT
    presence.closed_by_server(2.0)
    assert presence.decide(THEIRS, None, 2.0) is Decision.WAIT
    assert presence.decide(THEIRS, None, 60.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 61.0) is Decision.WAIT  # the page reloads
    assert presence.decide(THEIRS, None, 64.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 65.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 64.0 + VACANT_AFTER_OTHERS_S) is Decision.PUBLISH


def test_leaves_when_replaced_without_having_noticed() -> None:
    presence = Presence()
    presence.published(0.0)
    assert presence.decide(THEIRS, "ours", 1.0) is Decision.WAIT  # health may lag
    assert presence.decide(THEIRS, "ours", 3.0) is Decision.LEAVE
    assert presence.decide(VACANT, None, 4.0) is Decision.WAIT


def test_comes_back_at_once_when_the_server_forgot_it() -> None:
    presence = Presence()
    presence.published(0.0)
    assert presence.decide(VACANT, "ours", 1.0) is Decision.WAIT
    assert presence.decide(VACANT, "ours", 2.0) is Decision.LEAVE
    assert presence.decide(VACANT, None, 3.0) is Decision.PUBLISH


def test_comes_back_at_once_after_a_restart_when_nobody_else_was_on() -> None:
    presence = Presence()
    presence.published(0.0)
    assert presence.decide(DOWN, "ours", 3.0) is Decision.LEAVE
    assert presence.decide(DOWN, None, 60.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 61.0) is Decision.PUBLISH


def test_a_person_goes_first_after_a_restart() -> None:
    presence = Presence()
    assert presence.decide(THEIRS, None, 0.0) is Decision.WAIT
    assert presence.decide(DOWN, None, 1.0) is Decision.WAIT
    assert presence.decide(DOWN, None, 60.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 61.0) is Decision.WAIT
    assert presence.decide(VACANT, None, 60.0 + VACANT_AFTER_OTHERS_S) is Decision.PUBLISH
