"""WHIP (RFC 9725) and WHEP: authenticates, finds the media worker, passes the session description through.

The worker that holds a resource is part of its URL (``/whep/{show}/{worker}.{random}``), so PATCH and DELETE
need no look-up. Media workers see only the participant's pid.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2s
from typing import Any, Final, Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from server.errors import PROBLEMS, Problem
from server.ids import is_show_id, new_pid
from server.live.roles import Action
from server.media_client import MediaAnswer, MediaUnavailable
from server.routes.access import ANONYMOUS, check_scope
from server.routes.answers import problem_of, respond_problem
from server.routes.body import JSON_LIMIT, SDP_LIMIT, read_body
from server.routes.cors import Cors
from server.routes.failures import problem_for
from server.routes.services import Services, permitted
from server.store.outcome import Refused
from server.tokens import Principal

SDP_TYPE: Final = "application/sdp"
JSON_TYPE: Final = "application/json"
TRICKLE_TYPE: Final = "application/trickle-ice-sdpfrag"
PASSED_BACK: Final = (
    "Location",
    "ETag",
    "Accept-Patch",
    "Link",
    "Content-Type",
    "Vendue-Publication",
    "Retry-After",
)
CODE_OF_STATUS: Final = {
    400: "bad_sdp",
    404: "unknown_resource",
    406: "no_common_codec",
    409: "already_publishing",
    412: "precondition_failed",
    415: "unsupported_media_type",
    428: "precondition_required",
    503: "full",
}
FULL_RETRY_AFTER_S: Final = 5
DOWN_RETRY_AFTER_S: Final = 2

Protocol = Literal["whip", "whep"]
_RESOURCE = re.compile(r"(\d{1,2})\.([A-Za-z0-9_-]{16,64})")


class _Video:
    """What the two kinds of address have in common.

    Dispatch, cross-origin headers, the way to a media worker.
    """

    methods = ""
    told: Mapping[str, str] = {}  # what OPTIONS says beside the methods

    def __init__(self, services: Services, protocol: Protocol) -> None:
        self._services, self._protocol = services, protocol
        self._is_whip = protocol == "whip"
        self._cors = Cors(services.settings.http.allowed_origins)
        self._handlers: dict[str, Callable[[Request], Awaitable[Response]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        origin = request.headers.get("origin")
        if request.method == "OPTIONS":
            headers = {"Allow": self.methods, **self.told, **self._cors.preflight(origin, self.methods)}
            response = Response(status_code=204, headers=headers)
        else:
            response = await self._handle(request)
            response.headers.update(self._cors.headers(origin))
        await response(scope, receive, send)

    async def _handle(self, request: Request) -> Response:
        """Answer everything here, refusals too.

        Without the cross-origin headers a page could not read them.
        """
        try:
            handler = self._handlers.get(request.method)
            if handler is None:
                raise Problem(
                    "method_not_allowed", f"allowed: {self.methods}", headers={"Allow": self.methods}
                )
            return await handler(request)
        except Exception as failure:  # noqa: BLE001 - the root of a request's task
            return respond_problem(problem_for(failure))

    def _admit(self, request: Request) -> str:
        """Count the request against its address, which is returned."""
        forwarded = request.headers.get("x-forwarded-for")
        client = cast("tuple[str, int] | None", request.scope.get("client"))
        address = self._services.peers.address(client, forwarded)
        self._services.gate.admit_address(address)
        return address

    async def _forward(
        self, worker: int, request: Request, path: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        """Pass a request on to a media worker and its answer back."""
        try:
            answer = await self._services.media.request(worker, request.method, path, headers, body)
        except MediaUnavailable:
            raise Problem("media_unavailable", retry_after_s=DOWN_RETRY_AFTER_S) from None
        return passed_back(answer)


class VideoEndpoint(_Video):
    """``/whip/{show}`` or ``/whep/{show}``: POST an offer, get an answer."""

    methods = "OPTIONS, POST"
    told: Mapping[str, str] = {"Accept-Post": SDP_TYPE}

    def __init__(self, services: Services, protocol: Protocol) -> None:
        super().__init__(services, protocol)
        self._handlers = {"POST": self._post}

    async def _post(self, request: Request) -> Response:
        show = _show(request)
        services = self._services
        address = self._admit(request)
        principal = await services.authenticator.authenticate(request.headers.get("authorization"))
        services.gate.admit("video", address, principal.pid)
        if principal is ANONYMOUS and (self._is_whip or not services.settings.auth.allow_guests):
            raise Problem("token_required")
        check_scope(principal, show)
        by_membership = await self._authorise(principal, show)
        _check_type(request, SDP_TYPE)
        offer = await read_body(request.receive, request.headers.get("content-length"), SDP_LIMIT)
        pid = principal.pid or new_pid()
        worker = await self._worker(principal, show)
        headers = {
            "Content-Type": SDP_TYPE,
            "Vendue-Pid": pid,
            "Vendue-Publication-Ms": str(services.now_ms()),
        }
        if by_membership:
            headers["Vendue-Membership"] = "1"
        if not services.gate.exempts(address):
            headers["Vendue-Client"] = self._name_of(address)
        response = await self._forward(worker, request, f"/{self._protocol}/{show}", headers, offer)
        if principal.jti:
            services.media.remember_receiver(principal.jti, show, pid)
        return response

    def _name_of(self, address: str) -> str:
        """Return what a media worker counts an address under: it need not know any."""
        key = self._services.settings.auth.secret.encode()[:32]
        return blake2s(address.encode(), key=key, digest_size=16, person=b"viewsof").hexdigest()

    async def _authorise(self, principal: Principal, show: str) -> bool:
        """Return whether only its membership lets ``principal`` publish; raises Problem when nothing does."""
        standing = await self._services.standing(show, principal)
        if standing.banned:
            raise Problem("banned")
        if not self._is_whip:
            return False
        if not permitted(principal, show, standing, Action.PUBLISH):
            raise Problem("forbidden")
        return not permitted(principal, show, msgspec.structs.replace(standing, members=""), Action.PUBLISH)

    async def _worker(self, principal: Principal, show: str) -> int:
        """Return the worker to use: the show's home, which a publisher claims when there is none."""
        home = self._services.media.home(show) or 0
        if not self._is_whip:
            return home
        claimed = await self._services.shows.claim_home(show, principal, str(home))
        if isinstance(claimed, Refused):
            raise problem_of(claimed)
        return int(claimed.worker)


class VideoResource(_Video):
    """``/whip/{show}/{resource}`` or ``/whep/{show}/{resource}``.

    Trickle and ICE restart by PATCH, end by DELETE.
    """

    methods = "DELETE, OPTIONS, PATCH"
    told: Mapping[str, str] = {"Accept-Patch": TRICKLE_TYPE}

    def __init__(self, services: Services, protocol: Protocol) -> None:
        super().__init__(services, protocol)
        self._handlers = {"PATCH": self._patch, "DELETE": self._delete}

    async def _patch(self, request: Request) -> Response:
        await self._authorise(request)
        _check_type(request, TRICKLE_TYPE)
        fragment = await read_body(request.receive, request.headers.get("content-length"), SDP_LIMIT)
        return await self._pass(request, fragment)

    async def _delete(self, request: Request) -> Response:
        await self._authorise(request)
        return await self._pass(request, b"")

    async def _authorise(self, request: Request) -> None:
        """Check the bearer (RFC 9725 §4.2: a publisher sends it always).

        Beyond that the URL is the secret.
        """
        self._admit(request)
        show = _show(request)
        principal = await self._services.authenticator.authenticate(request.headers.get("authorization"))
        check_scope(principal, show)
        if self._is_whip:
            if principal is ANONYMOUS:
                raise Problem("token_required")
            await self._services.demand(principal, show, Action.PUBLISH)

    async def _pass(self, request: Request, body: bytes, part: str = "") -> Response:
        show, resource = _show(request), cast("str", request.path_params["resource"])
        match = _RESOURCE.fullmatch(resource)
        if match is None or int(match[1]) >= len(self._services.media.workers):
            raise Problem("unknown_resource")
        named = {name: request.headers.get(name) for name in ("Content-Type", "If-Match")}
        headers = {name: value for name, value in named.items() if value}
        return await self._forward(
            int(match[1]), request, f"/{self._protocol}/{show}/{resource}{part}", headers, body
        )


class LayerResource(VideoResource):
    """``/whep/{show}/{resource}/layer``: POST tells how large the picture is shown."""

    methods = "OPTIONS, POST"
    told: Mapping[str, str] = {"Accept-Post": JSON_TYPE}

    def __init__(self, services: Services, protocol: Protocol) -> None:
        super().__init__(services, protocol)
        self._handlers = {"POST": self._post}

    async def _post(self, request: Request) -> Response:
        await self._authorise(request)
        _check_type(request, JSON_TYPE)
        view = await read_body(request.receive, request.headers.get("content-length"), JSON_LIMIT)
        return await self._pass(request, view, "/layer")


def video_routes(services: Services) -> list[Route]:
    """Return the routes of WHIP and WHEP."""
    routes = [Route("/whep/{show}/{resource}/layer", LayerResource(services, "whep"))]
    for protocol in cast("tuple[Protocol, ...]", ("whip", "whep")):
        routes.append(Route(f"/{protocol}/{{show}}", VideoEndpoint(services, protocol)))
        routes.append(Route(f"/{protocol}/{{show}}/{{resource}}", VideoResource(services, protocol)))
    return routes


def passed_back(answer: MediaAnswer) -> Response:
    """Return a media worker's answer as ours: its success as it is, its refusal as our problem document."""
    if answer.status >= 400:
        raise media_problem(answer)
    headers = {name: answer.headers[name.lower()] for name in PASSED_BACK if name.lower() in answer.headers}
    return Response(answer.body, answer.status, {**headers, "Cache-Control": "no-store"})


def media_problem(answer: MediaAnswer) -> Problem:
    """Return the problem that a media worker's refusal stands for."""
    document: Mapping[str, Any] = {}
    with contextlib.suppress(msgspec.DecodeError):
        document = msgspec.json.decode(answer.body, type=dict[str, Any])
    code = document.get("code")
    if code not in PROBLEMS:
        code = CODE_OF_STATUS.get(answer.status, "media_unavailable")
    detail = document.get("detail")
    retry_after_s = None
    if PROBLEMS[code].status == 503:
        given = answer.headers.get("retry-after", "")
        retry_after_s = int(given) if given.isdecimal() else FULL_RETRY_AFTER_S
    return Problem(code, detail if isinstance(detail, str) else None, retry_after_s=retry_after_s)


def _show(request: Request) -> str:
    show = cast("str", request.path_params["show"])
    if not is_show_id(show):
        raise Problem("unknown_show")
    return show


def _check_type(request: Request, wanted: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        raise Problem("unsupported_media_type", f"the body must be {wanted}")
