"""The purchase path as a bare ASGI application in front of everything else.

The HTTP protocol takes a purchase that comes in the usual form by itself; here it is taken in any other that
HTTP allows (chunked, pipelined, ``Expect: 100-continue``), and under any other ASGI server.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from server.routes.body import JSON_LIMIT, read_body
from server.routes.failures import problem_for
from server.routes.purchases import PREFIX, SUFFIX, Purchases, Reply, pick


class OrderIntake:
    """Takes the purchases and hands every other request on to ``rest``."""

    def __init__(self, purchases: Purchases, rest: ASGIApp) -> None:
        self._purchases, self._rest = purchases, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        show = None
        if scope["type"] == "http" and scope["method"] == "POST":
            show = show_of(scope["path"])
        if show is None:
            await self._rest(scope, receive, send)
            return
        reply = await self._take(show, scope, receive)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers()})
        await send({"type": "http.response.body", "body": reply.body})

    async def _take(self, show: str, scope: Scope, receive: Receive) -> Reply:
        given = pick(scope["headers"])
        try:
            principal = await self._purchases.admit(show, given, scope["client"])
            raw = await read_body(receive, given.get(b"content-length"), JSON_LIMIT)
            return await self._purchases.hold(show, principal, given, raw)
        except Exception as failure:  # noqa: BLE001 - the root of a request's task: everything gets an answer
            return self._purchases.refuse(problem_for(failure))


def show_of(path: str) -> str | None:
    """Return the show that ``path`` buys in; None when it is not the address of orders."""
    if not path.endswith(SUFFIX) or not path.startswith(PREFIX):
        return None
    show = path[len(PREFIX) : -len(SUFFIX)]
    return None if "/" in show else show
