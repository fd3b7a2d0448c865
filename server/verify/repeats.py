"""What rules 18 and 19 ask of a flash price that comes in several windows. Pure."""

from server.commerce.pricing import Repeat, next_window
from server.verify.price_bodies import FlashPrice, PriceEnded
from server.verify.records import Step
from server.verify.replay import Replay


def _repeat(flash: FlashPrice) -> Repeat | None:
    told = flash.repeat
    return told and Repeat(told.series, told.n, told.times, told.every_s * 1000)


def window_is_due(step: Step, body: FlashPrice, before: Replay) -> str | None:
    """The first of several leaves room for the next; each other one follows as the last one announced it."""
    if before.going_on:
        return _follows(step, body, before.flashes[before.going_on])
    return _begins(step, body)


def _begins(step: Step, body: FlashPrice) -> str | None:
    repeat = _repeat(body)
    if repeat is None:
        return None
    if (repeat.series, repeat.n) != (body.id, 1):
        return f"{body.id} is told as window {repeat.n} of {repeat.series}, which does not go on"
    gap_ms = repeat.every_ms - (body.ends_sale_ms - step.sale_ms)
    return None if gap_ms >= 1000 else f"from its end to the next announcement are {gap_ms} ms"


def _follows(step: Step, body: FlashPrice, last: FlashPrice) -> str | None:
    repeat = _repeat(last)
    window = repeat and next_window(repeat, last.starts_sale_ms, step.sale_ms)
    if window is None:
        return f"{last.id} does not go on"
    following, starts = window
    ends = starts + last.ends_sale_ms - last.starts_sale_ms
    due = (following.id, following, starts, ends, *_terms(last))
    told = (body.id, _repeat(body), body.starts_sale_ms, body.ends_sale_ms, *_terms(body))
    return None if told == due else f"the next window is {told}, must be {due}"


def _terms(flash: FlashPrice) -> tuple[object, ...]:
    return (flash.sku, flash.price_minor, flash.quantity, flash.per_viewer_max)


def end_goes_on(step: Step, body: PriceEnded, before: Replay) -> str | None:
    """What the end of a window says of the next one is so."""
    flash = before.flashes[body.id]
    repeat = _repeat(flash)
    if repeat is None:
        return None if body.repeat is None else f"{body.id} does not repeat"
    if next_window(repeat, flash.starts_sale_ms, step.sale_ms) is None:
        due = {"done"}
    elif before.life.state == "ended":
        due = {"show_ended"}
    else:
        due = {"stopped"} if body.reason == "stopped" else {"goes_on", "stopped", "withdrawn"}
    return None if body.repeat in due else f"its end says {body.repeat}, may say {sorted(due)}"
