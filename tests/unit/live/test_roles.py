"""The role × action table and what makes a person's roles."""

import pytest

from server.live.roles import ACTIONS, GRANTABLE, Action, Role, permits, role_table, roles_on, table_markdown


def test_every_action_has_a_row_and_somebody_who_may() -> None:
    assert ACTIONS.keys() == set(Action)
    assert all(ACTIONS.values())


@pytest.mark.parametrize(
    ("action", "may"),
    [
        (Action.PUBLISH, {"creator", "producer"}),
        (Action.CREATE_SHOW, {"creator", "admin"}),
        (Action.SET_MEMBERS, {"creator", "admin"}),
        (Action.BAN, {"creator", "producer", "moderator", "admin"}),
        (Action.BUY, {"creator", "producer", "moderator", "seller", "viewer", "admin", "guest:buy"}),
        (Action.REVOKE_TOKEN, {"admin"}),
    ],
)
def test_rows_that_others_rely_on(action: Action, may: set[str]) -> None:
    assert {role.value for role in Role if permits(action, [role])} == may


@pytest.mark.parametrize(
    ("guests", "chats", "buys"), [("watch", False, False), ("chat", True, False), ("buy", True, True)]
)
def test_a_guest_may_what_the_show_lets_guests(guests: str, chats: bool, buys: bool) -> None:
    roles = roles_on("guest", guests=guests)
    assert permits(Action.CHAT, roles) is chats
    assert permits(Action.BUY, roles) is buys
    assert permits(Action.REACT, roles)
    assert not permits(Action.BAN, roles)


def test_roles_add_up() -> None:
    assert roles_on("viewer", guests="chat", members="moderator,seller") == {"viewer", "moderator", "seller"}
    assert roles_on("", guests="chat", is_owner=True) == {"creator"}
    assert roles_on("", guests="chat") == frozenset()
    assert not permits(Action.BUY, roles_on("", guests="buy"))
    assert not permits(Action.BUY, ["king"])


def test_guest_roles_cannot_be_granted() -> None:
    assert {role.value for role in GRANTABLE} == {
        "creator", "producer", "moderator", "seller", "viewer", "auditor", "admin",
    }  # fmt: skip


def test_the_documentation_has_a_line_for_every_action() -> None:
    lines = table_markdown().splitlines()
    assert len(lines) == len(Action) + 2
    assert role_table()["pin"] == {"creator", "producer", "seller", "admin"}
