"""Who may open a viewer WebSocket: path, Origin and ticket are judged before the upgrade is answered.

A refusal is a plain HTTP answer (403 for a bad or used ticket and for a foreign Origin), so that a page that
may not connect never sees a socket open. Nothing here speaks WebSocket.
"""

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request

from server.ids import is_show_id
from server.live.hub import Hub
from server.live.limits import QUERY_CHARS_MAX
from server.live.protocol import TICKET_PREFIX
from server.live.showing import Showing
from server.live.socket_cap import SocketCap
from server.live.tickets import Claims, Tickets
from server.live.viewers import Pass, Resume
from server.log import reader
from server.store.outcome import StoreError
from server.store.store import Store

PATH_PREFIX: Final = "/ws/"


class Denied(msgspec.Struct, frozen=True):
    """An HTTP answer instead of an upgrade."""

    status: int
    reason: str


class Wish(msgspec.Struct, frozen=True):
    """A request that may be granted once its ticket has been used up."""

    claims: Claims
    resume: Resume | None


class Admitted(msgspec.Struct, frozen=True):
    """Granted: the show, and the roles of the ticket's holder on it."""

    showing: Showing
    holder: Pass
    roles: frozenset[str]


class Door:
    """One per process.

    `is_revoked` tells whether the bearer token behind a ticket was taken back since; `cap` bounds
    connections.
    """

    def __init__(
        self,
        hub: Hub,
        tickets: Tickets,
        store: Store,
        *,
        allowed_origins: Iterable[str],
        now_ms: Callable[[], int],
        is_revoked: Callable[[str], bool],
        cap: SocketCap | None = None,
    ) -> None:
        self._hub = hub
        self._tickets = tickets
        self._store = store
        self._origins = frozenset(origin.rstrip("/").lower() for origin in allowed_origins if origin)
        self._now_ms = now_ms
        self._is_revoked = is_revoked
        self.cap = cap or SocketCap()

    def check(self, request: Request) -> Wish | Denied:
        """Judge what needs no store: path, Origin, the ticket's signature, show and expiry."""
        path, _, query = request.path.partition("?")
        show = path.removeprefix(PATH_PREFIX)
        if not path.startswith(PATH_PREFIX) or not is_show_id(show):
            return Denied(404, "no such address")
        try:
            origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
        except MultipleValuesError:
            return Denied(400, "a header is given twice")
        if origin is not None and not self._is_ours(origin, host):
            return Denied(403, "foreign origin")
        claims = self._tickets.read(_ticket(request), show, self._now_ms())
        if claims is None or (claims.origin is not None and origin is not None and claims.origin != origin):
            return Denied(403, "no valid ticket")
        return Wish(claims, _resume(query))

    async def admit(self, wish: Wish) -> Admitted | Denied:
        """Use the ticket up and find out who its holder is now. Never raises StoreError."""
        holder = wish.claims.holder
        try:
            if not await self._tickets.redeem(wish.claims):
                return Denied(403, "used ticket")
            showing = await self._hub.open(holder.show)
            if showing is None:
                return Denied(404, "no such show")
            # Asked after the show is followed: a ban from here on reaches us as an entry.
            standing = await reader.standing(self._store, holder.show, holder.pid) if holder.pid else None
        except (StoreError, TimeoutError):
            return Denied(503, "the store does not answer")
        if self._hub.draining:
            return Denied(503, "about to restart")
        if self._is_revoked(holder.token_jti) or self._is_revoked(holder.pid):
            return Denied(403, "token revoked")
        if standing is None:
            return Admitted(showing, holder, frozenset())
        if standing.banned:
            return Denied(403, "banned")
        return Admitted(showing, holder, showing.crowd.roles_of(holder, members=standing.members))

    def _is_ours(self, origin: str, host: str) -> bool:
        """Same origin (RFC 6454) as far as we can see it behind a proxy: same host, or one that the settings
        name.
        """
        return origin.lower() in self._origins or (
            bool(host) and urlsplit(origin.lower()).netloc == host.lower()
        )


def _ticket(request: Request) -> str:
    for header in request.headers.get_all("Sec-WebSocket-Protocol"):
        for item in header.split(","):
            if item.strip().startswith(TICKET_PREFIX):
                return item.strip().removeprefix(TICKET_PREFIX)
    return ""


def _resume(query: str) -> Resume | None:
    """Where the viewer says it was; nonsense counts as nothing."""
    if not query or len(query) > QUERY_CHARS_MAX:
        return None
    fields = parse_qs(query, max_num_fields=8)
    epoch, seq = fields.get("epoch", [""])[0], fields.get("seq", [""])[0]
    if not epoch or not seq.isascii() or not seq.isdigit() or len(seq) > 16:
        return None
    return Resume(epoch, int(seq))
