"""Shows: the directory, a show's snapshot, its life, its members, the health of its video."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from server.errors import Problem
from server.ids import is_subject
from server.live.roles import Action, permits
from server.live.shows import Change, Created, NewShow, ShowSummary
from server.log.state import ShowSnapshot
from server.media_client import MediaUnavailable
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("shows")

SHOWS: Final = "/api/v1/shows"
SHOW: Final = "/api/v1/shows/{show}"
MAX_MS: Final = 2**53 - 1


class NewShowCommand(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of `POST /shows`. Without `id` one is made up."""

    title: Annotated[str, Meta(min_length=1, max_length=280)]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    id: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    guests: Literal["watch", "chat", "buy"] = "chat"
    starts_at_ms: Annotated[int, Meta(ge=0, le=MAX_MS)] | None = None
    sellers: Annotated[tuple[str, ...], Meta(max_length=100)] = ()


class Members(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT …/members/{subject}`: exactly these roles from now on."""

    roles: Annotated[tuple[str, ...], Meta(max_length=10)]


class Directory(msgspec.Struct, frozen=True):
    """The newest shows, newest first."""

    shows: list[ShowSummary]


class Sequence(msgspec.Struct, frozen=True):
    """The log entry that a command made; 0 when there was nothing to change."""

    seq: int


class VideoHealth(msgspec.Struct, frozen=True):
    """How the show's video does. ``publisher`` is null while nobody publishes."""

    publisher: dict[str, Any] | None
    viewers: dict[str, Any]


@endpoints.command(
    "POST",
    SHOWS,
    body=NewShowCommand,
    answers={201: ShowSnapshot},
    problems=("forbidden", "show_exists", "idempotency_conflict"),
)
async def create_show(call: Call[NewShowCommand]) -> Answer:
    """Create a show, whose owner is the caller."""
    body, services = call.body, call.services
    if body.id is not None and call.principal.show not in (None, body.id):
        raise Problem("forbidden", "the token is for another show")
    if not all(is_subject(seller) for seller in body.sellers):
        raise Problem("bad_request", "sellers: 1-255 characters each", {"field": "sellers"})
    new = NewShow(
        title=body.title,
        currency=body.currency,
        id=body.id or "",
        guests=body.guests,
        starts_at_ms=body.starts_at_ms,
        test_mode=services.settings.payments.test_mode,
        sellers=tuple(await asyncio.gather(*(services.pids.resolve(seller) for seller in body.sellers))),
    )
    created = await services.shows.create(call.principal, new, idempotency_key=call.key)
    match created:
        case Refused():
            raise problem_of(created)
        case Created():
            snapshot = await services.snapshot(created.id, call.principal)
            return Answer(201, snapshot, {"Location": f"{SHOWS}/{created.id}"})


@endpoints.get(SHOWS, answers={200: Directory}, auth="none")
async def list_shows(call: Call[None]) -> Answer:
    """List the shows."""
    return Answer(200, Directory(await call.services.shows.directory()))


@endpoints.get(SHOW, answers={200: ShowSnapshot}, problems=("unknown_show",), auth="optional", scoped=False)
async def get_show(call: Call[None]) -> Answer:
    """Read a show as it is now."""
    return Answer(200, await call.services.snapshot(call.show, call.principal))


async def _change(call: Call[Nothing], change: Change) -> Answer:
    done = await call.services.shows.change(call.show, call.principal, change, idempotency_key=call.key)
    if isinstance(done, Refused):
        raise problem_of(done)
    if change == "end":
        await call.services.media.end_show(call.show)
    return Answer(200, await call.services.snapshot(call.show, call.principal))


_CHANGE_PROBLEMS: Final = ("unknown_show", "forbidden", "illegal_transition")


@endpoints.command(
    "POST", SHOW + "/start", body=Nothing, answers={200: ShowSnapshot}, problems=_CHANGE_PROBLEMS
)
async def start_show(call: Call[Nothing]) -> Answer:
    """Go live."""
    return await _change(call, "start")


@endpoints.command(
    "POST", SHOW + "/pause", body=Nothing, answers={200: ShowSnapshot}, problems=_CHANGE_PROBLEMS
)
async def pause_show(call: Call[Nothing]) -> Answer:
    """Pause: nobody buys and the sale clock stands still."""
    return await _change(call, "pause")


@endpoints.command(
    "POST", SHOW + "/resume", body=Nothing, answers={200: ShowSnapshot}, problems=_CHANGE_PROBLEMS
)
async def resume_show(call: Call[Nothing]) -> Answer:
    """Go on after a pause."""
    return await _change(call, "resume")


@endpoints.command(
    "POST", SHOW + "/end", body=Nothing, answers={200: ShowSnapshot}, problems=_CHANGE_PROBLEMS
)
async def end_show(call: Call[Nothing]) -> Answer:
    """End the show and its video for good."""
    return await _change(call, "end")


@endpoints.command(
    "PUT",
    SHOW + "/members/{subject}",
    body=Members,
    answers={200: Sequence},
    problems=("unknown_show", "forbidden", "limit_reached"),
)
async def set_member(call: Call[Members]) -> Answer:
    """Give a subject exactly these roles on the show."""
    done = await call.services.shows.set_member(call.show, call.principal, _subject(call), call.body.roles)
    if isinstance(done, Refused):
        raise problem_of(done)
    await _end_what_roles_allowed(call, call.body.roles)
    return Answer(200, Sequence(done.seq))


@endpoints.command(
    "DELETE",
    SHOW + "/members/{subject}",
    body=Nothing,
    answers={204: None},
    problems=("unknown_show", "forbidden"),
)
async def remove_member(call: Call[Nothing]) -> Answer:
    """Take all of a subject's roles on the show away."""
    done = await call.services.shows.remove_member(call.show, call.principal, _subject(call))
    if isinstance(done, Refused):
        raise problem_of(done)
    await _end_what_roles_allowed(call, ())
    return Answer(204)


async def _end_what_roles_allowed(call: Call[Any], roles: Iterable[str]) -> None:
    """A member who may publish no more stops publishing."""
    if not permits(Action.PUBLISH, roles):
        await call.services.media.end_membership(call.show, await call.services.pids.resolve(_subject(call)))


@endpoints.get(
    SHOW + "/health",
    answers={200: VideoHealth},
    problems=("unknown_show", "forbidden", "media_unavailable"),
)
async def video_health(call: Call[None]) -> Answer:
    """Read how the show's video does (staff)."""
    await call.services.demand(call.principal, call.show, Action.READ_STAFF)
    media = call.services.media
    home = media.home(call.show) or 0
    try:
        answer = await media.request(home, "GET", f"/shows/{call.show}/health", {}, b"")
    except MediaUnavailable:
        raise Problem("media_unavailable", retry_after_s=1) from None
    if answer.status != 200:
        raise Problem("media_unavailable", retry_after_s=1)
    health = msgspec.json.decode(answer.body, type=VideoHealth)
    health.viewers["freezes_per_min"] = call.services.hub.freezes_per_min(call.show)  # told by the pages
    return Answer(200, health)


def _subject(call: Call[Any]) -> str:
    subject = call.path["subject"]
    if not is_subject(subject):
        raise Problem("bad_request", "subject: 1-255 characters", {"field": "subject"})
    return subject
