"""What a gateway tells of its own accord (a webhook): that something has happened to an attempt to pay.

It is never believed about money: it only makes the reconciler ask the gateway now instead of a little later.
"""

from typing import Protocol

from server.store.outcome import Refused


class News(Protocol):
    """Takes the gateway's messages."""

    async def take(self, raw: bytes, signature: str | None) -> Refused | None:
        """Take one message; refusals bad_signature, webhook_replayed, bad_request. Raises StoreError."""
        ...
