"""Money is an integer of minor units; this module holds its bounds and the one rounding there is.

Nothing here knows a currency's name or how many decimals it shows: that is the pages' business. The bounds
keep every sum below 2^53, so that Lua (doubles), JSON and JavaScript all hold it exactly. Pure.
"""

from typing import Annotated, Final

import msgspec

PRICE_MAX_MINOR: Final = 10**11
QUANTITY_MAX: Final = 10**4
STOCK_MAX: Final = 10**9
TOTAL_MAX_MINOR: Final = 2**53 - 1
BPS: Final = 10_000  # basis points in a whole

PriceMinor = Annotated[int, msgspec.Meta(ge=1, le=PRICE_MAX_MINOR)]
SeenPriceMinor = Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX_MINOR)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
Stock = Annotated[int, msgspec.Meta(ge=0, le=STOCK_MAX)]
StockDelta = Annotated[int, msgspec.Meta(ge=-STOCK_MAX, le=STOCK_MAX)]
CommissionBps = Annotated[int, msgspec.Meta(ge=0, le=BPS)]


def goods_minor(unit_price_minor: int, quantity: int) -> int:
    """Price of a line in minor units. Within the bounds it is at most 10^15, so it cannot pass 2^53."""
    return unit_price_minor * quantity


def commission_minor(goods: int, commission_bps: int) -> int:
    """The marketplace's share of `goods` (minor units), rounded half up to a whole minor unit."""
    return (goods * commission_bps + BPS // 2) // BPS
