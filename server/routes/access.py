"""Who is asking, and may it ask so often: bearer tokens and rate limits, the same on every route."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, Protocol

from server.errors import Problem
from server.live.limits import KeyedBuckets
from server.routes.headers import is_loopback
from server.settings_sections import Limits
from server.tokens import Principal, TokenError, read

ANONYMOUS: Final = Principal(subject="", pid="", role="", show=None, jti="", exp=0)
KNOWN_MAX: Final = 20_000  # ~0.5 KB each; twice the viewers that one worker is meant to hold
BUCKETS_MAX: Final = 50_000

Kind = Literal["requests", "orders", "guests", "tickets", "video"]


class Pids(Protocol):
    """Maps a subject to its pid."""

    async def find(self, subject: str) -> str | None:
        """Return the subject's pid, or None when it has none yet."""
        ...

    async def resolve(self, subject: str) -> str:
        """Return the subject's pid, made on first sight."""
        ...


class Ended(Protocol):
    """Knows which tokens are over before their time."""

    def is_revoked(self, jti_or_pid: str) -> bool:
        """Tell whether this token was taken back, or this pid erased."""
        ...

    def is_erased(self, subject: str, issued_s: int) -> bool:
        """Tell whether tokens of this subject issued then are over."""
        ...

    async def refresh(self) -> None:
        """Learn what other workers have ended."""
        ...


class Authenticator:
    """Turns an ``Authorization`` header into a principal.

    What was verified once is remembered by the header.
    """

    def __init__(self, secret: str, pids: Pids, ended: Ended, now_ms: Callable[[], int]) -> None:
        self._secret = secret
        self._pids = pids
        self._ended = ended
        self._is_revoked = ended.is_revoked
        self._now_ms = now_ms
        self._known: dict[str, Principal] = {}

    def recognise(self, authorization: str) -> Principal | None:
        """Return the principal of a header seen before, if it is still good.

        No await, for the purchase path.
        """
        principal = self._known.get(authorization)
        if principal is None or self._now_ms() >= principal.exp * 1000:
            return None
        if self._is_revoked(principal.jti) or self._is_revoked(principal.pid):
            return None
        return principal

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return who asks, ANONYMOUS without a header; raises Problem ``invalid_token`` or ``expired``."""
        if authorization is None:
            return ANONYMOUS
        known = self.recognise(authorization)
        if known is not None:
            return known
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Problem("invalid_token", "the Authorization header must be: Bearer <token>")
        claims = read(self._secret, token.strip(), self._now_ms())
        if isinstance(claims, TokenError):
            raise Problem(claims.value)
        pid = await self._pids.find(claims.subject)
        if pid is None:  # nobody may come back by a token that another worker has just ended
            await self._ended.refresh()
        if self._is_revoked(claims.jti) or self._is_revoked(pid or ""):
            raise Problem("invalid_token", "the token was revoked")
        if self._ended.is_erased(claims.subject, claims.issued_s):
            raise Problem("invalid_token", "its subject was erased")
        pid = pid or await self._pids.resolve(claims.subject)
        principal = Principal(claims.subject, pid, claims.role, claims.show, claims.jti, claims.exp)
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[authorization] = principal
        return principal


def check_scope(principal: Principal, show: str) -> None:
    """Refuse a token that was issued for another show."""
    if principal.show is not None and principal.show != show:
        raise Problem("forbidden", "the token is for another show")


class Gate:
    """The rate limits: what is above them is answered 429 with ``Retry-After`` before any work is done."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._exempt_loopback = limits.exempt_loopback
        self._by_address = KeyedBuckets(limits.requests_per_s, limits.requests_burst, BUCKETS_MAX)
        self._by_kind: dict[Kind, KeyedBuckets] = {
            "orders": KeyedBuckets(limits.orders_per_s, limits.orders_burst, BUCKETS_MAX),
            "guests": KeyedBuckets(limits.guests_per_s, limits.guests_burst, BUCKETS_MAX),
            "tickets": KeyedBuckets(limits.tickets_per_s, limits.tickets_burst, BUCKETS_MAX),
            "video": KeyedBuckets(limits.video_per_s, limits.video_burst, BUCKETS_MAX),
        }

    def admit_address(self, address: str) -> None:
        """Count a request of ``address`` (every kind); raises Problem ``rate_limited``."""
        if not self.exempts(address):
            self._take(self._by_address, address)

    def admit(self, kind: Kind, address: str, pid: str) -> None:
        """Count a request of a limited kind by its subject, or by its address when it has none."""
        if kind != "requests" and not self.exempts(address):
            self._take(self._by_kind[kind], pid or address)

    def exempts(self, address: str) -> bool:
        """Tell whether no limit applies to ``address``."""
        return self._exempt_loopback and _is_loopback(address)

    def _take(self, buckets: KeyedBuckets, key: str) -> None:
        wait_s = buckets.take(key, self._now())
        if wait_s > 0:
            raise Problem("rate_limited", retry_after_s=max(1, round(wait_s + 0.5)))


_is_loopback = lru_cache(maxsize=1024)(is_loopback)
