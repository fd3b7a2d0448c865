"""The rule for the waitlist: a unit that comes free is the first's who waits for it. Pure."""

from collections import Counter
from collections.abc import Mapping

from server.commerce.model_records import TURN_MS
from server.commerce.pricing import Instant
from server.verify.bodies import DrawOpened, LotOpened, WaitJoined, WaitLeft
from server.verify.order_bodies import OrderChange
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule


@rule(48, "Who waits is served in turn, and nobody passes them")
def is_served_in_turn(step: Step, before: Replay) -> str | None:
    """One stands in line for one unit of what is for sale and sold out, behind all who stand there.

    A turn is the first's: a hold of one unit for a minute, made by the script that freed the unit or found
    it, which says when its buyer joined (`waited`); its price is the one in force, which they have seen
    before they pay. One leaves the line when one asks to, or, first in line, when one is banned or has all
    that one may have. While people wait, nothing that others take (a hold, late money, a lot, a draw) leaves
    fewer units on the shelf than there are people in line.
    """
    match step.body:
        case WaitJoined() as joined:
            return _may_join(step, joined, before)
        case WaitLeft() as left:
            return _may_leave(step, left, before)
        case LotOpened(sku=sku):
            return _passed({sku: 1}, before)
        case DrawOpened(sku=sku, units=units) if sku in before.products:
            return _passed({sku: units}, before)
        case OrderChange() as change:
            return _takes(step, change, before)
        case _:
            return None


def _takes(step: Step, change: OrderChange, before: Replay) -> str | None:
    order, is_held = change.order, step.entry.kind == "order.held"
    if is_held and order.waited is not None:
        return _in_turn(step, change, before)
    later = before.state_of(order.id) in ("expired", "open") and before.takes_units(change)
    if not later and not (is_held and order.was_asked_for):
        return None
    units = Counter[str]()
    for line in order.lines:
        for sku, n in before.pieces(line.sku, line.quantity):
            units[sku] += n
    return _passed(units, before)


def _may_join(step: Step, joined: WaitJoined, before: Replay) -> str | None:
    pid, line = step.audience_pid, before.waiting.get(joined.sku, {})
    product = before.products.get(joined.sku)
    if product is None or product.parts or joined.sku in before.off:
        return f"{joined.sku} is no single product that is for sale"
    if before.life.state not in ("live", "paused") or pid in before.banned or step.entry.actor != pid:
        return "the show is not open, or who joins is banned or somebody else"
    if pid in line or joined.place != len(line) + 1:
        return f"{pid} joins at {joined.place}, behind {len(line)} people"
    left = product.stock[0]
    return f"{left} units are left for {len(line)} people" if left > len(line) else None


def _may_leave(step: Step, left: WaitLeft, before: Replay) -> str | None:
    pid, line = step.audience_pid, before.waiting.get(left.sku, {})
    if pid not in line:
        return f"{pid} does not stand in line"
    if left.reason == "asked":
        return None if step.entry.actor == pid else f"{step.entry.actor or 'nobody'} asked for {pid}"
    if pid != next(iter(line)):
        return "it is not their turn"
    if left.reason == "banned":
        return None if pid in before.banned else f"{pid} is not banned"
    return None if _has_all(pid, left.sku, step.at, before) else f"{pid} may have one more"


def _has_all(pid: str, sku: str, at: Instant, before: Replay) -> bool:
    """Whether a cap or a quota forbids one more unit."""
    cap, flash = before.products[sku].per_viewer_max, before.price_at(sku, at).flash_id
    if cap is not None and before.bought[sku, pid] >= cap:
        return True
    if flash is None:
        return False
    terms = before.flashes[flash]
    mine, used = before.flash_bought[flash, pid], before.flash_used[flash]
    return (terms.per_viewer_max is not None and mine >= terms.per_viewer_max) or (
        terms.quantity is not None and used >= terms.quantity
    )


def _in_turn(step: Step, change: OrderChange, before: Replay) -> str | None:
    order, line = change.order, change.order.lines[0]
    waiting = before.waiting.get(line.sku, {})
    if next(iter(waiting.items()), None) != (step.audience_pid, order.waited):
        return f"{step.audience_pid}, who joined at {order.waited}, is not the first in line"
    lasts_ms = (order.expires_sale_ms or 0) - step.sale_ms
    given = (line.quantity, lasts_ms, change.seen_price_minor)
    due = (1, TURN_MS, line.unit_price_minor)
    return None if given == due else f"(units, hold, price seen) is {given}, must be {due}"


def _passed(units: Mapping[str, int], before: Replay) -> str | None:
    for sku, n in units.items():
        left, waiting = before.products[sku].stock[0] - n, len(before.waiting.get(sku, {}))
        if 0 < waiting > left:
            return f"{left} units of {sku} would be left for {waiting} people who wait"
    return None


RULES = (is_served_in_turn,)
