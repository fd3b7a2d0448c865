"""A draw is fair: uniform over its entries, blind to when they came, bound to the seed committed to."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from server.commerce.draws import ENTRIES_MAX, commitment, is_revealed, seed_of, winners

SECRET = b"a secret of the server, for tests"
CHI_SQUARE_999 = {1: 10.83, 49: 85.35}
"""Degrees of freedom → what a fair draw passes in 1 of 1,000 cases. Seeds and values are fixed."""

Draw = Callable[[str, bytes, list[str], int], list[str]]


def _seed(draw: str) -> bytes:
    return seed_of(SECRET, "s_1", draw)


def _chi_square_of_entries(draw: Draw) -> float:
    """5,000 draws of 5 units among 50 entries; a draw takes nobody twice, hence the variance p (1 − p)."""
    entries, units, rounds = [f"p_{n}" for n in range(50)], 5, 5_000
    wins: Counter[str] = Counter()
    for n in range(rounds):
        wins.update(draw(f"d_{n}", _seed(f"d_{n}"), entries, units))
    p = units / len(entries)
    squares = sum((wins[entry] - rounds * p) ** 2 for entry in entries)
    return squares / (rounds * p * (1 - p)) * (len(entries) - 1) / len(entries)


def _chi_square_of_bots(draw: Draw) -> tuple[float, int]:
    """1,000 bots that enter after 1 ms and 1,000 people after about 300 ms; 200 draws of 100 units."""
    dice, units, rounds = random.Random(4), 100, 200
    came = [(1.0 + dice.random(), f"bot_{n}") for n in range(1_000)]
    came += [(dice.gauss(300, 60), f"person_{n}") for n in range(1_000)]
    entries = [entry for _, entry in sorted(came)]
    bots = 0
    for n in range(rounds):
        won = draw(f"d_{n}", _seed(f"d_{n}"), entries, units)
        bots += sum(entry.startswith("bot_") for entry in won)
    variance = rounds * units / 4 * (2_000 - units) / (2_000 - 1)
    return (bots - rounds * units / 2) ** 2 / variance, bots


def _first_come(_draw: str, _seed: bytes, entries: list[str], units: int) -> list[str]:
    return entries[:units]


def test_every_entry_wins_as_often_as_every_other() -> None:
    value = _chi_square_of_entries(winners)
    print(f"chi-square over entries: {value:.2f} (49 degrees of freedom)")
    assert value < CHI_SQUARE_999[49]
    assert _chi_square_of_entries(_first_come) > CHI_SQUARE_999[49]


def test_bots_that_are_first_have_no_advantage() -> None:
    value, bots = _chi_square_of_bots(winners)
    print(f"chi-square bots against people: {value:.3f} (1 degree of freedom); bots won {bots} of 20000")
    assert value < CHI_SQUARE_999[1]
    assert _chi_square_of_bots(_first_come)[0] > CHI_SQUARE_999[1]


def test_the_order_of_the_entries_changes_nothing_and_the_seed_and_each_entry_do() -> None:
    entries = [f"p_{n}" for n in range(40)]
    won = winners("d_1", _seed("d_1"), entries, 10)
    assert winners("d_1", _seed("d_1"), entries[::-1], 10) == won
    assert winners("d_1", _seed("d_2"), entries, 10) != won
    assert winners("d_2", _seed("d_1"), entries, 10) != won
    ranked = winners("d_1", _seed("d_1"), entries, 40)
    with_one_more = winners("d_1", _seed("d_1"), [*entries, "p_40"], 41)
    assert [entry for entry in with_one_more if entry != "p_40"] != ranked
    assert len(set(won)) == 10
    assert set(won) <= set(entries)


def test_fewer_entries_than_units_all_win_and_none_is_nobody() -> None:
    assert set(winners("d_1", _seed("d_1"), ["p_1", "p_2"], 5)) == {"p_1", "p_2"}
    assert winners("d_1", _seed("d_1"), [], 5) == []


def test_a_commitment_is_met_by_its_seed_for_its_draw_alone() -> None:
    seed = _seed("d_1")
    told = commitment("d_1", seed)
    assert is_revealed("d_1", told, seed)
    assert not is_revealed("d_2", told, seed)
    assert not is_revealed("d_1", told, bytes([seed[0] ^ 1]) + seed[1:])
    assert not is_revealed("d_1", told, seed[:-1])


def test_seeds_differ_by_show_draw_and_secret_and_their_parts_do_not_run_together() -> None:
    seeds = {
        seed_of(SECRET, "s_1", "d_1"),
        seed_of(SECRET, "s_1", "d_2"),
        seed_of(SECRET, "s_2", "d_1"),
        seed_of(b"another", "s_1", "d_1"),
        seed_of(SECRET, "s_1d", "_1"),
    }
    assert len(seeds) == 5


@pytest.mark.parametrize(
    ("seed", "entries", "units"),
    [
        (b"short", ["p_1"], 1),
        (bytes(32), ["p_1", "p_1"], 1),
        (bytes(32), ["p_1"], 0),
        (bytes(32), [f"p_{n}" for n in range(ENTRIES_MAX + 1)], 1),
    ],
    ids=["a short seed", "an entry twice", "no unit", "too many entries"],
)
def test_what_is_no_draw_is_refused(seed: bytes, entries: list[str], units: int) -> None:
    with pytest.raises(ValueError, match=r"entries|seed"):
        winners("d_1", seed, entries, units)
