"""Integer money and the price in force at the edges of a window."""

from hypothesis import given
from hypothesis import strategies as st

from server.commerce.money import (
    PRICE_MAX_MINOR,
    QUANTITY_MAX,
    TOTAL_MAX_MINOR,
    commission_minor,
    goods_minor,
)
from server.commerce.pricing import Flash, price_in_force, sale_time_ms, server_time_ms

FLASH = Flash("f", 700, 6, 100, 200)


def test_a_total_within_the_bounds_is_exact_in_a_double() -> None:
    assert goods_minor(PRICE_MAX_MINOR, QUANTITY_MAX) <= TOTAL_MAX_MINOR


@given(st.integers(0, 10**15), st.integers(0, 10_000))
def test_commission_is_rounded_half_up_to_whole_minor_units(goods: int, bps: int) -> None:
    exact_times_20000 = 2 * goods * bps
    share = commission_minor(goods, bps) * 20_000
    assert share - 10_000 <= exact_times_20000 < share + 10_000


def test_the_window_is_half_open_and_the_version_after_it_is_reserved() -> None:
    seen = [price_in_force(1000, 5, FLASH, at) for at in (99, 100, 199, 200)]
    during = (700, 6, ("flash", "f"))
    assert seen == [(1000, 5, ("list", None)), during, during, (1000, 7, ("list", None))]
    assert price_in_force(1000, 5, None, 150) == (1000, 5, ("list", None))


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
def test_the_sale_clock_stands_still_while_frozen(now: int, later: int, total: int) -> None:
    assert sale_time_ms(now + later, now, total) == now - total
    assert sale_time_ms(now + later, 0, total + later) == now - total  # and goes on where it stood
    assert server_time_ms(sale_time_ms(now, 0, total), 0, total) == now
    assert server_time_ms(now, 1, total) is None
