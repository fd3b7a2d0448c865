"""Identities: pseudonymous guests, tickets for the WebSocket, tokens taken back."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server import tokens
from server.errors import Problem
from server.ids import is_pid, is_subject, new_pid
from server.live.roles import Action, permits
from server.live.tickets import Issued
from server.routes.access import ANONYMOUS
from server.routes.answers import Answer
from server.routes.endpoint import Call, Endpoints, Nothing

endpoints: Final = Endpoints("people")


class Guest(msgspec.Struct, frozen=True):
    """A new pseudonymous viewer."""

    token: str
    subject: str
    expires_at_ms: int


class Revocation(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /tokens/revoke`."""

    jti: Annotated[str, Meta(min_length=1, max_length=64)]


@endpoints.command(
    "POST",
    "/api/v1/guests",
    body=Nothing,
    answers={201: Guest},
    problems=("guests_closed",),
    auth="none",
    kind="guests",
)
async def create_guest(call: Call[Nothing]) -> Answer:
    """Become a pseudonymous viewer."""
    auth, now_ms = call.services.settings.auth, call.services.now_ms()
    if not auth.allow_guests:
        raise Problem("guests_closed")
    pid = new_pid()
    token = tokens.issue(
        auth.secret, subject=pid, role="viewer", show=None, ttl_s=auth.guest_ttl_s, now_ms=now_ms
    )
    return Answer(201, Guest(token, pid, now_ms + auth.guest_ttl_s * 1000))


@endpoints.command(
    "POST",
    "/api/v1/shows/{show}/ticket",
    body=Nothing,
    answers={201: Issued},
    problems=("unknown_show", "banned", "token_required"),
    auth="optional",
    kind="tickets",
)
async def issue_ticket(call: Call[Nothing]) -> Answer:
    """Get a ticket for one WebSocket connection."""
    services, principal = call.services, call.principal
    if principal is ANONYMOUS and not services.settings.auth.allow_guests:
        raise Problem("token_required")
    if (await services.standing(call.show, principal)).banned:
        raise Problem("banned")
    issued = services.tickets.issue(
        show=call.show,
        now_ms=services.now_ms(),
        pid=principal.pid or None,
        subject=principal.subject or None,
        role=principal.role_on(call.show),
        token_jti=principal.jti,
        token_exp_s=principal.exp,
        origin=call.request.headers.get("origin"),
    )
    return Answer(201, issued)


@endpoints.command(
    "DELETE",
    "/api/v1/subjects/{subject}",
    body=Nothing,
    answers={204: None},
    problems=("forbidden",),
)
async def erase_subject(call: Call[Nothing]) -> Answer:
    """Erase a person: whose pid it was, what was written about it, and its tokens (an admin any, everybody
    itself).
    """
    principal, subject = call.principal, call.path["subject"]
    if not is_subject(subject):
        raise Problem("bad_request", "subject: 1-255 characters", {"field": "subject"})
    is_admin = principal.show is None and permits(Action.ERASE_SUBJECT, [principal.role])
    if not is_admin and subject != principal.subject:
        raise Problem("forbidden")
    erasure = call.services.erasure
    await (erasure.erase_pid(subject) if is_admin and is_pid(subject) else erasure.erase(subject))
    return Answer(204)


@endpoints.command(
    "POST",
    "/api/v1/tokens/revoke",
    body=Revocation,
    answers={204: None},
    problems=("forbidden",),
)
async def revoke_token(call: Call[Revocation]) -> Answer:
    """Take a token back (an admin any, everybody their own)."""
    principal, jti = call.principal, call.body.jti
    is_admin = principal.show is None and permits(Action.REVOKE_TOKEN, [principal.role])
    if not is_admin and jti != principal.jti:
        raise Problem("forbidden")
    await call.services.revocations.revoke(jti, call.services.now_ms())
    return Answer(204)
