"""Moderation commands and the audit."""

from typing import Final, cast

import msgspec

from server.errors import Problem
from server.live.moderation import AuditEntry, Ban, BlankVideo, Command, Moderated, ShowVideo
from server.live.roles import Action
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints
from server.store.outcome import Refused

endpoints: Final = Endpoints("moderation")

SHOW: Final = "/api/v1/shows/{show}"


class Audit(msgspec.Struct, frozen=True):
    """What staff did, oldest first."""

    entries: list[AuditEntry]


@endpoints.command(
    "POST",
    SHOW + "/moderation",
    body=cast("type[Command]", Command),
    answers={200: Moderated},
    problems=("unknown_show", "forbidden", "unknown_message"),
)
async def moderate(call: Call[Command]) -> Answer:
    """Moderate.

    Delete, timeout, ban, unban, slow_mode, chat_mode, pause or resume sales, blank or show video.
    """
    services, command = call.services, call.body
    done = await services.moderation.apply(call.show, call.principal, command, idempotency_key=call.key)
    if isinstance(done, Refused):
        raise problem_of(done)
    if isinstance(command, Ban):
        await services.media.end_subject(call.show, await services.pids.resolve(command.subject))
    elif isinstance(command, BlankVideo | ShowVideo):
        await services.media.blank(call.show, blanked=isinstance(command, BlankVideo))
    return Answer(200, done)


@endpoints.get(SHOW + "/audit", answers={200: Audit}, problems=("unknown_show", "forbidden"))
async def audit(call: Call[None]) -> Answer:
    """Read what staff did after the entry `since`."""
    since = call.request.query_params.get("since") or "0"
    if not since.isdecimal() or len(since) > 15:
        raise Problem("bad_request", "since: the seq of an entry", {"field": "since"})
    await call.services.demand(call.principal, call.show, Action.READ_AUDIT)
    return Answer(200, Audit(await call.services.moderation.audit(call.show, int(since))))
