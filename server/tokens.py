"""Bearer tokens: JWT (RFC 7519) signed with HS256 (RFC 7518 §3.2).

A token proves a subject and grants one role on one show, or on all of them. Whether it was revoked, and what
else the show's own member list grants, is not decided here: both need the store.
"""

import secrets
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import jwt

from server.ids import is_show_id, is_subject

_ALGORITHM: Final = "HS256"
_MAX_TOKEN_CHARS: Final = 4096


class TokenError(Enum):
    """Why a token was refused; the value is the problem code that the client gets."""

    EXPIRED = "expired"
    INVALID = "invalid_token"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. ``exp`` and ``issued_s`` are seconds since 1970; 0: it does not say when."""

    subject: str
    role: str
    show: str | None
    exp: int
    jti: str
    issued_s: int = 0


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a token's claims and the subject's ``pid``, the identity that the log may know."""

    subject: str
    pid: str
    role: str
    show: str | None
    jti: str
    exp: int

    def role_on(self, show: str) -> str:
        """Return the role that the token grants on ``show``.

        Empty when the token is for another one; ``guest`` for a minted viewer, whose rights the show sets.
        """
        if self.show is not None and self.show != show:
            return ""
        return "guest" if self.is_guest else self.role

    @property
    def is_guest(self) -> bool:
        """Tell whether this is a minted viewer: nobody but its own pid."""
        return self.role == "viewer" and self.subject == self.pid


def issue(
    secret: str, *, subject: str, role: str, show: str | None, ttl_s: int, now_ms: int | None = None
) -> str:
    """Return a signed token for ``subject`` that is valid for ``ttl_s`` seconds from ``now_ms`` (None: now).

    Raises ValueError for a subject, show or lifetime that `read` would refuse.
    """
    if not is_subject(subject):
        raise ValueError("a subject is 1-255 characters without control characters")
    if show is not None and not is_show_id(show):
        raise ValueError("a show is 1-64 of A-Z a-z 0-9 _ -")
    if not role or ttl_s < 1:
        raise ValueError("a token needs a role and a lifetime of at least a second")
    claims: dict[str, Any] = {"sub": subject, "role": role}
    if show is not None:
        claims["show"] = show
    start_s = int(time.time()) if now_ms is None else now_ms // 1000
    claims["iat"] = start_s
    claims["exp"] = start_s + ttl_s
    claims["jti"] = secrets.token_urlsafe(12)
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def read(secret: str, token: str, now_ms: int) -> Claims | TokenError:
    """Check signature, shape and expiry of ``token`` and return its claims, or why it is refused."""
    if len(token) > _MAX_TOKEN_CHARS:
        return TokenError.INVALID
    try:
        raw = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            # The clock is an argument; a token without the claims below fails in _claims.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, ValueError):
        return TokenError.INVALID
    claims = _claims(raw)
    if claims is None:
        return TokenError.INVALID
    return TokenError.EXPIRED if now_ms >= claims.exp * 1000 else claims


def _claims(raw: dict[str, Any]) -> Claims | None:
    subject, role, show = raw.get("sub"), raw.get("role"), raw.get("show")
    exp, jti = raw.get("exp"), raw.get("jti")
    if not isinstance(subject, str) or not is_subject(subject) or not isinstance(role, str) or not role:
        return None
    if show is not None and (not isinstance(show, str) or not is_show_id(show)):
        return None
    if (
        isinstance(exp, bool)
        or not isinstance(exp, int)
        or not isinstance(jti, str)
        or not 1 <= len(jti) <= 64
    ):
        return None
    issued_s = raw.get("iat")
    return Claims(subject, role, show, exp, jti, issued_s if type(issued_s) is int else 0)
