"""The ASGI application of a web worker: every address that it answers, and an answer to every failure."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import PROBLEMS, Problem
from server.live import asyncapi
from server.routes import (
    auctions,
    bags,
    catalog_files,
    coupons,
    draws,
    hooks,
    moderation,
    openapi,
    order_list,
    orders,
    people,
    prices,
    products,
    receipt,
    shows,
    waitlist,
    webhooks,
)
from server.routes.endpoint import Endpoint, PathApp
from server.routes.failures import answer_failure
from server.routes.health import Health
from server.routes.order_intake import OrderIntake
from server.routes.pages import Pages
from server.routes.purchases import Purchases
from server.routes.services import Services
from server.routes.video import video_routes
from server.telemetry import counter

ENDPOINTS: Final[list[Endpoint]] = [
    *shows.endpoints.all,
    *products.endpoints.all,
    *prices.endpoints.all,
    *catalog_files.endpoints.all,
    *bags.endpoints.all,
    *auctions.endpoints.all,
    *coupons.endpoints.all,
    *draws.endpoints.all,
    *waitlist.endpoints.all,
    *orders.endpoints.all,
    *order_list.endpoints.all,
    *receipt.endpoints.all,
    *moderation.endpoints.all,
    *people.endpoints.all,
    *webhooks.endpoints.all,
    *hooks.endpoints.all,
]

SEAL_KEY_PATH: Final = "/.well-known/vendue-seal-key"
PEM_TYPE: Final = "application/x-pem-file"
ANSWERS = counter("http_answers", "HTTP answers but those to POST orders", ["method", "status"])


class Get:
    """A handler that takes GET and HEAD only."""

    def __init__(self, handler: Callable[[Request], Awaitable[Response]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem("method_not_allowed", "allowed: GET, HEAD", headers={"Allow": "GET, HEAD"})
        response = await self._handler(Request(scope, receive, send))
        await response(scope, receive, send)


class Edge:
    """Routes a request, and turns whatever goes wrong into a problem document."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        self._router = Router(routes, redirect_slashes=False, default=_nothing_here)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._router(scope, receive, note)
        except Exception as failure:
            if status:  # the answer has begun: all that is left is to break it off
                raise
            status = await answer_failure(failure, scope, receive, send)
        ANSWERS.labels(method=scope["method"], status=str(status)).inc()


def application(services: Services, purchases: Purchases) -> ASGIApp:
    """Return the whole application of a web worker."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    texts: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/openapi.json": _json(lambda: openapi.document(ENDPOINTS, services.settings.http.public_url)),
        "/asyncapi.json": _json(asyncapi.document),
        "/problems/{code}": _explain,
        SEAL_KEY_PATH: _seal_key(services.seal_key_pem),
        **Health(services).handlers(),
        **Pages(services).handlers(),
    }
    routes: list[BaseRoute] = [
        *(
            Route(_route_path(path), PathApp(services, endpoints, also=_taken_before(path)))
            for path, endpoints in by_path.items()
        ),
        *video_routes(services),
        *(Route(path, Get(handler)) for path, handler in texts.items()),
    ]
    return OrderIntake(purchases, Edge(routes))


def _taken_before(path: str) -> tuple[str, ...]:
    """The methods of an address that never come to the router: purchases."""
    return ("POST",) if path == openapi.ORDERS_PATH else ()


def _route_path(path: str) -> str:
    """Let a subject have slashes, as one that is an address has."""
    return path.replace("{subject}", "{subject:path}")


def _json(document: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer with a document that is made when it is first asked for: no start waits for it."""
    made = functools.cache(document)

    async def answer(_request: Request) -> Response:
        return JSONResponse(made(), headers={"Access-Control-Allow-Origin": "*"})

    return answer


def _seal_key(pem: bytes) -> Callable[[Request], Awaitable[Response]]:
    """Answer with the public key that `vendue verify --key` takes (PEM, SubjectPublicKeyInfo)."""

    async def answer(_request: Request) -> Response:
        return Response(pem, media_type=PEM_TYPE, headers={"Access-Control-Allow-Origin": "*"})

    return answer


async def _explain(request: Request) -> Response:
    """Answer the `type` address of a problem document with what its code means (RFC 9457 §3.1.1)."""
    kind = PROBLEMS.get(request.path_params["code"])
    if kind is None:
        raise Problem("not_found")
    return PlainTextResponse(f"{kind.status} {request.path_params['code']}: {kind.title}\n")


async def _nothing_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Problem("not_found")
