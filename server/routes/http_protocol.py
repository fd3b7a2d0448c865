"""uvicorn's HTTP protocol with two things of our own: bounds on a request's arrival, and the short way of a
purchase.

A purchase in its usual form (a POST with a small Content-Length) does not become an ASGI request: no scope,
no event, no receive and send, and its answer leaves in one write instead of two. That halves what a purchase
costs beside the sale itself. Everything else, and a purchase in an unusual form, takes uvicorn's way.

This is the one place that knows uvicorn's inside; checked on uvicorn 0.34 to 0.54.
"""

import asyncio
from functools import lru_cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import PROBLEM_TYPE, Problem
from server.routes.answers import ENCODER
from server.routes.body import JSON_LIMIT
from server.routes.order_intake import show_of
from server.routes.purchases import NO_STORE, Given, Headers, Purchases, Reply, pick
from server.telemetry import counter

HEAD_LIMIT: Final = 32 * 1024  # a bearer is at most 4 KiB, a browser sends some 2 KiB beside it
ARRIVAL_S: Final = 30.0  # within which a whole request must be here: 1 MiB of SDP over a bad mobile line
KEEP_ALIVE_S: Final = 65  # longer than the usual proxy keeps its side open (60 s)

BROKEN_OFF = counter("http_broken_off", "Connections ended because what came was no request", ["code"])

_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


class _NoEvent:
    """Nobody waits for a purchase's body: it is all there before the purchase begins."""

    def set(self) -> None:
        """Do nothing."""


class _Purchase:
    """Stands where uvicorn's protocol keeps the request that it is answering."""

    __slots__ = (
        "body",
        "disconnected",
        "given",
        "keep_alive",
        "response_complete",
        "show",
        "task",
    )

    message_event = _NoEvent()

    def __init__(self, show: str, given: Given, *, keep_alive: bool) -> None:
        self.show, self.given, self.keep_alive = show, given, keep_alive
        self.task: Any = None
        self.body = bytearray()
        self.response_complete = self.disconnected = False


class WebProtocol(HttpToolsProtocol):
    """See the module. `purchases` is bound by `web_protocol_class`."""

    purchases: Purchases

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._arriving_since: float | None = self.loop.time()
        self._bought_at: float | None = None  # and nothing has come since
        self._in_head = False
        self._head_bytes = 0

    # Arrival

    def data_received(self, data: bytes) -> None:
        """Parse, and give up on a head that does not end."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
                self._break_off(Problem("head_too_large"))

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as every other refusal is answered."""
        self._break_off(Problem("bad_request", msg))

    def _break_off(self, problem: Problem) -> None:
        BROKEN_OFF.labels(code=problem.code).inc()
        reply = Reply(problem.status, PROBLEM_TYPE.encode(), ENCODER.encode(problem.body()))
        self.transport.write(_bytes(reply, self.server_state.default_headers, keep_alive=False))
        self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins to arrive. uvicorn prepares its scope here; a purchase needs none."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._arriving_since = self.loop.time()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Its head is here."""
        self._in_head = False
        self._bought_at = None  # not where it begins: that may be while the purchase before it is answered
        purchase = self._purchase()
        if purchase is None:
            self._go_uvicorns_way()
        else:
            self.cycle = purchase  # type: ignore[assignment]

    def _go_uvicorns_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)  # the scope has this very list
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._arriving_since = None
        cycle: Any = self.cycle
        if type(cycle) is not _Purchase:
            super().on_message_complete()
        elif not cycle.response_complete:
            task = cycle.task = self.loop.create_task(self._buy(cycle))
            self.tasks.add(task)  # a stop waits for it

    def end_if_overdue(self, now: float) -> None:
        """Break off a request that takes too long to arrive, for which uvicorn waits for ever, and close a
        connection that has long been silent after a purchase: a timer for each would cost 2 % of it.
        """
        if self._arriving_since is not None and now - self._arriving_since > ARRIVAL_S:
            self.transport.abort()
        elif self._bought_at is not None and now - self._bought_at > KEEP_ALIVE_S:
            self.transport.close()

    # Purchases

    def _purchase(self) -> _Purchase | None:
        """Return the purchase that this head begins, None when it has to go uvicorn's way."""
        parser: Any = self.parser  # None only when the connection is gone, and then nothing is parsed
        if not self.url.endswith(b"/orders") or parser.get_method() != b"POST":
            return None
        show = _show(self.url)
        current: Any = self.cycle  # None before the first request
        is_busy = current is not None and not current.response_complete
        if show is None or is_busy:
            return None
        given = pick(self.headers)
        if not _UNUSUAL.isdisjoint(given):
            return None
        length = given.get(b"content-length", "")
        if not length.isdecimal() or int(length) > JSON_LIMIT:
            return None
        keep_alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        return _Purchase(show, given, keep_alive=keep_alive)

    async def _buy(self, purchase: _Purchase) -> None:
        raw = bytes(purchase.body)
        reply = await self.purchases.take(purchase.show, purchase.given, self.client, raw)
        purchase.response_complete = True
        self.tasks.discard(purchase.task)
        if purchase.disconnected or self.transport.is_closing():
            return
        self.transport.write(_bytes(reply, self.server_state.default_headers, keep_alive=purchase.keep_alive))
        if not purchase.keep_alive:
            self.transport.close()
        elif self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._bought_at = self.loop.time()


def web_protocol_class(purchases: Purchases) -> type[asyncio.Protocol]:
    """Return the class for `uvicorn.Config(http=…)`."""
    return type("BoundWebProtocol", (WebProtocol,), {"purchases": purchases})


@lru_cache(maxsize=1024)  # every purchase names one of a few
def _show(url: bytes) -> str | None:
    """Return the show of an address of orders that is written plainly."""
    show = show_of(url.decode("latin-1"))
    return None if show is None or "%" in show else show


@lru_cache(maxsize=64)
def _head(status: int, content_type: bytes) -> bytes:
    """Return what all answers of a status and a type begin with."""
    return b"%scontent-type: %s\r\n%s: %s\r\n" % (STATUS_LINE[status], content_type, *NO_STORE)


def _bytes(reply: Reply, default_headers: Headers, *, keep_alive: bool) -> bytes:
    """Return a whole HTTP/1.1 answer."""
    parts = [_head(reply.status, reply.content_type)]
    for name, value in (*default_headers, *reply.more):
        parts += (name, b": ", value, b"\r\n")
    end = b"content-length: %d\r\n\r\n" if keep_alive else b"content-length: %d\r\nconnection: close\r\n\r\n"
    parts += (end % len(reply.body), reply.body)
    return b"".join(parts)
