"""The price in force: a pure function of a product's log entries and the sale clock.

A creator's flash price goes before a reduction of the whole show, and that before the list price. The same
rule stands in `server/log/prelude.lua` (`price_in_force`), where it decides what a buyer is
charged; this twin serves the model and `vendue verify`. Times are milliseconds of the sale clock, which
stands still while the show is frozen. A flash price announced at version v reserves two versions: v+1 on
[starts, ends) and v+2 for the price after it, whether or not anybody has written the `price.ended`
notice yet.
"""

from typing import NamedTuple


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


class ShowFlash(NamedTuple):
    """The reduction of a whole show, as one product sees it: `price_minor` None when it is not in it."""

    id: str
    price_minor: int | None
    starts_sale_ms: int
    ends_sale_ms: int


class Prices(NamedTuple):
    """All that a product's price follows from. `version` counts the reductions that are over, and changes of
    the list price.
    """

    list_price_minor: int
    version: int
    flash: Flash | None = None
    show_flash: ShowFlash | None = None


class Reason(NamedTuple):
    """Why a price: the rule that gave it (`list`, `flash`, `show_flash`), and which of its kind (None: the
    list price).
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


def price_in_force(prices: Prices, sale_ms: int) -> PriceInForce:
    """Return the price at `sale_ms`. Each reduction has two versions: for its start, and for its end."""
    price, version, reason = prices.list_price_minor, prices.version, Reason()
    for rule, reduction in (("show_flash", prices.show_flash), ("flash", prices.flash)):
        if reduction is None:
            continue
        step = (sale_ms >= reduction.starts_sale_ms) + (sale_ms >= reduction.ends_sale_ms)
        version += step
        if step == 1 and reduction.price_minor is not None:
            price, reason = reduction.price_minor, Reason(rule, reduction.id)
    return PriceInForce(price, version, reason)


def next_window(repeat: Repeat, starts_sale_ms: int, sale_ms: int) -> tuple[Repeat, int] | None:
    """The window that may follow one that started then, and its start: the next whose start is not past.

    None: there are no more of them.
    """
    steps = max(1, -((starts_sale_ms - sale_ms) // repeat.every_ms))
    following = repeat._replace(n=repeat.n + steps)
    return (following, starts_sale_ms + steps * repeat.every_ms) if following.n <= repeat.times else None


def price_below(prices: Prices, sale_ms: int) -> int:
    """The price that would be in force without the reduction that is: what this one is a reduction of."""
    match price_in_force(prices, sale_ms).reason.rule:
        case "flash":
            prices = prices._replace(flash=None)
        case "show_flash":
            prices = prices._replace(show_flash=None)
        case _:
            pass
    return price_in_force(prices, sale_ms).price_minor


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
