"""Rules for an order's life: who, how, until when, and the money that goes back. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from server.commerce.model_records import PENDING, PLACED
from server.verify.order_bodies import OrderChange, Refund, state_named
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule_for

LEGAL: Final = {
    "order.held": ("",),
    "order.opened": ("",),
    "order.paying": ("held", "open"),
    "order.declined": ("paying",),
    "order.reopened": ("paying",),
    "order.paid": ("held", "paying", "expired", "open"),
    "order.cancelled": ("held", "open"),
    "order.expired": ("held", "paying", "open"),
    "order.part_refund_due": ("paid",),
    "order.part_refunded": ("paid",),
    "order.refund_due": ("paid", "expired", "open"),
    "order.refunded": ("refund_due",),
}
"""What may happen to an order in which state; "" is before there is one. Late money may follow `expired`, or
`open` where its attempt had been declined."""
BY_THE_BUYER: Final = frozenset({*PLACED, "order.paying", "order.cancelled"})
HOLD_MS: Final = (5_000, 3_600_000)  # what the settings allow
EXTENSION_MAX_MS: Final = 3_600_000


@rule_for(OrderChange, 23, "An order changes its state legally")
def life_is_legal(step: Step, body: OrderChange, before: Replay) -> str | None:
    """held → paying → paid → refund_due → refunded; held → cancelled; held | paying → expired.

    A declined payment leads back to held. An order that pays first is open instead of held (51). Money for an
    expired order comes late: paid, or refund due. What is taken back in part stays paid. The entry's kind,
    the order's `state` and its `seq` agree.
    """
    kind, old = step.entry.kind, before.state_of(body.order.id)
    if old not in LEGAL[kind]:
        return f"{kind} from {old or 'nothing'}"
    if body.order.state != state_named(kind):
        return f"{kind} with state {body.order.state}"
    return None if body.order.seq == step.entry.seq else f"the order says seq {body.order.seq}"


@rule_for(OrderChange, 24, "An order belongs to its buyer")
def order_has_one_buyer(step: Step, body: OrderChange, before: Replay) -> str | None:
    """All its entries are for the same pid, and that pid itself holds, pays and cancels.

    What was won in an auction is held by the lot's end, what one waited for when one's turn has come; what
    was held at a flash price that is undone (`price.undone`) may be cancelled by whoever undoes it."""
    known = before.orders.get(body.order.id)
    pid = known.pid if known else step.audience_pid
    if step.audience_pid != pid:
        return f"it is {pid}'s, not {step.audience_pid}'s"
    given = step.entry.kind == "order.held" and not body.order.was_asked_for
    flashes = {line.flash for line in body.order.lines}
    undone = step.entry.kind == "order.cancelled" and not flashes.isdisjoint(before.undone)
    if step.entry.kind in BY_THE_BUYER and not given and not undone and step.entry.actor != pid:
        return f"{step.entry.kind} by {step.entry.actor or 'nobody'}, not by the buyer {pid}"
    return None


@rule_for(OrderChange, 25, "An order's terms are frozen at the hold")
def terms_are_frozen(step: Step, body: OrderChange, before: Replay) -> str | None:  # noqa: ARG001
    """Only its state, its deadline, its refunds and its seq ever change; nothing is priced again."""
    known = before.orders.get(body.order.id)
    return None if known is None or known.terms == body.terms else "its terms are not those of its hold"


@rule_for(OrderChange, 26, "A hold lasts until its deadline and not longer")
def deadline_is_kept(step: Step, body: OrderChange, before: Replay) -> str | None:
    """On the sale clock: a hold lasts 5 s to 1 h; the first attempt to pay extends it, once, by 1 h at most.

    Nothing but the late arrival of money happens to it once it is due, and it does not expire before. Orders
    that are over have no deadline; one that is open has one.
    """
    kind, told = step.entry.kind, body.order.expires_sale_ms
    if body.order.state not in PENDING:
        early = kind == "order.expired" and step.sale_ms < _deadline(before, body)
        late = kind == "order.cancelled" and step.sale_ms >= _deadline(before, body)
        return f"{kind} at the wrong time" if early or late or told is not None else None
    if told is None:
        return "a hold without a deadline"
    if kind in PLACED:
        lasts_ms = told - step.sale_ms
        return None if HOLD_MS[0] <= lasts_ms <= HOLD_MS[1] else f"it lasts {lasts_ms} ms"
    deadline = _deadline(before, body)
    if step.sale_ms >= deadline:
        return f"{kind} at {step.sale_ms}, but it was due at {deadline}"
    most_ms = EXTENSION_MAX_MS if kind == "order.paying" and body.attempt == 1 else 0
    return None if 0 <= told - deadline <= most_ms else f"its deadline moved by {told - deadline} ms"


@rule_for(OrderChange, 27, "Each attempt to pay is counted, and one pays")
def attempts_are_counted(step: Step, body: OrderChange, before: Replay) -> str | None:
    """`attempt` grows by one with each `order.paying`; money sets `paid_by` once, to one of the attempts."""
    old = before.orders.get(body.order.id)
    attempt, paid_by = (old.attempt, old.paid_by) if old else (0, 0)
    if body.attempt != attempt + (step.entry.kind == "order.paying"):
        return f"attempt {body.attempt} after {attempt}"
    money_came = step.entry.kind in ("order.paid", "order.refund_due") and not paid_by
    if money_came:
        return None if 1 <= body.paid_by <= attempt else f"paid by attempt {body.paid_by} of {attempt}"
    return None if body.paid_by == paid_by else f"paid_by changes from {paid_by} to {body.paid_by}"


@rule_for(OrderChange, 28, "No more is given back than was paid")
def refunds_are_bounded(step: Step, body: OrderChange, before: Replay) -> str | None:
    """An order's refunds only grow, one at a time, and never sum to more money or units than it has.

    Only a paid order is given back: all that is left (`refund_due`), or less (`part_refund_due`), of which
    units go at their price. Late money, which bought nothing, goes back whole and brings no units. Refunds
    are done together, when the money of all is back, and nothing else of them ever changes.
    """
    known, refunds, kind = before.orders.get(body.order.id), body.order.refunds, step.entry.kind
    old = known.refunds if known else ()
    if kind in ("order.refund_due", "order.part_refund_due"):
        if list(old) != refunds[:-1] or len(refunds) != len(old) + 1:
            return "another refund was changed"
        late = before.state_of(body.order.id) in ("expired", "open")
        return _one_more(body, late=late, part="part" in kind)
    if kind in ("order.refunded", "order.part_refunded"):
        return _done(old, refunds)
    return None if list(old) == refunds else "its refunds changed"


def _one_more(body: OrderChange, *, late: bool, part: bool) -> str | None:
    order, new = body.order, body.order.refunds[-1]
    amount = sum(refund.amount_minor for refund in order.refunds)
    ordered = [line.quantity for line in order.lines]
    back = [order.returned(refund) for refund in order.refunds]
    units = [sum(each[at] for each in back) for at in range(len(ordered))]
    if new.done_at_ms is not None:
        return "it is done before it is due"
    too_many = any(n > most for n, most in zip(units, ordered, strict=True))
    if part == (amount == order.total_minor) or amount > order.total_minor or too_many:
        return f"{amount} and {units} units go back of {order.total_minor} and {ordered}"
    if late:
        return "late money brings units back" if new.quantity or new.restock else None
    price = sum(n * line.unit_price_minor for n, line in zip(back[-1], order.lines, strict=True))
    if part and new.quantity and new.amount_minor != price:
        return f"{new.amount_minor} goes back for {back[-1]}, which cost {price}"
    if new.restock and not new.quantity:
        return "no units are restocked"
    return None if part or units == ordered else f"{units} units of {ordered} went back"


def _done(before: Sequence[Refund], refunds: Sequence[Refund]) -> str | None:
    if all(refund.done_at_ms is not None for refund in before):
        return "nothing was due"
    if any(refund.done_at_ms is None for refund in refunds):
        return "not all of it is done"
    due = [msgspec.structs.replace(refund, done_at_ms=None) for refund in before]
    done = [msgspec.structs.replace(refund, done_at_ms=None) for refund in refunds]
    kept = [new for old, new in zip(before, refunds, strict=False) if old.done_at_ms is not None]
    same = due == done and kept == [old for old in before if old.done_at_ms is not None]
    return None if same else "what goes back is not what was due"


def _deadline(before: Replay, body: OrderChange) -> int:
    return before.orders[body.order.id].deadline_sale_ms


RULES = (
    life_is_legal,
    order_has_one_buyer,
    terms_are_frozen,
    deadline_is_kept,
    attempts_are_counted,
    refunds_are_bounded,
)
