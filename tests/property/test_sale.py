"""The scripts obey the model, whatever happens in whatever order; a script that does not is found."""

import os

import pytest
from support.machines import Run, break_scripts, run_machine
from support.sale_machine import SaleMachine

from server.store.store import Store


def test_the_scripts_obey_the_model(on_loop: tuple[Run, Store]) -> None:
    run_machine(SaleMachine, *on_loop, examples=int(os.environ.get("SALE_EXAMPLES", "60")))


MUTATIONS = {
    "no stock check": ("if left < quantity then", "if false then"),
    "no cap": ("if cap and mine + quantity > cap then", "if false then"),
    "no flash cap": ("if flash_cap and flash_mine + quantity > flash_cap then", "if false then"),
    "no quota": ("if flash_quantity and flash_used + quantity > flash_quantity then", "if false then"),
    "due one ms late": ("o.expires <= sale_ms", "o.expires < sale_ms"),
    "cap not given back": ("count(o, -o.quantity)", ""),
    "stock not given back": ("shift(product(o.sku), o.quantity, -o.quantity, 0)", ""),
    "due holds not free": ("if o.sku == p.sku then", "if false then"),
    "charged more than seen": ("if unit_minor > seen_minor then", "if false then"),
    "sold while paused": ("if show.sales_paused == '1' then", "if false then"),
    "flash never used up": ("#ids < DUE_MAX and used >= quantity", "false"),
    "extended every time": ("if not o.extended then", "if true then"),
    "late money without room": (
        "then no, due = room_for(p, o.pid, o.quantity, o.flash) end",
        "then no, due = nil, {} end",
    ),
    "written off and restocked": ("restock and units or 0", "units"),
    "more goes back than was paid": ("if amount > left_minor or", "if"),
    "units of a part stay counted": ("    count(o, -units)", ""),
    "done before all is back": ("if not ids[r.id] then return end", ""),
    "undone sales stay": ("elseif o.state == 'paid' then", "elseif false then"),
    "late money for what is undone": ("if not is_undone(o.flash) then", "if true then"),
    "lost money stays paid": ("o.state == 'paid' and n == o.paid_by", "false"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "no stock check" else pytest.mark.slow) for name in MUTATIONS],
)
def test_a_broken_script_is_found(name: str, on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    break_scripts(store, *MUTATIONS[name])
    with pytest.raises(AssertionError):
        run_machine(SaleMachine, run, store, examples=400, shrink=False)
