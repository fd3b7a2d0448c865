"""Webhook endpoints of a show: where its log is told to (`server/hooks`)."""

from typing import Annotated, Final

import msgspec

from server.errors import Problem
from server.hooks.registry import HookName, HookSpec, HookView
from server.live.roles import Action
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("webhooks")

HOOKS: Final = "/api/v1/shows/{show}/webhooks"
HOOK: Final = HOOKS + "/{name}"


class HookList(msgspec.Struct, frozen=True):
    """The webhook endpoints that the caller may see: a seller its own, who runs the show all."""

    webhooks: list[HookView]


class ReplayCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/webhooks/{name}/replay`."""

    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]


@endpoints.get(HOOKS, answers={200: HookList}, problems=("unknown_show",))
async def list_webhooks(call: Call[None]) -> Answer:
    """List webhook endpoints, how far each was told, and what was given up."""
    return Answer(200, HookList(await _listed(call)))


@endpoints.command(
    "PUT",
    HOOK,
    body=HookSpec,
    answers={200: HookView, 201: HookView},
    problems=("unknown_show", "too_many_webhooks"),
)
async def put_webhook(call: Call[HookSpec]) -> Answer:
    """Register or change a webhook endpoint; its secret is in the answer when it is new."""
    everything = await call.services.may(call.principal, call.show, Action.RUN_SHOW)
    put = await call.services.hooks.put(
        call.show, call.principal, _name(call), call.body, everything=everything
    )
    if isinstance(put, Refused):
        raise problem_of(put)
    view, is_new = put
    return Answer(201 if is_new else 200, view)


@endpoints.command(
    "DELETE", HOOK, body=Nothing, answers={204: None}, problems=("unknown_show", "unknown_webhook")
)
async def delete_webhook(call: Call[Nothing]) -> Answer:
    """Take a webhook endpoint away."""
    if refused := await call.services.hooks.delete(call.show, call.principal, _name(call)):
        raise problem_of(refused)
    return Answer(204)


@endpoints.command(
    "POST",
    HOOK + "/replay",
    body=ReplayCommand,
    answers={200: HookView},
    problems=("unknown_show", "unknown_webhook"),
)
async def replay_webhook(call: Call[ReplayCommand]) -> Answer:
    """Send everything from a seq on to an endpoint, again."""
    name = _name(call)
    if refused := await call.services.hooks.replay(call.show, call.principal, name, call.body.from_seq):
        raise problem_of(refused)
    return Answer(200, next(view for view in await _listed(call) if view.name == name))


async def _listed(call: "Call[None] | Call[ReplayCommand]") -> list[HookView]:
    listed = await call.services.hooks.listed(call.show, call.principal)
    if isinstance(listed, Refused):
        raise problem_of(listed)
    return listed


def _name(call: "Call[HookSpec] | Call[Nothing] | Call[ReplayCommand]") -> str:
    try:
        return msgspec.convert(call.path["name"], HookName)
    except msgspec.ValidationError as error:
        raise Problem("bad_request", f"the name: {error}", {"field": "name"}) from None
