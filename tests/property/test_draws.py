"""Draws obey their rule, whatever happens in whatever order; a script that does not is found."""

import os

import pytest
from hypothesis.errors import FlakyFailure
from support.draw_machine import DrawMachine
from support.machines import Run, break_scripts, run_machine

from server.store.store import Store


def test_draws_obey_their_rule(on_loop: tuple[Run, Store]) -> None:
    run_machine(DrawMachine, *on_loop, examples=int(os.environ.get("SALE_EXAMPLES", "30")))


MUTATIONS = {
    "the banned win": ("if banned(pid) or is_at_cap(p, pid) then", "if is_at_cap(p, pid) then"),
    "more than the cap": ("if banned(pid) or is_at_cap(p, pid) then", "if banned(pid) then"),
    "one more than there are": ("if #winners == d.units then", "if #winners > d.units then"),
    "an entry after the end": ("d.state ~= 'open' or d.ends <= sale_ms", "d.state ~= 'open'"),
    "the units are not held": ("shift(p, -units, units, 0)\n", ""),
    "the units stay away": ("shift(p, d.units, -d.units, 0)", "shift(p, 0, -d.units, d.units)"),
    "another price": ("unit_minor = d.price_minor, seen", "unit_minor = d.price_minor + 1, seen"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "the banned win" else pytest.mark.slow) for name in MUTATIONS],
)
def test_a_broken_draw_is_found(name: str, on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    break_scripts(store, *MUTATIONS[name])
    with pytest.raises((AssertionError, FlakyFailure)):  # a draw's id, and so whom it calls, is chance
        run_machine(DrawMachine, run, store, examples=400, shrink=False)
