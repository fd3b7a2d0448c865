"""The worker's HTTP service: WHIP and WHEP resources and the web worker's controls.

It listens where only the web workers reach it. They have authenticated the caller and say who it is in
`Vendue-Pid`; nothing is checked again here but what only this process can know.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from media.config import MediaConfig
from media.events import Events
from media.ice_servers import link_header
from media.transport.answer import NoCommonCodec
from media.transport.relay import Relay
from media.transport.resource import AlreadyPublishing, Created, Full, Resource
from media.transport.sdp import SdpError

MAX_SDP_BYTES = 1024 * 1024
MAX_BODY_BYTES = 64 * 1024
FULL_RETRY_AFTER_S = 5
MAX_VIEW_PX = 16_384
LAYER_EXTENSION = "urn:ietf:params:whep:ext:core:layer"

_KINDS = ("whip", "whep")
_SDP = "application/sdp"
_FRAGMENT = "application/trickle-ice-sdpfrag"
_encode = msgspec.json.Encoder().encode
_Body = TypeVar("_Body")


class Clock(msgspec.Struct, frozen=True):
    """Body of PUT /clock."""

    server_minus_monotonic_ms: float


class Video(msgspec.Struct, frozen=True):
    """Body of PUT /shows/{show}/video."""

    blanked: bool


Pixels = Annotated[int, msgspec.Meta(ge=1, le=MAX_VIEW_PX)]


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of POST /whep/{show}/{name}/layer: the box that the picture lies in; without a bound, any."""

    max_width: Pixels | None = None
    max_height: Pixels | None = None

    def box(self) -> tuple[float, float] | None:
        """Width and height, infinite where only the other is bound; None for the empty object."""
        if self.max_width is None and self.max_height is None:
            return None
        return self.max_width or math.inf, self.max_height or math.inf


class _RefusedError(Exception):
    """A refusal on its way to `_refuse`, which makes it problem+json (RFC 9457)."""

    def __init__(
        self, status: int, code: str, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, _RefusedError)  # noqa: S101 - registered for that class only
    body = {"type": "about:blank", "title": error.code, "status": error.status, "code": error.code}
    if error.detail:
        body["detail"] = error.detail
    return Response(_encode(body), error.status, error.headers, "application/problem+json")


async def _garbage(request: Request, error: Exception) -> Response:
    return await _refuse(request, _RefusedError(400, "bad_sdp", str(error)))


async def _body(request: Request, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            raise _RefusedError(413, "too_large")
        parts.append(part)
    return b"".join(parts)


async def _text(request: Request, media_type: str) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise _RefusedError(415, "unsupported_media_type", f"expected {media_type}")
    body = await _body(request, MAX_SDP_BYTES)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise SdpError("not UTF-8") from error


async def _json(request: Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await _body(request, MAX_BODY_BYTES), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _RefusedError(400, "bad_request", str(error)) from error


class Signalling:
    """The handlers; `app` is what a server runs."""

    def __init__(
        self, config: MediaConfig, relay: Relay, events: Events, status: Callable[[], dict[str, object]]
    ) -> None:
        self._relay = relay
        self._events = events
        self._status = status
        self._ice_servers = config.ice_servers
        routes = [
            Route("/whip/{show}", self._publish, methods=["POST"]),
            Route("/whep/{show}", self._subscribe, methods=["POST"]),
            *[Route(f"/{kind}/{{show}}/{{name}}", self._patch, methods=["PATCH"]) for kind in _KINDS],
            *[Route(f"/{kind}/{{show}}/{{name}}", self._delete, methods=["DELETE"]) for kind in _KINDS],
            Route("/whep/{show}/{name}/layer", self._choose_layer, methods=["POST"]),
            Route("/by-tag/{pid}", self._delete_tag, methods=["DELETE"]),
            Route("/shows/{show}", self._delete_show, methods=["DELETE"]),
            Route("/shows/{show}/members/{pid}", self._delete_member, methods=["DELETE"]),
            Route("/shows/{show}/video", self._video, methods=["PUT"]),
            Route("/shows/{show}/health", self._show_health, methods=["GET"]),
            Route("/clock", self._clock, methods=["PUT"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/events", self._follow, methods=["GET"]),
        ]
        handlers = {_RefusedError: _refuse, SdpError: _garbage}
        self.app = Starlette(routes=routes, exception_handlers=handlers)

    # --- WHIP and WHEP (RFC 9725) -------------------------------------------------------------------------

    async def _publish(self, request: Request) -> Response:
        sdp = await _text(request, _SDP)
        by_membership = "vendue-membership" in request.headers
        made = self._relay.publish(
            request.path_params["show"], _pid(request), sdp, by_membership=by_membership
        )
        return self._created("whip", made)

    async def _subscribe(self, request: Request) -> Response:
        sdp = await _text(request, _SDP)
        client = request.headers.get("vendue-client", "")
        made = self._relay.subscribe(request.path_params["show"], _pid(request), sdp, client=client)
        return self._created("whep", made)

    def _created(self, kind: str, made: Created | AlreadyPublishing | Full | NoCommonCodec) -> Response:
        match made:
            case AlreadyPublishing():
                raise _RefusedError(409, "already_publishing")
            case Full():
                raise _RefusedError(503, "full", headers={"Retry-After": str(FULL_RETRY_AFTER_S)})
            case NoCommonCodec():
                raise _RefusedError(406, "no_common_codec", "H264, VP8, VP9 or AV1 and Opus are relayed")
            case Created(resource, sdp):
                headers = {
                    "Location": f"/{kind}/{resource.show}/{resource.name}",
                    "ETag": resource.etag,
                    "Accept-Patch": _FRAGMENT,
                }
                if resource.publication:
                    headers["Vendue-Publication"] = resource.publication
                links = link_header(self._ice_servers, resource.pid, time.time())
                if kind == "whep":
                    layer = f'<{headers["Location"]}/layer>; rel="{LAYER_EXTENSION}"'
                    links = f"{links}, {layer}" if links else layer
                if links:
                    headers["Link"] = links
                return Response(sdp, 201, headers, _SDP)

    async def _patch(self, request: Request) -> Response:
        """Trickle needs the current ETag, a restart `*` (RFC 9725 §4.3). Candidates are of no use to us."""
        resource = self._find(request)
        wanted = request.headers.get("if-match")
        if wanted is None:
            raise _RefusedError(428, "precondition_required")
        fragment = await _text(request, _FRAGMENT)
        if wanted in ("*", '"*"'):
            restarted = self._relay.restart(resource, fragment)
            if restarted is None:
                raise _RefusedError(400, "bad_sdp", "a restart needs ice-ufrag and ice-pwd")
            return Response(restarted.fragment, 200, {"ETag": restarted.etag}, _FRAGMENT)
        if resource.etag not in [one.strip().removeprefix("W/") for one in wanted.split(",")]:
            raise _RefusedError(412, "precondition_failed")
        self._relay.trickle(fragment)
        return Response(status_code=204)

    async def _choose_layer(self, request: Request) -> Response:
        """How large the page shows the picture (WHEP's layer extension, with a size instead of a name)."""
        resource = self._find(request)
        self._relay.set_view(resource, (await _json(request, View)).box())
        return Response(status_code=200)

    async def _delete(self, request: Request) -> Response:
        self._relay.end(self._find(request))
        return Response(status_code=200)

    def _find(self, request: Request) -> Resource:
        resource = self._relay.resource(request.path_params["name"])
        if resource is None:
            raise _RefusedError(404, "unknown_resource")
        kind = "whip" if resource.publication else "whep"
        if request.url.path.removesuffix("/layer") != f"/{kind}/{resource.show}/{resource.name}":
            raise _RefusedError(404, "unknown_resource")
        return resource

    # --- controls -----------------------------------------------------------------------------------------

    async def _delete_tag(self, request: Request) -> Response:
        ended = self._relay.end_tag(request.path_params["pid"], request.query_params.get("show"))
        return _reply({"ended": ended})

    async def _delete_member(self, request: Request) -> Response:
        ended = self._relay.end_membership(request.path_params["pid"], request.path_params["show"])
        return _reply({"ended": ended})

    async def _delete_show(self, request: Request) -> Response:
        return _reply({"ended": self._relay.end_show(request.path_params["show"])})

    async def _video(self, request: Request) -> Response:
        video = await _json(request, Video)
        self._relay.set_blanked(request.path_params["show"], blanked=video.blanked)
        return Response(status_code=204)

    async def _clock(self, request: Request) -> Response:
        self._relay.set_clock((await _json(request, Clock)).server_minus_monotonic_ms)
        return Response(status_code=204)

    # --- questions ----------------------------------------------------------------------------------------

    async def _show_health(self, request: Request) -> Response:
        publication, health = self._relay.health(request.path_params["show"])
        body = msgspec.to_builtins(health)
        if body["publisher"] is not None:
            body["publisher"]["publication"] = publication
        return _reply(body)

    async def _health(self, _request: Request) -> Response:
        return _reply(self._status())

    async def _metrics(self, _request: Request) -> Response:
        lines: list[str] = []
        for kind, values in (("counter", self._relay.counters()), ("gauge", self._relay.gauges())):
            suffix = "_total" if kind == "counter" else ""
            for name, value in sorted(values.items()):
                metric = f"vendue_media_{name}{suffix}"
                lines += [f"# TYPE {metric} {kind}", f"{metric} {value}"]
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def _follow(self, _request: Request) -> Response:
        return StreamingResponse(self._events.follow(), media_type="application/x-ndjson")


def _pid(request: Request) -> str:
    pid = request.headers.get("vendue-pid", "")
    if not pid:
        raise _RefusedError(400, "bad_request", "Vendue-Pid is missing")
    return pid


def _reply(body: object) -> Response:
    return Response(_encode(body), media_type="application/json")
