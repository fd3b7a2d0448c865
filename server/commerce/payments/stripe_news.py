"""Stripe's webhooks: the signature is checked, each event taken once, the attempt that it names looked at.

Source: docs.stripe.com/webhooks (signatures; events may come late, twice, and in any order).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
import stripe

from server.ids import is_show_id
from server.store.outcome import Refused
from server.store.store import Store
from server.telemetry import counter

TOLERANCE_S: Final = 300
SEEN_S: Final = 2 * TOLERANCE_S  # after that a copy is too old by its own signature
EVENTS: Final = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.requires_action",
        "payment_intent.processing",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "checkout.session.completed",
        "checkout.session.expired",
    }
)
"""What may have changed an attempt. Not that it was made: then it is still ours to confirm."""
_SEEN: Final = "ls:stripe:event:"
_TAKEN: Final = counter("stripe_webhooks", "Webhooks of Stripe by what became of them", ["outcome"])


class _Event(msgspec.Struct):
    id: str
    type: str
    data: dict[str, Any]


class StripeNews:
    """Implements `News`. `on_news(show, order, attempt)` returns at once."""

    def __init__(self, store: Store, secret: str, on_news: Callable[[str, str, int], None]) -> None:
        self._store, self._secret, self._on_news = store, secret, on_news

    async def take(self, raw: bytes, signature: str | None) -> Refused | None:
        """See `News.take`."""
        refused = await self._take(raw, signature)
        _TAKEN.labels(outcome=refused.code if refused else "taken").inc()
        return refused

    async def _take(self, raw: bytes, signature: str | None) -> Refused | None:
        try:
            stripe.WebhookSignature.verify_header(raw, signature, self._secret, TOLERANCE_S)
            event = msgspec.json.decode(raw, type=_Event)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            return Refused("bad_signature")
        except msgspec.DecodeError:
            return Refused("bad_request")
        signed = next(part for part in (signature or "").split(",") if part.startswith("t="))
        key = _SEEN + event.id
        if not await self._store.redis.set(key, signed, nx=True, ex=SEEN_S):
            before = cast("bytes | None", await self._store.redis.get(key))
            # Stripe itself sends an event again when it missed our answer, under a new signature
            return Refused("webhook_replayed") if before == signed.encode() else None
        if event.type in EVENTS and (attempt := _attempt(event.data.get("object"))):
            self._on_news(*attempt)
        return None


def _attempt(thing: object) -> tuple[str, str, int] | None:
    """Show, order and number of the attempt that the event's object names, as we once put it there."""
    metadata = cast("Mapping[str, Any]", thing).get("metadata") if isinstance(thing, dict) else None
    if not isinstance(metadata, dict):
        return None
    named = cast("Mapping[str, Any]", metadata)
    show, key = str(named.get("show", "")), str(named.get("attempt", ""))
    order, _, number = key.rpartition(":")
    return (show, order, int(number)) if is_show_id(show) and order and number.isdecimal() else None
