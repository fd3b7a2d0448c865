"""Taking a purchase: from headers and body to the bytes of an answer, with as little as can be in between.

A flash sale is this one request, tens of thousands of times, and most answers are refusals. So there is no
request object, no response object and no exception on the way of a purchase that is taken or refused by the
sale. Two callers: `http_protocol` (the usual way, without ASGI) and `order_intake` (ASGI, for what comes in
an unusual form).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec

from server.commerce.bag import LINES_MAX, Wanted
from server.commerce.money import PRICE_MAX_MINOR, QUANTITY_MAX
from server.errors import PROBLEM_TYPE, Problem
from server.ids import is_show_id
from server.routes.access import ANONYMOUS, check_scope
from server.routes.answers import ENCODER, problem_headers, problem_of
from server.routes.body import check_json_type, decode
from server.routes.failures import problem_for
from server.routes.headers import idempotency_key
from server.routes.services import Services
from server.store.outcome import Refused
from server.telemetry import tally
from server.tokens import Principal

PREFIX: Final = "/api/v1/shows/"
SUFFIX: Final = "/orders"

ANSWERS = tally("orders_answered", "Answers to POST orders by status", "status")

Given = Mapping[bytes, str]
NO_STORE: Final = (b"cache-control", b"no-store")
_JSON: Final = b"application/json"
_PROBLEM: Final = PROBLEM_TYPE.encode()

_STATUS: Final = {status: str(status) for status in range(100, 600)}

Code = Annotated[str, msgspec.Meta(max_length=64)]


class OrderCommand(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Body of `POST …/orders`: ``price_minor`` is the unit price that the buyer saw, before any coupon."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
    price_minor: Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX_MINOR)]
    coupon: Code = ""


class BagLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of a `BagCommand`; of the same sku twice the quantities add up."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
    price_minor: Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX_MINOR)]


class BagCommand(msgspec.Struct, forbid_unknown_fields=True):
    """The other body of `POST …/orders`: several products as one order, all of them or none."""

    lines: Annotated[list[BagLine], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    coupon: Code = ""


Headers = Iterable[tuple[bytes, bytes]]


class Reply(NamedTuple):
    """An answer as it goes out: nobody may store it; `more` are the headers that few answers have."""

    status: int
    content_type: bytes
    body: bytes
    more: Headers = ()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return all of them."""
        length = (b"content-length", b"%d" % len(self.body))
        return [(b"content-type", self.content_type), NO_STORE, length, *self.more]


def pick(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Return the headers by their name; the last of a name counts."""
    return {name: value.decode("latin-1") for name, value in headers}


class Purchases:
    """Takes purchases. One per worker."""

    def __init__(self, services: Services) -> None:
        self._ledger, self._gate, self._texts = services.ledger, services.gate, services.texts
        self._authenticator, self._peers = services.authenticator, services.peers
        self._decoder = msgspec.json.Decoder(OrderCommand)
        self._bag_decoder = msgspec.json.Decoder(BagCommand)

    async def admit(self, show: str, given: Given, client: tuple[str, int] | None) -> Principal:
        """Return who buys, before the body is looked at. Raises Problem, or StoreError for a new subject."""
        address = self._peers.address(client, given.get(b"x-forwarded-for"))
        self._gate.admit_address(address)
        bearer = given.get(b"authorization")
        if bearer is None:
            raise Problem("token_required")
        principal = self._authenticator.recognise(bearer) or await self._authenticator.authenticate(bearer)
        if principal is ANONYMOUS:
            raise Problem("token_required")
        if not is_show_id(show):
            raise Problem("unknown_show")
        check_scope(principal, show)
        self._gate.admit("orders", address, principal.pid)
        return principal

    async def hold(self, show: str, principal: Principal, given: Given, raw: bytes) -> Reply:
        """Ask the sale. Raises Problem for a malformed request, StoreError."""
        content_type = given.get(b"content-type")
        if content_type != "application/json":
            check_json_type(content_type)
        key = idempotency_key(given.get(b"idempotency-key"), required=True)
        lines, coupon = self._wanted(raw)
        placed = await self._ledger.hold(show, principal, lines, idempotency_key=key, coupon=coupon)
        if isinstance(placed, Refused):
            return self.refuse(problem_of(placed))
        if placed.is_new:
            return self._reply(201, _JSON, placed.order.json)
        return self._reply(200, _JSON, await self._texts.tell_order(placed.order.json))

    def _wanted(self, raw: bytes) -> tuple[list[Wanted], str]:
        if raw.find(b'"lines"') >= 0:  # `in` raises an exception inside, and takes four times as long
            bag = decode(self._bag_decoder, raw)
            return [Wanted(line.sku, line.quantity, line.price_minor) for line in bag.lines], bag.coupon
        command = decode(self._decoder, raw)
        return [Wanted(command.sku, command.quantity, command.price_minor)], command.coupon

    async def take(self, show: str, given: Given, client: tuple[str, int] | None, raw: bytes) -> Reply:
        """Do both, and answer every failure."""
        try:
            return await self.hold(show, await self.admit(show, given, client), given, raw)
        except Exception as failure:  # noqa: BLE001 - the root of a request: everything gets an answer
            return self.refuse(problem_for(failure))

    def refuse(self, problem: Problem) -> Reply:
        """Return the answer that ``problem`` is."""
        more = [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in problem_headers(problem).items()
        ]
        return self._reply(problem.status, _PROBLEM, ENCODER.encode(problem.body()), more)

    def _reply(self, status: int, content_type: bytes, body: bytes, more: Headers = ()) -> Reply:
        ANSWERS[_STATUS[status]] += 1
        return Reply(status, content_type, body, more)
