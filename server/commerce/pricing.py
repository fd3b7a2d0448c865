"""The price in force: a pure function of a product's log entries, the server's clock and the sale clock.

A creator's flash price goes before a reduction of the whole show (its flash price, then a campaign), and that
before the list price. The same rule stands in `server/log/prelude.lua` (`price_in_force`), where it decides
what a buyer is charged; this twin serves the model and `vendue verify`. Flash prices lie on the sale clock,
which stands still while the show is frozen, and campaigns on the server's. A flash price announced at version
v reserves two versions: v+1 on [starts, ends) and v+2 for the price after it, whether or not anybody has
written the `price.ended` notice yet.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from server.commerce.price_record import DAY_MS

MINUTE_MS: Final = 60_000
CAMPAIGN_MS: Final = (MINUTE_MS, 31 * DAY_MS)
"""How short and how long a campaign may be."""
COUPON_MS: Final = (MINUTE_MS, 30 * DAY_MS)
"""How soon and how late a coupon may end by itself."""
COUPONS_MAX: Final = 100
"""Coupons of one show, those that are over among them."""
CAMPAIGN_AHEAD_MAX_MS: Final = 90 * DAY_MS
CAMPAIGN_LATE_MAX_MS: Final = MINUTE_MS
"""One whose start is past by no more than this starts now: its form took a while to fill in."""

Kind: TypeAlias = Literal["campaign", "show_flash"]
"""Of a reduction of the whole show."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""That which goes before the others last."""


class Instant(NamedTuple):
    """A moment on both clocks."""

    server_ms: int
    sale_ms: int


class Flash(NamedTuple):
    """A flash price that is announced or running. `version` is the one it has while it runs."""

    id: str
    price_minor: int
    version: int
    starts_sale_ms: int
    ends_sale_ms: int


class Repeat(NamedTuple):
    """What a flash price is one window of: the `n`th of `times`, `every_ms` of the sale clock from start to
    start. Each window is a flash price of its own; `series` is the id of the first.
    """

    series: str
    n: int
    times: int
    every_ms: int

    @property
    def id(self) -> str:
        """The id of the window."""
        return self.series if self.n == 1 else f"{self.series}-{self.n}"


class ShowReduction(NamedTuple):
    """A reduction of a whole show, as one product sees it: `price_minor` None when it is not in it.

    The window is that of its kind's clock.
    """

    kind: Kind
    id: str
    price_minor: int | None
    starts_ms: int
    ends_ms: int

    def begun(self, at: Instant) -> int:
        """How much of it has begun: 0 not yet, 1 it runs, 2 it is over."""
        now = at.server_ms if self.kind == "campaign" else at.sale_ms
        return (now >= self.starts_ms) + (now >= self.ends_ms)


class Prices(NamedTuple):
    """All that a product's price follows from. `version` counts the reductions that are over, and changes of
    the list price; of those of the whole show (`of_show`) the last goes first.
    """

    list_price_minor: int
    version: int
    flash: Flash | None = None
    of_show: tuple[ShowReduction, ...] = ()

    def without(self, rule: str) -> "Prices":
        """The same without the reduction by this rule (the list price: there is none)."""
        if rule == "flash":
            return self._replace(flash=None)
        return self._replace(of_show=tuple(each for each in self.of_show if each.kind != rule))

    def reduced_by(self, reduction: ShowReduction) -> "Prices":
        """The same with this one, instead of another of its kind."""
        all_of_it = (*self.without(reduction.kind).of_show, reduction)
        return self._replace(of_show=tuple(sorted(all_of_it, key=lambda each: KINDS.index(each.kind))))

    def after(self, rule: str) -> "Prices":
        """The same when the reduction by this rule has ended."""
        return self.without(rule)._replace(version=self.version + 2)


class Reason(NamedTuple):
    """Why a price: the rule that gave it (`list`, `campaign`, `show_flash`, `flash`), and which of its kind
    (None: the list price).
    """

    rule: str = "list"
    id: str | None = None


class PriceInForce(NamedTuple):
    """What one unit costs, under which version, and why."""

    price_minor: int
    version: int
    reason: Reason

    @property
    def flash_id(self) -> str | None:
        """The flash price that it is, whose quota and caps count."""
        return self.reason.id if self.reason.rule == "flash" else None


class _Taken(NamedTuple):
    """A reduction of a product on its way through `price_in_force`, and how much of it has begun."""

    reason: Reason
    price_minor: int | None
    begun: int


def _taken(prices: Prices, at: Instant) -> Iterator[_Taken]:
    """Those that there are, each before the one that goes before it."""
    for reduction in prices.of_show:
        reason = Reason(reduction.kind, reduction.id)
        yield _Taken(reason, reduction.price_minor, reduction.begun(at))
    if flash := prices.flash:
        begun = (at.sale_ms >= flash.starts_sale_ms) + (at.sale_ms >= flash.ends_sale_ms)
        yield _Taken(Reason("flash", flash.id), flash.price_minor, begun)


def price_in_force(prices: Prices, at: Instant) -> PriceInForce:
    """Return the price at `at`. Each reduction has two versions: for its start, and for its end."""
    price, version, reason = prices.list_price_minor, prices.version, Reason()
    for taken in _taken(prices, at):
        version += taken.begun
        if taken.begun == 1 and taken.price_minor is not None:
            price, reason = taken.price_minor, taken.reason
    return PriceInForce(price, version, reason)


def price_below(prices: Prices, at: Instant) -> int:
    """The lowest price that a reduction, announced or running, is taken off; without one the price."""
    price, lowest = prices.list_price_minor, None
    for taken in _taken(prices, at):
        if taken.begun < 2 and taken.price_minor is not None:
            lowest = price if lowest is None else min(lowest, price)
            price = taken.price_minor if taken.begun else price
    return price if lowest is None else lowest


def next_window(repeat: Repeat, starts_sale_ms: int, sale_ms: int) -> tuple[Repeat, int] | None:
    """The window that may follow one that started then, and its start: the next whose start is not past.

    None: there are no more of them.
    """
    steps = max(1, -((starts_sale_ms - sale_ms) // repeat.every_ms))
    following = repeat._replace(n=repeat.n + steps)
    return (following, starts_sale_ms + steps * repeat.every_ms) if following.n <= repeat.times else None


def show_price(list_price_minor: int, percent_off: int, floor_minor: int | None) -> int | None:
    """A product's price in a reduction of the whole show, which stops at its floor; None: no reduction."""
    price = max(reduced(list_price_minor, percent_off), floor_minor or 0)
    return price if price < list_price_minor else None


def with_coupon(price_minor: int, percent_off: int | None, amount_off_minor: int | None) -> int:
    """What a coupon makes of the price in force: a percentage of it off, or else an amount. One minor unit
    stays: what is for nothing is given away in a draw.
    """
    if percent_off is not None:
        return reduced(price_minor, percent_off)
    return price_minor - min(max(0, price_minor - 1), amount_off_minor or 0)


DEEP_PERCENT = 70
"""A flash price that takes more off the list price has to be confirmed by who has seen what it may cost."""


def reduced(list_price_minor: int, percent_off: int) -> int:
    """A list price less a percentage, the reduction rounded down to a minor unit."""
    return list_price_minor - list_price_minor * percent_off // 100


def is_deep(list_price_minor: int, price_minor: int) -> bool:
    """Whether a price takes more than `DEEP_PERCENT` off the list price."""
    return (list_price_minor - price_minor) * 100 > list_price_minor * DEEP_PERCENT


def preview(
    list_price_minor: int, price_minor: int, cost_minor: int | None, units: int, windows: int
) -> dict[str, object]:
    """What a reduced price may cost when so many units are sold at it, in so many windows; `loss_minor` None:
    cost is unknown.
    """
    return {
        "price_minor": price_minor,
        "list_price_minor": list_price_minor,
        "windows": windows,
        "units": units,
        "given_up_minor": units * (list_price_minor - price_minor),
        "loss_minor": None if cost_minor is None else units * max(0, cost_minor - price_minor),
    }


def sale_time_ms(server_ms: int, frozen_since_ms: int, frozen_total_ms: int) -> int:
    """The sale clock at a server time; `frozen_since_ms` is 0 while the show is not frozen."""
    return (frozen_since_ms or server_ms) - frozen_total_ms


def server_time_ms(sale_ms: int, frozen_since_ms: int, frozen_total_ms: int) -> int | None:
    """When a sale-clock deadline will fall on the server's clock; None while the show is frozen."""
    return None if frozen_since_ms else sale_ms + frozen_total_ms
