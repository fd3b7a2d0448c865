"""Rules for every entry, and for the life of the show. Pure."""

from typing import Final

from server.verify.bodies import (
    DrawEntered,
    EpochChanged,
    LotMax,
    ShowCreated,
    ShowState,
    WaitJoined,
    WaitLeft,
)
from server.verify.order_bodies import ORDER_KINDS
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule, rule_for

PRESS_EARLY_MS: Final = 1500
PRESS_LATE_MS: Final = 500
LEGAL: Final = {
    ("scheduled", "live"),
    ("live", "paused"),
    ("paused", "live"),
    ("live", "ended"),
    ("paused", "ended"),
}
_STAFF: Final = frozenset(
    {
        "product.restocked",
        "member.set",
        "clock.offset",
        "epoch",
        "lot.signal",
        "price.undone",
        "coupon.made",
        "coupon.ended",
    }
)


@rule(7, "Public entries are chained")
def public_chain(step: Step, before: Replay) -> str | None:
    """`prev_public` is the seq of the newest public entry before this one: no viewer is shown a gap."""
    if step.entry.prev_public != before.public_seq:
        return f"prev_public is {step.entry.prev_public}, the newest public entry is {before.public_seq}"
    return None


@rule(8, "Time never runs back")
def time_goes_on(step: Step, before: Replay) -> str | None:
    """`ts` is not before the `ts` of the entry before it, nor after that of the seal that covers it."""
    return f"ts {step.entry.ts} is before {before.ts}" if step.entry.ts < before.ts else None


@rule(9, "An entry applies at a frame close to its time")
def frame_is_believable(step: Step, before: Replay) -> str | None:  # noqa: ARG001 - the shape of a rule
    """`at_ms` lies at most 1.5 s before and 0.5 s after `ts`."""
    ahead_ms = step.entry.at_ms - step.entry.ts
    return None if -PRESS_EARLY_MS <= ahead_ms <= PRESS_LATE_MS else f"at_ms is {ahead_ms} ms from ts"


@rule(10, "A log begins with its show, once")
def begins_with_the_show(step: Step, before: Replay) -> str | None:
    """The first entry is `show.created` with the show's id and epoch, and no other entry is."""
    if isinstance(step.body, ShowCreated) != (before.show is None):
        return "the first entry must be show.created" if before.show is None else "a second show.created"
    return None


@rule(11, "Everybody is told what is theirs")
def audience_fits(step: Step, before: Replay) -> str | None:  # noqa: ARG001
    """Orders, places in line, entries of draws and the maxima of bids are for whose they are, restocks and
    technical entries for staff.

    The rest is for all."""
    entry = step.entry
    if entry.kind in ORDER_KINDS or isinstance(step.body, WaitJoined | WaitLeft | DrawEntered | LotMax):
        fits = entry.subject is not None
    elif entry.kind in _STAFF:
        fits = entry.is_staff
    else:
        fits = entry.is_public or step.body is None
    return None if fits else f"{entry.kind} is told to {entry.audience}"


@rule_for(ShowState, 12, "A show changes its state legally")
def life_is_legal(step: Step, body: ShowState, before: Replay) -> str | None:  # noqa: ARG001
    """scheduled → live ⇄ paused → ended, and live → ended. A state is repeated when only flags change."""
    old = before.life.state
    if body.state != old and (old, body.state) not in LEGAL:
        return f"{old} → {body.state}"
    return None


@rule_for(ShowState, 13, "The sale clock is continuous")
def sale_clock_is_continuous(step: Step, body: ShowState, before: Replay) -> str | None:
    """The clock stands while the show is paused, or live with sales paused, video blanked or host away.

    `frozen_since_ms` is the time of the entry that froze it, and thawing adds what has passed since to
    `frozen_total_ms`: no deadline moves but by time that really passed.
    """
    flagged = body.sales_paused or body.video_blanked or body.host_away
    frozen = body.state == "paused" or (body.state == "live" and flagged)
    since, total = before.life.frozen_since_ms, before.life.frozen_total_ms
    if frozen and since is None:
        since = step.entry.ts
    elif not frozen and since is not None:
        since, total = None, total + step.entry.ts - since
    told = (body.frozen, body.frozen_since_ms, body.frozen_total_ms)
    if told != (frozen, since, total):
        return f"(frozen, since, total) is {told}, must be {(frozen, since, total)}"
    return None


@rule_for(EpochChanged, 14, "Epochs follow one another")
def epochs_follow(step: Step, body: EpochChanged, before: Replay) -> str | None:  # noqa: ARG001
    """A new epoch names the one that it follows."""
    return None if body.previous == before.epoch else f"follows {body.previous!r}, not {before.epoch!r}"


RULES = (
    public_chain,
    time_goes_on,
    frame_is_believable,
    begins_with_the_show,
    audience_fits,
    life_is_legal,
    sale_clock_is_continuous,
    epochs_follow,
)
