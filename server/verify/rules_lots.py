"""Rules for auctions: what a lot is, which bids count, who wins, and at which price. Pure."""

from copy import deepcopy

from server.commerce.lots import DURATION_MS, EXTENSION_MAX_MS, SOFT_CLOSE_MAX_MS, are_steps
from server.commerce.model_records import PLACED
from server.verify.bodies import LotBid, LotCancelled, LotClosed, LotMax, LotOpened
from server.verify.order_bodies import OrderChange
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule, rule_for


@rule_for(LotOpened, 37, "A lot is one unit that is there, under terms told in advance")
def lot_is_opened(step: Step, body: LotOpened, before: Replay) -> str | None:
    """It lasts 10 s to 24 h, and soft closes lengthen it by half an hour at most. Its steps ascend from 0.

    Its unit moves from the shelf to what is held, and it begins without a bid.
    """
    if body.id in before.lots or before.life.state == "ended":
        return "there is such a lot already, or the show is over"
    lasts_ms, longer_ms = body.ends_sale_ms - step.sale_ms, body.latest_sale_ms - body.ends_sale_ms
    most_ms = EXTENSION_MAX_MS if body.soft_close_ms else 0
    if not DURATION_MS[0] <= lasts_ms <= DURATION_MS[1] or not 0 <= longer_ms <= most_ms:
        return f"it lasts {lasts_ms} ms and {longer_ms} ms longer"
    if not are_steps(body.steps) or body.soft_close_ms > SOFT_CLOSE_MAX_MS:
        return "its steps are no table, or its soft close is too long"
    if (body.price_minor, body.leader, body.next_minor, body.bids) != (None, None, body.start_minor, 0):
        return "it begins with a bid"
    return _stock_told(body, before, held=1)


@rule(38, "A bid is at least the next bid, and all are told where the lot stands")
def bids_count(step: Step, before: Replay) -> str | None:
    """Bids are taken by a live show with open sales, before the lot's end, from who is not banned.

    Each is told twice: the maximum to the bidder alone, then to all the price that beats the second highest
    maximum by one step, who leads, and the end, which a late bid may have moved (`commerce/lots.py`).
    """
    match step.body:
        case LotMax() as most:
            return _may_bid(step, most, before)
        case LotBid() as told:
            lot = before.lots.get(told.id)
            if lot is None or before.bidding != told.id:
                return "it follows no bid"
            stands = (*lot.standing(before.banned), lot.bids, lot.ends_sale_ms)
            said = (told.leader, told.price_minor, told.next_minor, told.bids, told.ends_sale_ms)
            return None if said == stands else f"it stands at {stands}, told is {said}"
        case _:
            return f"nobody is told of a bid for {before.bidding}" if before.bidding else None


def _may_bid(step: Step, most: LotMax, before: Replay) -> str | None:
    lot, pid = before.lots.get(most.id), step.audience_pid
    if lot is None:
        return f"there is no lot {most.id!r}"
    if before.life.state != "live" or before.life.sales_paused or pid in before.banned:
        return "the show takes no bids now, or the bidder is banned"
    if step.entry.actor != pid:
        return f"{step.entry.actor or 'nobody'} bids for {pid}"
    refused = deepcopy(lot).bid(pid, most.max_minor, step.sale_ms, before.banned)
    return None if refused is None else f"it must have been refused: {refused.code}"


@rule(39, "A lot goes to its highest bidder when its time is over")
def lot_ends(step: Step, before: Replay) -> str | None:
    """The winner pays the price at which the lot stands; who is banned does not win.

    A lot may be cancelled before its end. Either way its unit goes back on the shelf, from where the winner's
    order takes it.
    """
    match step.body:
        case LotClosed() | LotCancelled() as body:
            lot = before.lots.get(body.id)
        case _:
            return None
    if lot is None or not lot.is_open or lot.sku != body.sku:
        return f"there is no open lot {body.id!r} of {body.sku!r}"
    over = step.sale_ms >= lot.ends_sale_ms
    if isinstance(body, LotCancelled):
        return "its time was over" if over else _stock_told(body, before, held=-1)
    leader, price, _ = lot.standing(before.banned)
    told, due = (body.winner, body.price_minor, body.bids), (leader, price, lot.bids)
    if not over or told != due:
        return f"(winner, price, bids) is {told}, must be {due}, and its time over"
    return _stock_told(body, before, held=-1)


@rule(40, "A lot is sold to its winner at its price, at once")
def lot_is_sold(step: Step, before: Replay) -> str | None:
    """The entry after a lot's end is its winner's order, of one unit at the price of that lot."""
    match step.body:
        case OrderChange(order=order) if step.entry.kind in PLACED:
            sold = (order.lot, step.audience_pid, order.lines[0].unit_price_minor)
            won = order.lines[0]
            alone = (won.quantity, won.price_version, won.flash) == (1, 0, None)
            due = before.unsold
            if order.lot is None and due is None:
                return None
            return None if sold == due and alone else f"sold is {sold}, must be {due}"
        case _:
            return f"{before.unsold[1]} has no order for {before.unsold[0]}" if before.unsold else None


def _stock_told(body: LotOpened | LotClosed | LotCancelled, before: Replay, held: int) -> str | None:
    left, now_held, sold = before.products[body.sku].stock
    due = (left - held, now_held + held, sold)
    level = body.stock[0]
    told = (level.sku, level.left, level.held, level.sold)
    fits = told == (body.sku, *due) and min(due) >= 0
    return None if fits else f"the stock told is {told}, must be {due} and not below 0"


RULES = (lot_is_opened, bids_count, lot_ends, lot_is_sold)
