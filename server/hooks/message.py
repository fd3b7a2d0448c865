"""What a webhook says, how it is signed, who may learn what, and when a failed one is tried again.

No I/O, no clock. Standard Webhooks 1.0.0: headers `webhook-id` (the same for every try), `webhook-timestamp`
(of the try, in seconds), `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over
`<id>.<timestamp>.<body>`); a secret is `whsec_` and base64 of 24 to 64 random bytes.
"""

import hmac
from base64 import b64decode, b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from server.log.entries import Entry

SECRET_START: Final = "whsec_"  # noqa: S105 - how every secret begins
URL_MAX: Final = 2048
REJECTED_TRIES: Final = 6  # 2 s, 8 s, 32 s, 2 min, 9 min between them: then this message is a dead letter
RETRY_FIRST_MS: Final = 2_000
RETRY_FACTOR: Final = 4
RETRY_MAX_MS: Final = 900_000
AGE_MAX_MS: Final = 72 * 3_600_000  # an endpoint may be away for a long weekend
AGAIN: Final = frozenset({408, 425, 429})  # of the 4xx, those that say: later
GONE: Final = 410

Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}\.([a-z_]{1,32}|\*)$")]


class Hook(msgspec.Struct, frozen=True):
    """An endpoint. `kinds` names the entries that it wants (`order.*`); none: all that it may have.

    `everything`: it may learn what staff does; else public entries and the orders of `seller` or the owner.
    """

    name: str
    url: str
    secret: str
    kinds: tuple[str, ...] = ()
    everything: bool = True
    seller: tuple[str, ...] = ()
    """Names under which its owner sells: pid and subject."""


def is_url(url: str, *, plain: bool) -> bool:
    """Whether one may send there: https without credentials in it (`plain`: http, too)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if plain else ("https",)
    named = parts.scheme in schemes and bool(parts.hostname) and port != 0
    return named and "@" not in parts.netloc and len(url) <= URL_MAX and url.isascii() and url.isprintable()


def wants(hook: Hook, entry: Entry, owner: str) -> bool:
    """Whether the endpoint is told of an entry. The maxima of bids are their bidders' secret."""
    group = entry.kind.partition(".")[0]
    if hook.kinds and not {entry.kind, f"{group}.*"} & set(hook.kinds):
        return False
    if "order" in entry.body:
        return hook.everything or entry.body["order"].get("seller") in (owner, *hook.seller)
    return entry.is_public or (entry.is_staff and hook.everything)


def message_id(show: str, entry: Entry) -> str:
    """The same for every try and every endpoint; another one for another entry in its place."""
    digest = blake2s(f"{show} ".encode() + entry.raw, digest_size=16, person=b"webhook")
    return "msg_" + urlsafe_b64encode(digest.digest()).decode().rstrip("=")


def body_of(show: str, entry: Entry) -> bytes:
    """The message's body."""
    data: dict[str, Any] = {
        "show": show,
        "seq": entry.seq,
        "ts": entry.ts,
        "at_ms": entry.at_ms,
        "actor": entry.actor,
        "subject": entry.subject,
        "body": entry.body,
    }
    at = datetime.fromtimestamp(entry.ts / 1000, UTC).isoformat(timespec="milliseconds")
    said = {"type": entry.kind, "timestamp": at.replace("+00:00", "Z"), "data": data}
    return msgspec.json.encode(said)


def headers_of(hook: Hook, message: str, body: bytes, now_s: int) -> dict[str, str]:
    """The headers of a try that is made now."""
    signed = f"{message}.{now_s}.".encode() + body
    signature = b64encode(
        hmac.digest(b64decode(hook.secret.removeprefix(SECRET_START)), signed, "sha256")
    ).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{signature}",
    }


def retry_in_ms(tries: int, jitter: float) -> int:
    """How long after try number `tries` (from 1) to wait; `jitter` in [0, 1) spreads it by a fifth."""
    plain = min(RETRY_FIRST_MS * RETRY_FACTOR ** min(tries - 1, 16), RETRY_MAX_MS)
    return int(plain * (0.8 + 0.4 * jitter))


def is_dead(status: int | None, tries: int, age_ms: int) -> bool:
    """Whether a message that failed `tries` times is given up.

    What the endpoint says no to (4xx) is this message's fault; when it does not answer or is in trouble
    (`status` None or other), its messages wait, for days.
    """
    if status is not None and 300 <= status < 500 and status not in AGAIN:
        return tries >= REJECTED_TRIES
    return age_ms > AGE_MAX_MS
