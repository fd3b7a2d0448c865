"""Who a viewer is, and what a crowd needs of its connection."""

from functools import lru_cache
from typing import Final, Protocol

import msgspec

from server.live.lanes import Seat, Sink
from server.live.roles import Action, Role, permits, roles_on


class Pass(msgspec.Struct, frozen=True):
    """What a ticket said about its holder. `pid` and `token_jti` are '' for one who only watches.

    `role` is what the token grants on this show ('guest' for a minted subject); `token_exp_s` 0 means never.
    """

    show: str
    pid: str = ""
    subject: str | None = None
    role: str = ""
    name: str = ""
    token_jti: str = ""
    token_exp_s: int = 0


class Resume(msgspec.Struct, frozen=True):
    """Where a viewer was: it has every public entry of `epoch` up to `seq`; when not `whole`, only some of
    them.
    """

    epoch: str
    seq: int
    whole: bool = True


class Viewer(Protocol):
    """One connection, as a crowd sees it."""

    holder: Pass
    roles: frozenset[str]
    seat: Seat | None
    resume: Resume | None
    greeted: bool
    write_paused: bool
    closing: bool
    exempt: bool
    first_frame_reported: bool
    freezes_reported: int
    sink: Sink
    """What a seat writes to: the transport's own `write`. RuntimeError when it has just died."""

    def write(self, frames: bytes) -> None:
        """Hand bytes to the transport, or to nobody when it is gone. Never waits; may pause the viewer at
        once.
        """
        ...

    def close(self, code: int, reason: str) -> None:
        """Say why and end the connection."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


_BY_RANK: Final = (
    Role.CREATOR,
    Role.PRODUCER,
    Role.ADMIN,
    Role.MODERATOR,
    Role.SELLER,
    Role.AUDITOR,
    Role.VIEWER,
)


@lru_cache(maxsize=1024)
def shared_roles(role: str, guests: str, is_owner: bool, members: str) -> frozenset[str]:
    """As `roles_on`, the same object for all whose roles are the same: there are thousands of plain
    viewers.
    """
    return roles_on(role, guests=guests, is_owner=is_owner, members=members)


@lru_cache(maxsize=1024)
def is_staff(roles: frozenset[str]) -> bool:
    """May these roles see what staff sees: whole moderation entries, exact stock?"""
    return permits(Action.READ_STAFF, roles)


def chief_role(roles: frozenset[str]) -> str:
    """The one role that names a person; a guest is a viewer."""
    return next((role.value for role in _BY_RANK if role in roles), Role.VIEWER.value)


def display_name(pid: str, roles: frozenset[str]) -> str:
    """A name for one who brought none. It says nothing about the person; the pid tells two of them apart."""
    role = chief_role(roles)
    if role in (Role.CREATOR, Role.PRODUCER):
        return "Host"
    if role == Role.VIEWER:
        return "Guest " + "".join(c for c in pid[2:] if c.isalnum())[:4].upper()
    return role.capitalize()
