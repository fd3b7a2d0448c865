"""Paying and giving back: the ledger and the gateway taken through one order, in the only safe sequence.

The ledger first records the attempt, then the gateway is asked to reserve the money under the attempt's key,
then the outcome is booked, and only what the log calls paid is taken. A crash between any two steps leaves an
attempt that the reconciler finds and finishes. An attempt goes on when the buyer's request goes away: it is a
task of this object, not of the request.
"""

import asyncio
from typing import Any, Final

from server.commerce.ledger import Ledger
from server.commerce.orders import (
    AlreadyPaid,
    Attempt,
    OrderState,
    Paid,
    Paying,
    PaymentDeclined,
    PaymentUnknown,
    RefundDue,
    Settled,
)
from server.commerce.payments.gateway import Authorised, Charge, Declined, Gateway, GatewayUnknown, Pending
from server.store.outcome import Refused, StoreError
from server.telemetry import counter, get_logger, start_task
from server.tokens import Principal

ANSWER_S: Final = 8.0  # how long a request waits for the outcome before it answers "paying"
GATEWAY_S: Final = 30.0  # how long an attempt waits for the gateway before the reconciler has it
RUNNING_MAX: Final = 1000  # attempts under way in one process
TOKEN_MAX_CHARS: Final = 255

_OUTCOMES: Final = counter("payments", "Attempts to pay by how they ended", ["outcome"])
PayAnswer = Paid | Paying | PaymentDeclined | PaymentUnknown | Refused


class Checkout:
    """See the module. `close` waits for nothing: what still runs is finished by a reconciler."""

    def __init__(self, ledger: Ledger, gateway: Gateway) -> None:
        self._ledger, self._gateway = ledger, gateway
        self._running: dict[str, asyncio.Task[PayAnswer | None]] = {}
        self._settling: set[asyncio.Task[bool | None]] = set()

    async def pay(self, show: str, principal: Principal, order: str, payment_token: str) -> PayAnswer:
        """Pay an order.

        Refusals: those of `Ledger.begin_payment`; hold_expired also when the money came too late (it goes
        back). Raises StoreError.
        """
        if not 1 <= len(payment_token) <= TOKEN_MAX_CHARS:
            return Refused("bad_request", {"field": "payment_token"})
        if len(self._running) >= RUNNING_MAX:
            return Refused("rate_limited", {"retry_after_s": 1})
        begun = await self._ledger.begin_payment(show, principal, order, payment_token)
        match begun:
            case Refused():
                return begun
            case AlreadyPaid():
                return Paid(begun.order)
            case Attempt():
                return await self._follow(show, order, begun, payment_token)

    async def give_back(self, show: str, order: str, due: RefundDue | Refused) -> OrderState | Refused:
        """Return the money of a refund that the ledger has just made due, and answer how the order stands.

        While the gateway is silent its money stays due. Raises StoreError.
        """
        if isinstance(due, Refused):
            return due
        done = await give_back(self._ledger, self._gateway, show, order, due)
        return due.order if done is None else done

    @property
    def is_busy(self) -> bool:
        """Whether money of payments that are booked is still to be put right."""
        return bool(self._settling)

    async def close(self) -> None:
        """Stop following attempts; the gateway's connections end."""
        tasks: list[asyncio.Task[Any]] = [*self._running.values(), *self._settling]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._gateway.close()

    async def _follow(self, show: str, order: str, attempt: Attempt, payment_token: str) -> PayAnswer:
        key = attempt_key(order, attempt.number)
        task = self._running.get(key)
        if task is None:
            charge = Charge(key, payment_token, attempt.amount_minor, attempt.currency, show)
            task = start_task(self._carry_out(show, order, attempt, charge), f"payment {key}")
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
        if not done:
            return Paying(attempt.order, None)
        answer = None if task.cancelled() else task.result()
        return PaymentUnknown(attempt.order) if answer is None else answer

    async def _carry_out(self, show: str, order: str, attempt: Attempt, charge: Charge) -> PayAnswer:
        answer = await self._charge(show, order, attempt, charge)
        _OUTCOMES.labels(outcome=type(answer).__name__.lower()).inc()
        return answer

    async def _charge(self, show: str, order: str, attempt: Attempt, charge: Charge) -> PayAnswer:
        try:
            if attempt.amount_minor == 0:  # won in a giveaway: no gateway has anything to do with it
                return _answer(await self._ledger.settle(show, order, attempt.number, approved=True), "")
            outcome = await asyncio.wait_for(self._gateway.authorise(charge), GATEWAY_S)
            match outcome:
                case Pending(next_action):
                    return Paying(attempt.order, next_action)
                case Authorised():
                    settled = await self._ledger.settle(show, order, attempt.number, approved=True)
                    self._finish(show, order, attempt.number, settled)
                    return _answer(settled, "")
                case Declined(reason):
                    return _answer(
                        await self._ledger.settle(show, order, attempt.number, approved=False), reason
                    )
        except (GatewayUnknown, TimeoutError, StoreError) as error:
            get_logger(__name__).warning("payment_unknown", order=order, error=type(error).__name__)
            return PaymentUnknown(attempt.order)

    def _finish(self, show: str, order: str, number: int, settled: Settled | Refused) -> None:
        """The buyer's answer does not wait for the money to move."""
        work = put_money_right(self._ledger, self._gateway, show, order, number, settled=settled)
        task = start_task(work, f"money {attempt_key(order, number)}")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)


def attempt_key(order: str, number: int) -> str:
    """The gateway's idempotency key of one attempt."""
    return f"{order}:{number}"


async def put_money_right(
    ledger: Ledger, gateway: Gateway, show: str, order: str, number: int, *, settled: Settled | Refused
) -> bool | None:
    """Take what an attempt reserved when it has paid the order, else let it go, and book that.

    None while the gateway or the store is silent: the attempt stays the reconciler's.
    """
    key = attempt_key(order, number)
    try:
        async with asyncio.timeout(GATEWAY_S):
            match settled:
                case Settled(state="paid", paid_by=paid_by) if paid_by == number:
                    if not await gateway.capture(key):
                        get_logger(__name__).error("payment_lost", key=key)
                        await ledger.settle(show, order, number, approved=False)
                        return False
                case Settled(state="surplus") | Refused():
                    get_logger(__name__).error("surplus_charge", key=key)
                    await gateway.void(key)
                case Settled(state="refund_due"):
                    due = RefundDue(settled.order, settled.paid_by, settled.refunds)
                    return None if await give_back(ledger, gateway, show, order, due) is None else True
                case Settled():
                    return True
            await ledger.money_settled(show, order, number)
            return True
    except (GatewayUnknown, TimeoutError, StoreError) as error:
        get_logger(__name__).warning("money_unsettled", key=key, error=type(error).__name__)
        return None


async def give_back(
    ledger: Ledger, gateway: Gateway, show: str, order: str, due: RefundDue
) -> OrderState | Refused | None:
    """Return the money of refunds that are due, and book it; None while the gateway or store is silent."""
    try:
        async with asyncio.timeout(GATEWAY_S):
            for refund, amount_minor in due.refunds:
                await gateway.refund(attempt_key(order, due.paid_by), refund, amount_minor)
            return await ledger.refunded(show, order, [refund for refund, _ in due.refunds])
    except (GatewayUnknown, TimeoutError, StoreError) as error:
        get_logger(__name__).warning("refund_unknown", order=order, error=type(error).__name__)
        return None


def _answer(settled: Settled | Refused, reason: str) -> PayAnswer:
    if isinstance(settled, Refused):
        return settled
    match settled.order.view().state:
        case "paid":
            return Paid(settled.order)
        case "held" | "open":
            return PaymentDeclined(settled.order, reason)
        case "paying":
            return Paying(settled.order, None)
        case state:
            return Refused("hold_expired", {"state": state})
