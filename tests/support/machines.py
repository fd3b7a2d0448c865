"""Running a state machine of Hypothesis against the real scripts, and breaking a script to see it found."""

import hashlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from server.live.roles import role_table
from server.store.scripts import Script, Scripts, load_scripts
from server.store.store import Store

Run = Callable[[Any], Any]


def run_machine(machine: Any, run: Run, store: Store, examples: int, *, shrink: bool = True) -> None:
    """Run a `RuleBasedStateMachine` made of (run, store); without shrinking always the same examples."""

    class Machine(machine):
        def __init__(self) -> None:
            super().__init__(run, store)

    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
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


def break_scripts(store: Store, old: str, new: str) -> None:
    """Exchange a piece of text in every script that has it."""
    scripts = load_scripts(role_table())
    broken = {key: replace(script, old, new) for key, script in scripts.items()}
    assert broken != scripts
    store.scripts = Scripts(store.writes, broken)


def replace(script: Script, old: str, new: str) -> Script:
    """The script with a piece of its text exchanged, under its own hash."""
    source = script.source.replace(old.encode(), new.encode())
    return Script(script.name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest())
