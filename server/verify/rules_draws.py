"""The rule for draws: who wins follows from a seed that was committed to before anybody entered. Pure."""

from server.commerce import draws
from server.verify.bodies import DrawCancelled, DrawClosed, DrawDrawn, DrawEntered, DrawOpened
from server.verify.drawn import Draw
from server.verify.order_bodies import OrderChange
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule
from server.verify.shapes import Level


@rule(49, "A draw is won by whom its committed seed calls")
def seed_decides(step: Step, before: Replay) -> str | None:
    """A draw holds units that are there, for 5 s to 1 h, under a commitment to its seed.

    People enter once, themselves, while the show is live and sales are open. Once its time is over it is
    closed with as many entries as the log has, and then the seed is told: it is the one that was committed
    to, and whom it calls, in that order (`commerce/draws.py`), has a unit, but who is banned or at the cap is
    passed over. Each winner's order follows at once, at the draw's price. Or it is cancelled; either way its
    units go back on the shelf first.
    """
    if wrong := _sold(step, before):
        return wrong
    match step.body:
        case DrawOpened() as opened:
            return _opened(step, opened, before)
        case DrawEntered(id=name) | DrawClosed(id=name) | DrawDrawn(id=name) | DrawCancelled(id=name) as body:
            draw = before.draws.known.get(name)
            if draw is None:
                return f"there is no draw {name!r}"
        case _:
            return None
    match body:
        case DrawEntered():
            return _entered(step, draw, before)
        case DrawClosed(entries=told):
            over = draw.state == "open" and step.sale_ms >= draw.ends_sale_ms
            due = len(draw.entries)
            return (
                None if over and told == due else f"it closes with {told} entries, must be {due} at its end"
            )
        case DrawDrawn():
            return _drawn(body, draw, before)
        case DrawCancelled(stock=stock):
            return "it is over" if draw.state == "over" else _told(stock, draw.sku, -draw.units, before)


def _opened(step: Step, body: DrawOpened, before: Replay) -> str | None:
    product = before.products.get(body.sku)
    if body.id in before.draws.known or before.life.state == "ended":
        return "there is such a draw already, or the show is over"
    if product is None or product.parts or body.sku in before.off:
        return f"{body.sku} is no single product that is for sale"
    lasts_ms = body.ends_sale_ms - step.sale_ms
    if not draws.DURATION_S[0] <= lasts_ms / 1000 <= draws.DURATION_S[1] or body.units > draws.UNITS_MAX:
        return f"it lasts {lasts_ms} ms, for {body.units} units"
    return _told(body.stock, body.sku, body.units, before)


def _entered(step: Step, draw: Draw, before: Replay) -> str | None:
    pid = step.audience_pid
    if before.life.state != "live" or before.life.sales_paused or pid in before.banned:
        return "the show takes no entries now, or who enters is banned"
    if step.entry.actor != pid or pid in draw.entries:
        return f"{step.entry.actor or 'nobody'} enters for {pid}, or again"
    if draw.state != "open" or step.sale_ms >= draw.ends_sale_ms:
        return "it is over"
    return f"{pid} has all that one may have" if _is_at_cap(pid, draw.sku, before) else None


def _drawn(body: DrawDrawn, draw: Draw, before: Replay) -> str | None:
    if draw.state != "closed":
        return f"it is {draw.state}"
    try:
        seed = bytes.fromhex(body.seed)
    except ValueError:
        return "its seed is no number"
    if not draws.is_revealed(body.id, draw.commitment, seed):
        return "its seed is not the one that was committed to"
    winners: list[str] = []
    passed: list[str] = []
    for pid in draws.called(body.id, seed, draw.entries, draw.units):
        if len(winners) == draw.units:
            break
        out = pid in before.banned or _is_at_cap(pid, draw.sku, before)
        (passed if out else winners).append(pid)
    if (list(body.winners), list(body.passed)) != (winners, passed):
        return f"(winners, passed over) is {(body.winners, body.passed)}, must be {(winners, passed)}"
    return _told(body.stock, draw.sku, -draw.units, before)


def _is_at_cap(pid: str, sku: str, before: Replay) -> bool:
    cap = before.products[sku].per_viewer_max
    return cap is not None and before.bought[sku, pid] >= cap


def _sold(step: Step, before: Replay) -> str | None:
    """The entries after a draw are the orders of its winners, and no other order is one."""
    winner = next(iter(before.draws.winners), None)
    match step.body:
        case OrderChange(order=order) as change if step.entry.kind == "order.held" and order.draw is not None:
            line, price = order.lines[0], change.seen_price_minor
            sold = (order.draw, step.audience_pid, line.unit_price_minor, price, line.quantity)
            told = before.draws.known.get(before.draws.drawn)
            due = told and (before.draws.drawn, winner, told.price_minor, told.price_minor, 1)
            alone = (line.sku, line.price_version, line.flash) == (told.sku if told else "", 0, None)
            return None if sold == due and alone else f"sold is {sold}, must be {due}"
        case _:
            return f"{winner} has no order of {before.draws.drawn}" if winner else None


def _told(stock: list[Level], sku: str, taken: int, before: Replay) -> str | None:
    left, held, sold = before.products[sku].stock
    due = (sku, left - taken, held + taken, sold)
    told = stock[0]
    fits = (told.sku, told.left, told.held, told.sold) == due and min(due[1:]) >= 0
    return None if fits else f"the stock told is {told}, must be {due} and not below 0"


RULES = (seed_decides,)
