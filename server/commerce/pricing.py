"""The price in force: a pure function of a product's log entries and the sale clock.

The same rule stands in `server/log/prelude.lua` (`price_in_force`), where it decides what a buyer is
charged; this twin serves the model and `vendue verify`. Times are milliseconds of the sale clock, which
stands still while the show is frozen. A flash price announced at version v reserves two versions: v+1 on
[starts, ends) and v+2 for the list price after it, whether or not anybody has written the `price.ended`
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


class Reason(NamedTuple):
    """Why a price: the rule that gave it (`list`, `flash`), and which of its kind (None: the list price)."""

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


def price_in_force(list_price_minor: int, version: int, flash: Flash | None, sale_ms: int) -> PriceInForce:
    """Return the price at `sale_ms` of a product with this list price, base version and announced flash."""
    if flash is None or sale_ms < flash.starts_sale_ms:
        return PriceInForce(list_price_minor, version, Reason())
    if sale_ms < flash.ends_sale_ms:
        return PriceInForce(flash.price_minor, version + 1, Reason("flash", flash.id))
    return PriceInForce(list_price_minor, version + 2, Reason())


DEEP_PERCENT = 70
"""A flash price that takes more off the list price has to be confirmed by who has seen what it may cost."""


def reduced(list_price_minor: int, percent_off: int) -> int:
    """A list price less a percentage, the reduction rounded down to a minor unit."""
    return list_price_minor - list_price_minor * percent_off // 100


def is_deep(list_price_minor: int, price_minor: int) -> bool:
    """Whether a price takes more than `DEEP_PERCENT` off the list price."""
    return (list_price_minor - price_minor) * 100 > list_price_minor * DEEP_PERCENT


def preview(list_price_minor: int, price_minor: int, cost_minor: int | None, units: int) -> dict[str, object]:
    """What a reduced price may cost when so many units are sold at it; `loss_minor` None: cost is unknown."""
    return {
        "price_minor": price_minor,
        "list_price_minor": list_price_minor,
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
