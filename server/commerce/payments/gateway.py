"""What the sale needs from whoever moves the money. One attempt to pay has one key, `<order>:<attempt>`.

The key is the gateway's idempotency key: charging twice under it charges once. That is what lets any process
finish what another one left behind. Time limits are the caller's: it stops waiting, asks again later, and
never guesses.
"""

from typing import Protocol

import msgspec


class Charge(msgspec.Struct, frozen=True):
    """What is to be charged under `key`, in minor units of `currency` (ISO 4217).

    `token` stands for a card.
    """

    key: str
    token: str
    amount_minor: int
    currency: str


class Approved(msgspec.Struct, frozen=True):
    """The money is taken. `reference` names the charge at the gateway."""

    reference: str


class Declined(msgspec.Struct, frozen=True):
    """No money was taken, and none ever will be under this key."""

    reason: str


class Pending(msgspec.Struct, frozen=True):
    """Not decided yet. `next_action` is what the buyer's page has to do (a URL of the bank), if anything."""

    next_action: str | None = None


Outcome = Approved | Declined | Pending


class GatewayUnknown(Exception):
    """The gateway gave no answer and nobody knows whether money moved; `conclude` has to find out."""


class Gateway(Protocol):
    """A payment service. Every method may raise GatewayUnknown, and may be called again with the same key."""

    async def charge(self, charge: Charge) -> Outcome:
        """Take the money, or join an attempt that runs under this key.

        ValueError when the key has another amount.
        """
        ...

    async def conclude(self, key: str) -> Outcome:
        """Return the outcome of an attempt.

        An attempt that never arrived is closed: it is Declined from now on.
        """
        ...

    async def refund(self, key: str, amount_minor: int) -> None:
        """Give back what was charged under `key`, once, however often it is asked."""
        ...
