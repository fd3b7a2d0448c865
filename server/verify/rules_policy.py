"""The rule for hold policies: when an order takes its units from the shelf. Pure."""

from server.commerce.model_records import PLACED
from server.verify.bodies import Pinned, ProductUpdated, WaitJoined
from server.verify.order_bodies import OrderChange
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule


@rule(51, "Units are reserved as it was told with the pin")
def policy_is_kept(step: Step, before: Replay) -> str | None:
    """A product's `hold_policy` is told with its pin and does not change while it is pinned.

    `hold`: an order is held at once. `pay_first`: it is opened (`pay_first`), and takes its units when its
    buyer begins to pay; declined, it gives them back and is open again (`order.reopened`). An order of
    several products is opened when one of them says so. `lottery`: it is not ordered, nor waited for, but
    won. What was won, or waited for, is held.
    """
    match step.body:
        case ProductUpdated(sku=sku, hold_policy=policy) if sku == before.pin:
            was = _policy(sku, before)
            return None if policy == was else f"{sku} is pinned as {was}, and becomes {policy}"
        case Pinned(sku=sku, hold_policy=told):
            due = _policy(sku, before)
            return None if told in (None, due) else f"{sku} is pinned as {told}, but is {due}"
        case WaitJoined(sku=sku):
            return f"{sku} goes by lottery" if _policy(sku, before) == "lottery" else None
        case OrderChange() as change:
            return _wrong_order(step.entry.kind, change, before)
        case _:
            return None


def _policy(sku: str, before: Replay) -> str:
    product = before.products.get(sku)
    return product.hold_policy or "hold" if product else "hold"


def _wrong_order(kind: str, change: OrderChange, before: Replay) -> str | None:
    order = change.order
    opens, holds = kind in ("order.opened", "order.reopened"), kind in ("order.held", "order.declined")
    if (opens and not order.pay_first) or (holds and order.pay_first):
        return f"{kind} of an order that {'pays' if order.pay_first else 'does not pay'} first"
    if kind not in PLACED:
        return None
    if not order.was_asked_for:
        return "what was won or waited for pays first" if order.pay_first else None
    policies = {line.sku: _policy(line.sku, before) for line in order.lines}
    if drawn := [sku for sku, policy in policies.items() if policy == "lottery"]:
        return f"{drawn[0]} goes by lottery"
    due = "pay_first" in policies.values()
    return None if order.pay_first == due else f"{kind} of products that are {sorted(policies.values())}"


RULES = (policy_is_kept,)
