"""Tickets: a signed value that lets one WebSocket in, once, within a minute.

A browser cannot send a bearer token with a WebSocket, and a token in a URL ends up in logs; so the page
trades its token for a ticket, which is worthless after its use. The signature is checked without the store;
the single use is one `SET … NX`. Signed with a key derived from the token secret, so a ticket is never a
token nor the reverse.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

import msgspec

from server.live.limits import TICKET_CHARS_MAX
from server.live.viewers import Pass
from server.store.store import Store

TTL_S: Final = 60
_SIGNATURE_BYTES: Final = 16  # 128 bits: what guessing must cost for a value that lives a minute
_KEY_CONTEXT: Final = b"vendue websocket ticket v1"


class Issued(msgspec.Struct, frozen=True):
    """The answer to a ticket request."""

    ticket: str
    expires_at_ms: int


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a ticket carries. `origin` is the page's, None when the request had none."""

    holder: Pass
    origin: str | None
    exp_ms: int
    jti: str


class Tickets:
    """Issues and reads tickets; `redeem` makes a use final over all workers."""

    def __init__(self, store: Store, secret: str) -> None:
        self._store = store
        self._key = hmac.digest(secret.encode(), _KEY_CONTEXT, sha256)

    def issue(
        self,
        *,
        show: str,
        now_ms: int,
        pid: str | None = None,
        subject: str | None = None,
        role: str = "",
        name: str = "",
        token_jti: str = "",
        token_exp_s: int = 0,
        origin: str | None = None,
    ) -> Issued:
        """A ticket for one connection to `show`. Without a `pid` it is read-only.

        `role` is what the bearer's token grants on this show, 'guest' for a minted subject. Whether this
        person may have a ticket at all is the caller's decision.
        """
        holder = Pass(
            show=show,
            pid=pid or "",
            subject=subject,
            role=role,
            name=name,
            token_jti=token_jti,
            token_exp_s=token_exp_s,
        )
        expires_at_ms = now_ms + TTL_S * 1_000
        if token_exp_s:
            expires_at_ms = min(expires_at_ms, token_exp_s * 1_000)
        body = msgspec.json.encode(Claims(holder, origin, expires_at_ms, secrets.token_urlsafe(12)))
        return Issued(_text(body + self._sign(body)), expires_at_ms)

    def read(self, ticket: str, show: str, now_ms: int) -> Claims | None:
        """The claims of a ticket that we signed, for this show and not yet expired; None for anything
        else.
        """
        if len(ticket) > TICKET_CHARS_MAX:
            return None
        try:
            data = urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
            body, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._sign(body)):
                return None
            claims = msgspec.json.decode(body, type=Claims)
        except (ValueError, msgspec.DecodeError):
            return None
        return claims if claims.holder.show == show and now_ms < claims.exp_ms else None

    async def redeem(self, claims: Claims) -> bool:
        """Use a ticket up: True for its first use. Raises StoreError."""
        return (
            await self._store.writes.call("SET", f"ls:ticket:{claims.jti}", "1", "NX", "EX", TTL_S) == b"OK"
        )

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, sha256)[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
