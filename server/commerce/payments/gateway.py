"""What the sale needs from whoever moves the money. One attempt to pay has one key, `<order>:<attempt>`.

Money moves in two steps: `authorise` reserves it, and only when the log says that the order is paid does
`capture` take it; `void` lets it go. The key is the gateway's idempotency key: asking twice under it moves
money once. That is what lets any process finish what another one left behind. Time limits are the caller's:
it stops waiting, asks again later, and never guesses.
"""

from typing import Protocol

import msgspec


class Charge(msgspec.Struct, frozen=True):
    """What is to be charged under `key`, in minor units of `currency` (ISO 4217).

    `token` stands for a card; `show` is where the order was made and where the buyer's page is.
    """

    key: str
    token: str
    amount_minor: int
    currency: str
    show: str

    @property
    def order(self) -> str:
        """The order that is paid."""
        return self.key.rpartition(":")[0]


class Authorised(msgspec.Struct, frozen=True):
    """The money is reserved, or taken already. `reference` names the charge at the gateway."""

    reference: str


class Declined(msgspec.Struct, frozen=True):
    """No money is reserved or taken, and none ever will be under this key."""

    reason: str


class Pending(msgspec.Struct, frozen=True):
    """Not decided yet. `next_action` is what the buyer's page has to do (a URL of the bank), if anything."""

    next_action: str | None = None


Outcome = Authorised | Declined | Pending


class GatewayUnknown(Exception):
    """The gateway gave no answer and nobody knows whether money moved; `conclude` has to find out."""


class Gateway(Protocol):
    """A payment service. Every method may raise GatewayUnknown, and may be called again with the same key."""

    async def authorise(self, charge: Charge) -> Outcome:
        """Reserve the money, or join an attempt that runs under this key.

        ValueError when the key has another amount.
        """
        ...

    async def conclude(self, key: str, *, give_up: bool = False) -> Outcome:
        """Return the outcome of an attempt.

        An attempt that never arrived is closed: it is Declined from now on. `give_up` closes one that is not
        decided yet, too, because what it would buy is no longer kept for it.
        """
        ...

    async def capture(self, key: str) -> bool:
        """Take what is reserved under `key`, once.

        False: it is not reserved any more, and nothing was taken.
        """
        ...

    async def void(self, key: str) -> None:
        """Let go what is reserved under `key`; what was taken in spite of all goes back."""
        ...

    async def refund(self, key: str, refund: str, amount_minor: int) -> None:
        """Give back `amount_minor` of what was taken under `key`, once for each name `refund`.

        All of it, when it is only reserved, is let go.
        """
        ...

    async def close(self) -> None:
        """End its connections."""
        ...
