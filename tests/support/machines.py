"""Running a state machine of Hypothesis against the real scripts, and breaking a script to see it found."""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RULE_MARKER, run_state_machine_as_test

from server.live.roles import role_table
from server.store.scripts import Script, Scripts, load_scripts
from server.store.store import Store

Run = Callable[[Any], Any]


def run_machine(
    machine: Any, run: Run, store: Store, examples: int, *, shrink: bool = True, only: Collection[str] = ()
) -> None:
    """Run a `RuleBasedStateMachine` made of (run, store); without shrinking always the same examples.

    `only` these of its rules are drawn (all when it is empty).
    """

    class Machine(machine):
        def __init__(self) -> None:
            super().__init__(run, store)

    for name in _rules(machine) - {*only} if only else ():
        setattr(Machine, name, _plain(getattr(machine, name)))
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


def _rules(machine: Any) -> set[str]:
    return {name for name in dir(machine) if hasattr(getattr(machine, name), RULE_MARKER)}


def _plain(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule as a method: other rules may still call it, but it is not drawn."""

    def method(self: Any, *args: Any, **named: Any) -> Any:
        return rule(self, *args, **named)

    return method


def break_scripts(store: Store, old: str, new: str) -> None:
    """Exchange a piece of text in every script that has it."""
    scripts = load_scripts(role_table())
    broken = {key: replace(script, old, new) for key, script in scripts.items()}
    assert broken != scripts
    store.scripts = Scripts(store.writes, broken)


def replace(script: Script, old: str, new: str) -> Script:
    """The script with a piece of its text exchanged."""
    return dataclasses.replace(script, text=script.text.replace(old, new))
