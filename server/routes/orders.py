"""Orders after the hold: reading, paying, cancelling, refunding. The hold itself is `order_intake`, the fast
path.
"""

from typing import Annotated, Any, Final, assert_never

import msgspec

from server.commerce.ledger import REASON_MAX_CHARS
from server.commerce.money import QUANTITY_MAX, TOTAL_MAX_MINOR
from server.commerce.orders import OrderState, OrderView, Paid, Paying, PaymentDeclined, PaymentUnknown
from server.commerce.proof import proof_of
from server.errors import Problem
from server.log.seals import Excerpt
from server.routes.answers import Answer, problem_of
from server.routes.endpoint import Call, Endpoints, Nothing
from server.store.outcome import Refused

endpoints: Final = Endpoints("orders")

ORDER: Final = "/api/v1/shows/{show}/orders/{order}"
PAYMENT_RETRY_AFTER_S: Final = 2


class Payment(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/pay`."""

    payment_token: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class RefundCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST …/refund`: whether the units return to the shelf, and why.

    All that is left goes back, or `quantity` units at their price, or `amount_minor`, with which no units
    come back (`restock` is false) unless it is all that is left. `sku` names the line of those units, which
    are all that are left of it without `quantity`; an order of several lines needs it.
    """

    restock: bool
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX_CHARS)]
    amount_minor: Annotated[int, msgspec.Meta(ge=1, le=TOTAL_MAX_MINOR)] | None = None
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)] | None = None
    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class PayingView(OrderView, frozen=True, kw_only=True):
    """An order whose payment is not decided yet; `next_action` is what the page has to do, if anything."""

    next_action: str | None


class OrderList(msgspec.Struct, frozen=True):
    """A buyer's newest orders over all shows, newest first."""

    orders: list[OrderView]


@endpoints.get(ORDER, answers={200: OrderView}, problems=("unknown_show", "unknown_order"))
async def get_order(call: Call[None]) -> Answer:
    """Read an order (its buyer, the seller, an admin)."""
    return await _order(call, await call.services.ledger.order(call.show, call.principal, call.path["order"]))


@endpoints.get(
    ORDER + "/proof",
    answers={200: Excerpt},
    problems=("unknown_show", "unknown_order", "forbidden"),
    auth="none",
)
async def prove_order(call: Call[None]) -> Answer:
    """Show an order's newest entry with its seal, to whoever knows the order's id; for `vendue verify`."""
    proof = await proof_of(call.services.store, call.services.archive, call.show, call.path["order"])
    if isinstance(proof, Refused):
        raise problem_of(proof)
    return Answer(200, proof)


@endpoints.get("/api/v1/me/orders", answers={200: OrderList})
async def my_orders(call: Call[None]) -> Answer:
    """List the caller's own orders."""
    told = [
        await call.services.texts.tell_order(order.json)
        for order in await call.services.ledger.orders_of(call.principal)
    ]
    return Answer(200, {"orders": [msgspec.Raw(json) for json in told]})


@endpoints.command(
    "POST",
    ORDER + "/pay",
    body=Payment,
    answers={200: OrderView, 202: PayingView},
    problems=(
        "unknown_order",
        "declined",
        "hold_expired",
        "payment_in_progress",
        "payment_unknown",
        "banned",
        "guests_closed",
        "show_closed",
        "sales_paused",
        "not_for_sale",
        "limit_reached",
        "coupon_used_up",
        "sold_out",
    ),
)
async def pay(call: Call[Payment]) -> Answer:
    """Pay a held order; or one that is open, which takes its units now."""
    order = call.path["order"]
    answer = await call.services.checkout.pay(call.show, call.principal, order, call.body.payment_token)
    match answer:
        case Paid():
            return Answer(200, msgspec.Raw(answer.order.json))
        case Paying():
            following = {} if answer.next_action is None else {"next_action": answer.next_action}
            return Answer(202, _with(answer.order, following))
        case PaymentDeclined():
            raise Problem("declined", answer.reason, {"order": msgspec.Raw(answer.order.json)})
        case PaymentUnknown():
            extra = {"order": msgspec.Raw(answer.order.json)}
            raise Problem("payment_unknown", extra=extra, retry_after_s=PAYMENT_RETRY_AFTER_S)
        case Refused():
            raise problem_of(answer)
        case _:
            assert_never(answer)


@endpoints.command(
    "POST",
    ORDER + "/cancel",
    body=Nothing,
    answers={200: OrderView},
    problems=("unknown_order", "illegal_transition", "payment_in_progress"),
)
async def cancel(call: Call[Nothing]) -> Answer:
    """Let a hold go."""
    ledger = call.services.ledger
    return await _order(
        call, await ledger.cancel(call.show, call.principal, call.path["order"], idempotency_key=call.key)
    )


@endpoints.command(
    "POST",
    ORDER + "/refund",
    body=RefundCommand,
    answers={200: OrderView},
    problems=(
        "idempotency_key_required",
        "forbidden",
        "unknown_order",
        "unknown_sku",
        "illegal_transition",
        "refund_too_large",
    ),
    key="required",
)
async def refund(call: Call[RefundCommand]) -> Answer:
    """Take a paid order or a part of it back and return the money."""
    order, asked = call.path["order"], call.body
    due = await call.services.ledger.refund(
        call.show,
        call.principal,
        order,
        restock=asked.restock,
        reason=asked.reason,
        idempotency_key=call.key,
        amount_minor=asked.amount_minor,
        quantity=asked.quantity,
        sku=asked.sku or "",
    )
    return await _order(call, await call.services.checkout.give_back(call.show, order, due))


async def _order(call: Call[Any], outcome: OrderState | Refused) -> Answer:
    if isinstance(outcome, Refused):
        raise problem_of(outcome)
    return Answer(200, msgspec.Raw(await call.services.texts.tell_order(outcome.json)))


def _with(order: OrderState, members: dict[str, str]) -> dict[str, object]:
    return {**msgspec.json.decode(order.json, type=dict[str, object]), **members}
