"""The purchase path: ``POST /api/v1/shows/{show}/orders`` in front of everything else.

A flash sale is this one request, tens of thousands of times. So it is a bare ASGI application without routing
table, request object or response object: one look at the path, one pass over the headers, a bearer known from
before, one decode, one script, and the order's bytes go out as the script wrote them.
"""

from typing import Annotated, Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.commerce.money import PRICE_MAX_MINOR, QUANTITY_MAX
from server.errors import Problem
from server.ids import is_show_id
from server.routes.access import ANONYMOUS, check_scope
from server.routes.answers import problem_of
from server.routes.body import JSON_LIMIT, check_json_type, decode, read_body
from server.routes.failures import answer_failure
from server.routes.headers import idempotency_key
from server.routes.services import Services
from server.store.outcome import Refused
from server.telemetry import counter

PREFIX: Final = "/api/v1/shows/"
SUFFIX: Final = "/orders"
HEADERS: Final = frozenset(
    {b"authorization", b"idempotency-key", b"content-type", b"content-length", b"x-forwarded-for"}
)

ORDERS = counter("orders_answered", "Answers to POST orders by status", ["status"])


class OrderCommand(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Body of `POST …/orders`: ``price_minor`` is the unit price that the buyer saw."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
    price_minor: Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX_MINOR)]


class OrderIntake:
    """Takes the purchases and hands every other request on to ``rest``."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._rest = rest
        self._services = services
        self._ledger, self._gate = services.ledger, services.gate
        self._authenticator, self._peers = services.authenticator, services.peers
        self._decoder = msgspec.json.Decoder(OrderCommand)
        self._counts = {status: ORDERS.labels(status=str(status)) for status in (200, 201, 409)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.endswith(SUFFIX) and path.startswith(PREFIX):
                show = path[len(PREFIX) : -len(SUFFIX)]
                if "/" not in show:
                    await self._take(show, scope, receive, send)
                    return
        await self._rest(scope, receive, send)

    async def _take(self, show: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await self._order(show, scope, receive)
        except Exception as failure:  # noqa: BLE001 - the root of a request's task: everything gets an answer
            status = await answer_failure(failure, scope, receive, send)
        else:
            await send(_start(status, body))
            await send({"type": "http.response.body", "body": body})
        count = self._counts.get(status)
        (count or ORDERS.labels(status=str(status))).inc()

    async def _order(self, show: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """Return status and body; raises Problem and whatever a failing store raises."""
        given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in HEADERS}
        address = self._peers.address(scope["client"], given.get(b"x-forwarded-for"))
        self._gate.admit_address(address)
        bearer = given.get(b"authorization", "")
        principal = self._authenticator.recognise(bearer) or await self._authenticator.authenticate(
            bearer or None
        )
        if principal is ANONYMOUS:
            raise Problem("token_required")
        if not is_show_id(show):
            raise Problem("unknown_show")
        check_scope(principal, show)
        self._gate.admit("orders", address, principal.pid)
        raw = await read_body(receive, given.get(b"content-length"), JSON_LIMIT)
        if given.get(b"content-type") != "application/json":
            check_json_type(given.get(b"content-type"))
        key = idempotency_key(given.get(b"idempotency-key"), required=True)
        command = decode(self._decoder, raw)
        placed = await self._ledger.hold(
            show, principal, command.sku, command.quantity, command.price_minor, idempotency_key=key
        )
        if isinstance(placed, Refused):
            raise problem_of(placed)
        return (201 if placed.is_new else 200), placed.order.json


def _start(status: int, body: bytes) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ],
    }
