"""One endpoint as a value: what it takes, what it answers, who may ask. Routing and OpenAPI are made from it.

A handler decodes nothing and encodes nothing: it gets a `Call` and returns an `Answer`, or raises `Problem`.
What is the same everywhere happens here, once: rate limits, bearer, show id, body bound, content type,
unknown fields, idempotency key.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.errors import Problem
from server.ids import is_show_id
from server.routes.access import ANONYMOUS, Kind, check_scope
from server.routes.answers import Answer, respond
from server.routes.body import JSON_LIMIT, check_json_type, check_type, decode, read_body
from server.routes.headers import idempotency_key, parse_press
from server.routes.services import Services
from server.tokens import Principal

B = TypeVar("B")

Auth = Literal["bearer", "optional", "none"]
Key = Literal["required", "optional", "none"]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a command that has no parameters: absent or ``{}``."""


@dataclass(frozen=True, slots=True)
class Call(Generic[B]):
    """One request, checked and decoded."""

    services: Services
    request: Request
    principal: Principal
    path: Mapping[str, str]
    body: B
    key: str  # the idempotency key, '' when there is none
    address: str

    @property
    def show(self) -> str:
        """The show that the path names."""
        return self.path["show"]

    def press_ms(self) -> float | None:
        """Return when the command was pressed, in server time, if its page may say so."""
        press = parse_press(self.request.headers.get("vendue-press"))
        return (
            None
            if press is None
            else self.services.media.press_ms(self.show, self.principal.pid, press.wall_ms, press.publication)
        )


Handler = Callable[[Call[B]], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """See the module. ``answers`` maps a status to the type of its body (None: no body)."""

    method: str
    path: str
    summary: str
    handler: Callable[[Call[Any]], Awaitable[Answer | Response]]
    answers: Mapping[int, Any]
    problems: tuple[str, ...]
    auth: Auth
    tag: str
    scoped: bool = True  # a token for another show is refused
    body: type[Any] | None = None
    decoder: "msgspec.json.Decoder[Any] | None" = field(default=None, repr=False)
    key: Key = "none"
    kind: Kind = "requests"
    query: tuple[str, ...] = ()
    takes: str = "application/json"
    """The type of the body; any but JSON comes to the handler as its bytes."""
    limit: int = JSON_LIMIT

    async def run(self, services: Services, request: Request) -> Response:
        """Check and decode the request, call the handler, encode its answer. Raises Problem."""
        address = services.peers.address(
            cast("tuple[str, int] | None", request.scope.get("client")),
            request.headers.get("x-forwarded-for"),
        )
        services.gate.admit_address(address)
        path = cast("dict[str, str]", request.path_params)
        if not is_show_id(path.get("show", "x")):  # before it can become part of a key
            raise Problem("unknown_show")
        principal = await self._principal(services, request, path.get("show"))
        services.gate.admit(self.kind, address, principal.pid)
        key = ""
        if self.key != "none":
            key = idempotency_key(request.headers.get("idempotency-key"), required=self.key == "required")
        body = await self._body(request)
        answer = await self.handler(Call(services, request, principal, path, body, key, address))
        return respond(answer) if isinstance(answer, Answer) else answer

    async def _principal(self, services: Services, request: Request, show: str | None) -> Principal:
        if self.auth == "none":
            return ANONYMOUS
        principal = await services.authenticator.authenticate(request.headers.get("authorization"))
        if self.auth == "bearer" and principal is ANONYMOUS:
            raise Problem("token_required")
        if show is not None and self.scoped:
            check_scope(principal, show)
        return principal

    async def _body(self, request: Request) -> Any:
        if self.body is None:
            return None
        raw = await read_body(request.receive, request.headers.get("content-length"), self.limit)
        if self.decoder is None:
            check_type(request.headers.get("content-type"), self.takes)
            return raw
        if not raw and self.body is Nothing:
            return Nothing()
        check_json_type(request.headers.get("content-type"))
        return decode(self.decoder, raw)


class Endpoints:
    """A group of endpoints, filled by decorators when its module is imported."""

    def __init__(self, tag: str) -> None:
        self.tag: Final = tag
        self.all: Final[list[Endpoint]] = []

    def get(
        self,
        path: str,
        *,
        answers: Mapping[int, Any],
        problems: tuple[str, ...] = (),
        auth: Auth = "bearer",
        scoped: bool = True,
        query: tuple[str, ...] = (),
    ) -> Callable[[Handler[None]], Handler[None]]:
        """Register a handler that reads."""

        def register(handler: Handler[None]) -> Handler[None]:
            self.all.append(
                Endpoint(
                    method="GET",
                    path=path,
                    summary=_first_line(handler),
                    handler=handler,
                    answers=answers,
                    problems=problems,
                    auth=auth,
                    tag=self.tag,
                    scoped=scoped,
                    query=query,
                )
            )
            return handler

        return register

    def command(
        self,
        method: Literal["POST", "PUT", "DELETE"],
        path: str,
        *,
        body: type[B],
        answers: Mapping[int, Any],
        problems: tuple[str, ...] = (),
        auth: Auth = "bearer",
        key: Key | None = None,
        kind: Kind = "requests",
    ) -> Callable[[Handler[B]], Handler[B]]:
        """Register a handler that changes something.

        A POST takes an idempotency key unless told otherwise.
        """

        def register(handler: Handler[B]) -> Handler[B]:
            self.all.append(
                Endpoint(
                    method=method,
                    path=path,
                    summary=_first_line(handler),
                    handler=handler,
                    answers=answers,
                    problems=problems,
                    auth=auth,
                    tag=self.tag,
                    body=body,
                    decoder=msgspec.json.Decoder(body),
                    key=key or ("optional" if method == "POST" else "none"),
                    kind=kind,
                )
            )
            return handler

        return register

    def upload(
        self,
        path: str,
        *,
        takes: str,
        limit: int,
        answers: Mapping[int, Any],
        problems: tuple[str, ...] = (),
    ) -> Callable[[Handler[bytes]], Handler[bytes]]:
        """Register a handler of a POST whose body is a file of type `takes`, of `limit` bytes at most."""

        def register(handler: Handler[bytes]) -> Handler[bytes]:
            self.all.append(
                Endpoint(
                    method="POST",
                    path=path,
                    summary=_first_line(handler),
                    handler=handler,
                    answers=answers,
                    problems=problems,
                    auth="bearer",
                    tag=self.tag,
                    body=bytes,
                    key="optional",
                    takes=takes,
                    limit=limit,
                )
            )
            return handler

        return register

    def message(self, path: str, *, problems: tuple[str, ...]) -> Callable[[Handler[None]], Handler[None]]:
        """Register a handler of POSTs that reads and checks the raw body itself (a signature covers it)."""

        def register(handler: Handler[None]) -> Handler[None]:
            self.all.append(
                Endpoint(
                    method="POST",
                    path=path,
                    summary=_first_line(handler),
                    handler=handler,
                    answers={204: None},
                    problems=problems,
                    auth="none",
                    tag=self.tag,
                )
            )
            return handler

        return register


class PathApp:
    """All methods of one path as an ASGI application; any other method is 405 with a complete ``Allow``."""

    def __init__(self, services: Services, endpoints: list[Endpoint], *, also: tuple[str, ...] = ()) -> None:
        self._services = services
        self._by_method = {endpoint.method: endpoint for endpoint in endpoints}
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]
        self._allow = ", ".join(sorted({*self._by_method, *also}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._by_method.get(scope["method"])
        if endpoint is None:
            raise Problem("method_not_allowed", f"allowed: {self._allow}", headers={"Allow": self._allow})
        response = await endpoint.run(self._services, Request(scope, receive, send))
        await response(scope, receive, send)


def _first_line(handler: Callable[..., object]) -> str:
    return (handler.__doc__ or "").strip().split("\n")[0].rstrip(".")
