"""Identifiers: how they are made and what shape they must have.

Every identifier that the server mints is random (128 bits) except an order's, which is derived from who asks
and with which idempotency key, so that the order record *is* the record of the request. Nothing here reads a
clock or the store.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2s

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PID = re.compile(r"p_[A-Za-z0-9_-]{22}")
KEY_MAX = 255
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


def new_id(prefix: str) -> str:
    """Return ``prefix_`` followed by 22 url-safe characters: 128 random bits."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"


def new_pid() -> str:
    """Return a new participant id: the only identity that the log, the chat and the media ever see."""
    return new_id("p")


def order_id(show: str, pid: str, key: str, secret: bytes | str) -> str:
    """Derive the order's id from the buyer's idempotency key: keyed BLAKE2s (RFC 7693), framed parts.

    The same three parts always give the same id, and nobody without ``secret`` can compute another buyer's.
    """
    digest = _keyed(secret).copy()
    digest.update(f"{len(show)}:{show}{len(pid)}:{pid}{len(key)}:{key}".encode())
    return "o_" + urlsafe_b64encode(digest.digest())[:22].decode()


@lru_cache(maxsize=4)
def _keyed(secret: bytes | str) -> "blake2s":
    """Key the hash once. BLAKE2s takes at most 32 bytes of key: a secret of any length is hashed first."""
    data = secret.encode() if isinstance(secret, str) else secret
    return blake2s(key=blake2s(data, person=b"orderkey").digest(), digest_size=17, person=b"order")


@lru_cache(maxsize=4096)  # every purchase names one of a few
def is_show_id(value: str) -> bool:
    """Tell whether ``value`` may name a show: 1-64 of ``A-Z a-z 0-9 _ -``."""
    return _NAME.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def is_sku(value: str) -> bool:
    """Tell whether ``value`` may name a product: 1-64 of ``A-Z a-z 0-9 _ -``."""
    return _NAME.fullmatch(value) is not None


def is_pid(value: str) -> bool:
    """Tell whether ``value`` has the shape of a participant id, which is then its own subject (guests)."""
    return _PID.fullmatch(value) is not None


def is_idempotency_key(value: str) -> bool:
    """Tell whether ``value`` may be an ``Idempotency-Key``: 1-255 visible ASCII characters."""
    return value.isascii() and value.isprintable() and " " not in value and 0 < len(value) <= KEY_MAX


def is_subject(value: str) -> bool:
    """Tell whether ``value`` may be a token's subject: 1-255 characters, none of them a control character."""
    return _SUBJECT.fullmatch(value) is not None
