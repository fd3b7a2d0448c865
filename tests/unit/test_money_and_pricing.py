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
from server.commerce.pricing import (
    Flash,
    Instant,
    Prices,
    ShowReduction,
    price_below,
    price_in_force,
    sale_time_ms,
    server_time_ms,
    show_price,
)

FLASH = Flash("f", 700, 6, 100, 200)


def at(ms: int) -> Instant:
    """A moment of a show that has never been frozen."""
    return Instant(ms, ms)


def test_a_total_within_the_bounds_is_exact_in_a_double() -> None:
    assert goods_minor(PRICE_MAX_MINOR, QUANTITY_MAX) <= TOTAL_MAX_MINOR


@given(st.integers(0, 10**15), st.integers(0, 10_000))
def test_commission_is_rounded_half_up_to_whole_minor_units(goods: int, bps: int) -> None:
    exact_times_20000 = 2 * goods * bps
    share = commission_minor(goods, bps) * 20_000
    assert share - 10_000 <= exact_times_20000 < share + 10_000


def test_the_window_is_half_open_and_the_version_after_it_is_reserved() -> None:
    seen = [price_in_force(Prices(1000, 5, FLASH), at(ms)) for ms in (99, 100, 199, 200)]
    during = (700, 6, ("flash", "f"))
    assert seen == [(1000, 5, ("list", None)), during, during, (1000, 7, ("list", None))]
    assert price_in_force(Prices(1000, 5), at(150)) == (1000, 5, ("list", None))


def test_a_flash_price_goes_before_one_of_the_whole_show_and_that_before_the_list_price() -> None:
    show_flash = ShowReduction("show_flash", "s", 900, 50, 150)
    prices = Prices(1000, 5, FLASH, (show_flash,))
    seen = [price_in_force(prices, at(ms)) for ms in (49, 50, 100, 150, 200)]
    listed = ("list", None)
    assert [price for price, _, _ in seen] == [1000, 900, 700, 700, 1000]
    assert [version for _, version, _ in seen] == [5, 6, 7, 8, 9]
    assert [why for _, _, why in seen] == [
        listed,
        ("show_flash", "s"),
        ("flash", "f"),
        ("flash", "f"),
        listed,
    ]
    assert [price_below(prices, at(ms)) for ms in (49, 50, 100, 150)] == [1000, 900, 900, 1000]
    not_in_it = prices._replace(flash=None, of_show=(show_flash._replace(price_minor=None),))
    assert price_in_force(not_in_it, at(100)) == (1000, 6, listed)
    assert price_in_force(prices.after("flash"), at(100)) == (900, 8, ("show_flash", "s"))
    assert [show_price(999, 33, floor) for floor in (None, 700, 999)] == [670, 700, None]


def test_a_campaign_is_below_both_and_goes_by_the_servers_clock() -> None:
    campaign = ShowReduction("campaign", "c", 800, 60, 190)
    show_flash = ShowReduction("show_flash", "s", 900, 50, 150)
    prices = Prices(1000, 5, FLASH, (campaign, show_flash))
    seen = [price_in_force(prices, at(ms)) for ms in (49, 55, 100, 160, 195, 200)]
    assert [price for price, _, _ in seen] == [1000, 900, 700, 700, 700, 1000]
    assert [version for _, version, _ in seen] == [5, 6, 8, 9, 10, 11]
    of_show = prices.without("flash")
    assert [price_below(of_show, at(ms)) for ms in (49, 59, 60, 149, 150, 190)] == [1000] * 2 + [800] * 2 + [
        1000
    ] * 2
    announced = Prices(1000, 5).reduced_by(show_flash._replace(starts_ms=70)).reduced_by(campaign)
    assert [price_below(announced, at(ms)) for ms in (59, 60, 70)] == [1000, 800, 800]
    alone = Prices(1000, 5, of_show=(campaign,))
    frozen = [price_in_force(alone, Instant(ms, 10)) for ms in (59, 60, 189, 190)]
    during = (800, 6, ("campaign", "c"))
    assert frozen == [(1000, 5, ("list", None)), during, during, (1000, 7, ("list", None))]


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
def test_the_sale_clock_stands_still_while_frozen(now: int, later: int, total: int) -> None:
    assert sale_time_ms(now + later, now, total) == now - total
    assert sale_time_ms(now + later, 0, total + later) == now - total  # and goes on where it stood
    assert server_time_ms(sale_time_ms(now, 0, total), 0, total) == now
    assert server_time_ms(now, 1, total) is None
