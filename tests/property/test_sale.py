"""The scripts obey the model, whatever happens in whatever order; a script that does not is found."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.sale_machine import SaleMachine

from server.live.roles import role_table
from server.store.scripts import Script, Scripts, load_scripts
from server.store.store import Store

Run = Callable[[Any], Any]


@pytest.fixture
def on_loop(store_url: str) -> Iterator[tuple[Run, Store]]:
    """A loop of its own and a store on it: Hypothesis calls from outside any loop."""
    with asyncio.Runner() as runner:

        def run(awaitable: Any) -> Any:
            async def wait() -> Any:
                return await awaitable

            return runner.run(wait())

        async def opened() -> Store:
            return await Store.open(store_url, role_table())

        store = run(opened())
        yield run, store
        run(store.close())


def run_machine(run: Run, store: Store, examples: int, *, shrink: bool = True) -> None:
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    class Machine(SaleMachine):
        def __init__(self) -> None:
            super().__init__(run, store)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            phases=phases,
            derandomize=not shrink,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_the_scripts_obey_the_model(on_loop: tuple[Run, Store]) -> None:
    run_machine(*on_loop, examples=int(os.environ.get("SALE_EXAMPLES", "60")))


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
        "local no, due = room_for(p, o.pid, o.quantity, o.flash)",
        "local no, due = nil, {}",
    ),
    "written off and restocked": ("restock and o.quantity or 0", "o.quantity"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "no stock check" else pytest.mark.slow) for name in MUTATIONS],
)
def test_a_broken_script_is_found(name: str, on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    old, new = MUTATIONS[name]
    scripts = load_scripts(role_table())
    broken = {key: replace(script, old, new) for key, script in scripts.items()}
    assert broken != scripts
    store.scripts = Scripts(store.writes, broken)
    with pytest.raises(AssertionError):
        run_machine(run, store, examples=400, shrink=False)


def replace(script: Script, old: str, new: str) -> Script:
    """The script with a piece of its text exchanged, under its own hash."""
    source = script.source.replace(old.encode(), new.encode())
    return Script(script.name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest())
