"""Who may do what: the one role × action table.

It makes the checks in Python (`permits`), the checks in every script (`role_table`, rendered to Lua by the
script loader), the table in the documentation (`table_markdown`) and the tests. Pure: no I/O, no clock.

A person's roles on a show are the union of the token's role (when the token is for this show or for all), the
roles that the show's members give, and `creator` for its owner. A guest (a minted subject) has no role but
`guest:<the show's guests setting>`.
"""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a token or a membership grants; the `guest:…` ones are derived, never granted."""

    CREATOR = "creator"
    PRODUCER = "producer"
    MODERATOR = "moderator"
    SELLER = "seller"
    VIEWER = "viewer"
    AUDITOR = "auditor"
    ADMIN = "admin"
    GUEST_WATCH = "guest:watch"
    GUEST_CHAT = "guest:chat"
    GUEST_BUY = "guest:buy"


class Action(StrEnum):
    """One thing that somebody may want to do to a show."""

    CREATE_SHOW = "create_show"
    RUN_SHOW = "run_show"
    PUBLISH = "publish"
    EDIT_PRODUCT = "edit_product"
    RESTOCK = "restock"
    PIN = "pin"
    FLASH = "flash"
    AUCTION = "auction"
    BUY = "buy"
    CHAT = "chat"
    REACT = "react"
    MODERATE_CHAT = "moderate_chat"
    BAN = "ban"
    PAUSE_SALES = "pause_sales"
    BLANK_VIDEO = "blank_video"
    SET_MEMBERS = "set_members"
    READ_STAFF = "read_staff"
    READ_AUDIT = "read_audit"
    READ_ORDERS = "read_orders"
    REFUND = "refund"
    WEBHOOKS = "webhooks"
    EXPORT = "export"
    REVOKE_TOKEN = "revoke_token"  # noqa: S105 - the name of an action
    ERASE_SUBJECT = "erase_subject"


GRANTABLE = frozenset(role for role in Role if not role.startswith("guest:"))
"""Roles that a token or a membership may carry."""

_HOSTS = frozenset({Role.CREATOR, Role.PRODUCER})
_STAFF = _HOSTS | {Role.MODERATOR, Role.ADMIN}
_SHOP = _HOSTS | {Role.SELLER, Role.ADMIN}
_PEOPLE = _STAFF | {Role.SELLER, Role.VIEWER}

ACTIONS: dict[Action, frozenset[Role]] = {
    Action.CREATE_SHOW: frozenset({Role.CREATOR, Role.ADMIN}),
    Action.RUN_SHOW: _HOSTS | {Role.ADMIN},
    Action.PUBLISH: _HOSTS,
    Action.EDIT_PRODUCT: _SHOP,
    Action.RESTOCK: _SHOP,
    Action.PIN: _SHOP,
    Action.FLASH: _HOSTS | {Role.ADMIN},
    Action.AUCTION: _HOSTS | {Role.ADMIN},
    Action.BUY: _PEOPLE | {Role.GUEST_BUY},
    Action.CHAT: _PEOPLE | {Role.GUEST_CHAT, Role.GUEST_BUY},
    Action.REACT: _PEOPLE | {Role.GUEST_WATCH, Role.GUEST_CHAT, Role.GUEST_BUY},
    Action.MODERATE_CHAT: _STAFF,
    Action.BAN: _STAFF,
    Action.PAUSE_SALES: _STAFF,
    Action.BLANK_VIDEO: _STAFF,
    Action.SET_MEMBERS: frozenset({Role.CREATOR, Role.ADMIN}),
    Action.READ_STAFF: _STAFF | {Role.SELLER, Role.AUDITOR},
    Action.READ_AUDIT: _STAFF | {Role.AUDITOR},
    Action.READ_ORDERS: frozenset({Role.CREATOR, Role.SELLER, Role.ADMIN}),
    Action.REFUND: frozenset({Role.CREATOR, Role.SELLER, Role.ADMIN}),
    Action.WEBHOOKS: frozenset({Role.CREATOR, Role.SELLER, Role.ADMIN}),
    Action.EXPORT: frozenset({Role.CREATOR, Role.AUDITOR, Role.ADMIN}),
    Action.REVOKE_TOKEN: frozenset({Role.ADMIN}),
    Action.ERASE_SUBJECT: frozenset({Role.ADMIN}),
}


def permits(action: Action, roles: Iterable[str]) -> bool:
    """True when any of `roles` (names; unknown ones count for nothing) may do `action`."""
    allowed = ACTIONS[action]
    return any(role in allowed for role in roles)


def roles_on(token_role: str, *, guests: str, is_owner: bool = False, members: str = "") -> frozenset[str]:
    """The roles of one person on one show.

    `token_role` is what the token grants on this show ('' none, 'guest' for a minted subject), `guests` the
    show's setting, `members` the comma-separated roles that its members table gives. Mirrors `authorise` of
    the prelude.
    """
    roles = {role for role in members.split(",") if role}
    if token_role == "guest":  # noqa: S105 - a role, not a secret
        roles.add(f"guest:{guests}")
    elif token_role:
        roles.add(token_role)
    if is_owner:
        roles.add(Role.CREATOR.value)
    return frozenset(roles)


def role_table() -> dict[str, frozenset[str]]:
    """The table as plain names, for the script loader (which must not import this package)."""
    return {action.value: frozenset(role.value for role in roles) for action, roles in ACTIONS.items()}


def table_markdown() -> str:
    """The table as Markdown, for the documentation."""
    head = "| action | " + " | ".join(role.value for role in Role) + " |"
    rule = "| --- " * (len(Role) + 1) + "|"
    rows = [
        f"| {action.value} | " + " | ".join("yes" if role in allowed else "" for role in Role) + " |"
        for action, allowed in ACTIONS.items()
    ]
    return "\n".join([head, rule, *rows]) + "\n"
