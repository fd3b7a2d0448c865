"""The `test` gateway: a stand-in for the outside world that moves no money.

A real gateway remembers attempts on its own side, whatever happens to our processes; this one has its
`Records`: a reconciler in another process finds after a crash what the first one had begun. Tokens: `tok_ok`
is approved, `tok_declined` declined, `tok_slow` approved after 3 s, `tok_error` gives no answer and turns out
to be declined. Anything else is declined as unknown.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from server.commerce.payments.gateway import Authorised, Charge, Declined, GatewayUnknown, Outcome, Pending
from server.commerce.payments.records import Records

SLOW_MS: Final = 3000

_ABANDONED: Final = "never arrived"
_REASONS: Final = {"tok_declined": "card declined", "tok_error": "the bank gave no answer"}


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """The gateway's own record of one key.

    `declined` holds the reason; empty means approved from `ready_at_ms` on. `refunds`: minor units by name.
    """

    amount_minor: int
    currency: str
    ready_at_ms: int
    declined: str = ""
    captured: bool = False
    refunds: dict[str, int] = {}


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class SandboxGateway:
    """Implements `Gateway`.

    `records` is the outside world's memory, `now_ms` its clock (wall, milliseconds).
    """

    def __init__(self, records: Records, now_ms: Callable[[], int] = _wall_ms) -> None:
        self._records = records
        self._now_ms = now_ms

    async def authorise(self, charge: Charge) -> Outcome:
        """See `Gateway.authorise`; waits for a slow attempt."""
        attempt = await self._claim(charge.key, self._decide(charge))
        if attempt.declined == _ABANDONED:
            return Declined(_ABANDONED)
        if (attempt.amount_minor, attempt.currency) != (charge.amount_minor, charge.currency):
            raise ValueError(f"{charge.key} was charged with another amount")
        if charge.token == "tok_error":  # noqa: S105 - a documented test token
            raise GatewayUnknown(charge.key)
        if attempt.ready_at_ms > self._now_ms():
            await asyncio.sleep((attempt.ready_at_ms - self._now_ms()) / 1000)
            attempt = await self._known(charge.key)
        return self._outcome(charge.key, attempt)

    async def conclude(self, key: str, *, give_up: bool = False) -> Outcome:
        """See `Gateway.conclude`."""
        attempt = await self._claim(key, Attempt(0, "", 0, _ABANDONED))
        outcome = self._outcome(key, attempt)
        if give_up and isinstance(outcome, Pending):
            await self._keep(key, msgspec.structs.replace(attempt, declined=_ABANDONED))
            return Declined(_ABANDONED)
        return outcome

    async def capture(self, key: str) -> bool:
        """See `Gateway.capture`."""
        attempt = await self._known(key)
        if attempt.declined:
            return False
        if not attempt.captured:
            await self._keep(key, msgspec.structs.replace(attempt, captured=True))
        return True

    async def void(self, key: str) -> None:
        """See `Gateway.void`."""
        attempt = await self._known(key)
        if attempt.captured:
            await self.refund(key, "void", attempt.amount_minor)
        elif not attempt.declined:
            await self._keep(key, msgspec.structs.replace(attempt, declined="voided"))

    async def refund(self, key: str, refund: str, amount_minor: int) -> None:
        """See `Gateway.refund`; ValueError when less was charged under `key` than would go back."""
        attempt = await self._known(key)
        if attempt.declined or refund in attempt.refunds:
            return
        if not attempt.captured and amount_minor == attempt.amount_minor:
            await self.void(key)
            return
        if not attempt.captured:
            raise GatewayUnknown(key)
        if sum(attempt.refunds.values()) + amount_minor > attempt.amount_minor:
            raise ValueError(f"more than was taken would go back for {key}")
        refunds = {**attempt.refunds, refund: amount_minor}
        await self._keep(key, msgspec.structs.replace(attempt, refunds=refunds))

    async def close(self) -> None:
        """It has no connections."""

    def _decide(self, charge: Charge) -> Attempt:
        known = ("tok_ok", "tok_slow", *_REASONS)
        reason = _REASONS.get(charge.token, "") if charge.token in known else "unknown token"
        wait_ms = SLOW_MS if charge.token == "tok_slow" else 0  # noqa: S105 - a documented test token
        return Attempt(charge.amount_minor, charge.currency, self._now_ms() + wait_ms, reason)

    def _outcome(self, key: str, attempt: Attempt) -> Outcome:
        if attempt.declined:
            return Declined(attempt.declined)
        return Authorised(f"test_{key}") if self._now_ms() >= attempt.ready_at_ms else Pending()

    async def _claim(self, key: str, attempt: Attempt) -> Attempt:
        """Write `attempt` unless the key has one; return the one that stands."""
        if await self._records.put_first(key, msgspec.json.encode(attempt)):
            return attempt
        return await self._known(key)

    async def _known(self, key: str) -> Attempt:
        kept = await self._records.get(key)
        if kept is None:
            raise ValueError(f"nothing was charged under {key}")
        return msgspec.json.decode(kept, type=Attempt)

    async def _keep(self, key: str, attempt: Attempt) -> None:
        await self._records.put(key, msgspec.json.encode(attempt))
