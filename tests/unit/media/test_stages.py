"""Who may publish a show, and for how long it stays theirs."""

from media.transport.stages import PUBLISHER_RETURN_S, Stages

SHOW = "demo"


def publishing(stages: Stages, pid: str, resource: str = "a") -> str | None:
    stages.begin(SHOW, pid, resource)
    return stages.connected(SHOW, resource, pid, f"pub_{resource}")


def test_a_second_pid_waits_while_the_first_is_on_its_way_or_there() -> None:
    stages = Stages()
    stages.begin(SHOW, "anna", "a")
    assert not stages.may_publish(SHOW, "ben", 0.0)
    assert stages.may_publish(SHOW, "anna", 0.0)
    assert stages.may_publish("other", "ben", 0.0)
    stages.connected(SHOW, "a", "anna", "pub_a")
    assert not stages.may_publish(SHOW, "ben", 1e9)


def test_the_newer_publication_replaces_the_older_only_once_it_is_connected() -> None:
    stages = Stages()
    assert publishing(stages, "anna", "a") is None
    assert stages.begin(SHOW, "anna", "b") is None
    stage = stages.find(SHOW)
    assert stage is not None
    assert (stage.current, stage.publication) == ("a", "pub_a")
    assert stages.connected(SHOW, "b", "anna", "pub_b") == "a"
    assert (stage.current, stage.publication) == ("b", "pub_b")


def test_a_newer_offer_makes_a_pending_one_obsolete() -> None:
    stages = Stages()
    stages.begin(SHOW, "anna", "a")
    assert stages.begin(SHOW, "anna", "b") == "a"


def test_a_lost_publisher_has_thirty_seconds_to_return() -> None:
    stages = Stages()
    publishing(stages, "anna")
    stages.gone(SHOW, "a", 100.0, on_purpose=False)
    assert not stages.may_publish(SHOW, "ben", 100.0 + PUBLISHER_RETURN_S - 0.1)
    assert stages.may_publish(SHOW, "anna", 100.0)
    assert stages.may_publish(SHOW, "ben", 100.0 + PUBLISHER_RETURN_S)


def test_ending_on_purpose_frees_the_show_at_once() -> None:
    stages = Stages()
    publishing(stages, "anna")
    stages.gone(SHOW, "a", 100.0, on_purpose=True)
    assert stages.may_publish(SHOW, "ben", 100.0)


def test_the_replaced_resource_going_changes_nothing() -> None:
    stages = Stages()
    publishing(stages, "anna", "a")
    publishing(stages, "anna", "b")
    stages.gone(SHOW, "a", 100.0, on_purpose=True)
    assert not stages.may_publish(SHOW, "ben", 100.0)


def test_a_failed_attempt_leaves_the_running_publication() -> None:
    stages = Stages()
    publishing(stages, "anna", "a")
    stages.begin(SHOW, "anna", "b")
    stages.gone(SHOW, "b", 100.0, on_purpose=False)
    stage = stages.find(SHOW)
    assert stage is not None
    assert (stage.current, stage.pending) == ("a", None)
    assert not stages.may_publish(SHOW, "ben", 1e9)


def test_a_stage_that_nobody_holds_is_forgotten() -> None:
    stages = Stages()
    publishing(stages, "anna")
    stages.gone(SHOW, "a", 100.0, on_purpose=False)
    assert stages.live(100.0 + PUBLISHER_RETURN_S - 1) == []
    assert stages.find(SHOW) is not None
    stages.live(100.0 + PUBLISHER_RETURN_S)
    assert stages.find(SHOW) is None
