"""Auctions obey their rules, whatever happens in whatever order; a script that does not is found."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lot_machine import STEPS, LotMachine
from support.machines import Run, break_scripts, run_machine

from server.commerce.lots import Lot, standing, step_at
from server.store.outcome import Refused
from server.store.store import Store


def test_auctions_obey_their_rules(on_loop: tuple[Run, Store]) -> None:
    run_machine(LotMachine, *on_loop, examples=int(os.environ.get("SALE_EXAMPLES", "40")))


MUTATIONS = {
    "first price": (
        "price = math.min(top[1].max, top[2].max + step_at(l, top[2].max))",
        "price = top[1].max",
    ),
    "the later of two equals": ("BID_SCALE - 1 - l.bids", "l.bids"),
    "a bid below the next one": ("if max < least then", "if max < l.start_minor then"),
    "a bid after the end": ("l.state ~= 'open' or l.ends <= sale_ms", "l.state ~= 'open'"),
    "no soft close": ("if l.ends - sale_ms < l.soft_close_ms then", "if false then"),
    "the banned win": ("if #top < 2 and not banned(flat[i]) then", "if #top < 2 then"),
    "the unit is not held": ("shift(p, -1, 1, 0)\nlocal l = ", "local l = "),
    "no order for the winner": ("sell(l, p, first)", ""),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "first price" else pytest.mark.slow) for name in MUTATIONS],
)
def test_a_broken_auction_is_found(name: str, on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    break_scripts(store, *MUTATIONS[name])
    with pytest.raises(AssertionError):
        run_machine(LotMachine, run, store, examples=400, shrink=False)


bids = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 300)), max_size=12)


@given(bids=bids)
def test_nobody_pays_more_than_their_maximum_and_no_honest_bid_lowers_the_price(
    bids: list[tuple[str, int]],
) -> None:
    lot = Lot("mug", 10, STEPS, 60_000, 60_000, 0)
    price = 0
    for pid, most in bids:
        refused = lot.bid(pid, most, 0)
        now = lot.standing()
        if refused is None:
            assert now.leader is not None
            assert now.price_minor is not None
            assert lot.start_minor <= now.price_minor <= lot.maxima[now.leader]
            assert now.price_minor >= price
            assert all(most <= lot.maxima[now.leader] for most in lot.maxima.values())
            price = now.price_minor
        else:
            assert isinstance(refused, Refused)
            assert (now.price_minor or 0) == price


def test_the_second_price_by_hand() -> None:
    assert standing(10, STEPS, []) == (None, None, 10)
    assert standing(10, STEPS, [("a", 50)]) == ("a", 10, 20)
    assert standing(10, STEPS, [("a", 50), ("b", 90)]) == ("b", 60, 70)
    assert standing(10, STEPS, [("a", 50), ("b", 55)]) == ("b", 55, 65)
    assert standing(10, STEPS, [("a", 50), ("b", 50)]) == ("a", 50, 60)
    assert standing(10, STEPS, [("a", 150), ("b", 300)]) == ("b", 175, 200)
    assert [step_at(STEPS, price) for price in (0, 99, 100, 10**9)] == [10, 10, 25, 25]
