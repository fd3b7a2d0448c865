"""The reconciler finishes what a crash or a silent gateway left between the ledger and the gateway.

The sweeper hands over every attempt to pay that has no booked outcome after a while or whose money is not yet
where it belongs, and every refund whose money is not back yet. The gateway is asked how the attempt ended
(asking closes one that never arrived, or whose hold is lost), the answer is booked, and the money follows the
log. A gateway's webhook does the same at once. Everything here may happen twice, in two processes, without
harm: gateway and ledger both go by the attempt's key.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from server.commerce.checkout import GATEWAY_S, attempt_key, give_back, put_money_right
from server.commerce.ledger import Ledger, Swept
from server.commerce.orders import OrderState, RefundDue
from server.commerce.payments.gateway import Authorised, Gateway, GatewayUnknown, Pending
from server.store.outcome import StoreError
from server.telemetry import counter, get_logger, start_task

AT_ONCE: Final = 64  # questions to the gateway under way; what does not fit comes with the next sweep
AGAIN_S: Final = 2.0  # how long one attempt is left alone after it was asked about
_RECONCILED: Final = counter(
    "payments_reconciled", "Attempts and refunds finished after the fact", ["outcome"]
)


class Reconciler:
    """See the module. `take` is the sweeper's `on_unfinished`; `close` stops what runs."""

    def __init__(self, ledger: Ledger, gateway: Gateway, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._gateway, self._clock = ledger, gateway, clock
        self._running: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, float] = {}  # key → when; old ones are dropped in `take`

    def take(self, show: str, swept: Swept) -> None:
        """Start on what a sweep found unfinished; returns at once."""
        now = self._clock()
        self._asked = {key: at for key, at in self._asked.items() if now - at < AGAIN_S}
        for order, number, kept in swept.attempts:
            self._start(attempt_key(order, number), now, self._conclude, show, order, number, not kept)
        for order, paid_by, refunds in swept.refunds:
            due = RefundDue(OrderState(b""), paid_by, refunds)
            self._start(f"refund {order}", now, self._give_back, show, order, due)

    def on_news(self, show: str, order: str, number: int) -> None:
        """The gateway says that something has happened to an attempt: ask about it now."""
        key = attempt_key(order, number)
        self._asked.pop(key, None)
        self._start(key, self._clock(), self._conclude, show, order, number, False)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def close(self) -> None:
        """Stop; another reconciler will finish."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(
        self, key: str, now: float, work: Callable[..., Coroutine[Any, Any, None]], *args: object
    ) -> None:
        if key in self._asked or key in self._running or len(self._running) >= AT_ONCE:
            return
        self._asked[key] = now
        task = start_task(work(*args), f"reconcile {key}")
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _conclude(self, show: str, order: str, number: int, give_up: bool) -> None:
        key = attempt_key(order, number)
        try:
            outcome = await asyncio.wait_for(self._gateway.conclude(key, give_up=give_up), GATEWAY_S)
            if isinstance(outcome, Pending):
                await self._ledger.still_pending(show, order, number)
                return
            approved = isinstance(outcome, Authorised)
            settled = await self._ledger.settle(show, order, number, approved=approved)
            if approved:
                await put_money_right(self._ledger, self._gateway, show, order, number, settled=settled)
        except (GatewayUnknown, TimeoutError, StoreError) as error:
            get_logger(__name__).warning("not_reconciled", key=key, error=type(error).__name__)
            return
        _RECONCILED.labels(outcome=type(outcome).__name__.lower()).inc()

    async def _give_back(self, show: str, order: str, due: RefundDue) -> None:
        if await give_back(self._ledger, self._gateway, show, order, due) is not None:
            _RECONCILED.labels(outcome="refunded").inc()
