"""What a rule is: a number, a title, and a small function whose docstring explains it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from server.verify.bodies import Body
from server.verify.records import Step
from server.verify.replay import Replay

Check = Callable[[Step, Replay], str | None]
"""(the entry, everything before it) → what is wrong, or None."""
B = TypeVar("B", bound=Body)


@dataclass(frozen=True)
class Rule:
    """One rule. `check` is None for those of the file itself, which `chain.py` applies to lines."""

    number: int
    title: str
    why: str
    check: Check | None = None


def rule(number: int, title: str) -> Callable[[Check], Rule]:
    """Make a rule of a function that looks at every entry."""
    return lambda check: Rule(number, title, check.__doc__ or "", check)


def rule_for(
    kind: type[B], number: int, title: str
) -> Callable[[Callable[[Step, B, Replay], str | None]], Rule]:
    """Make a rule of a function that looks at entries with one kind of body."""

    def made(check: Callable[[Step, B, Replay], str | None]) -> Rule:
        def only(step: Step, before: Replay) -> str | None:
            return check(step, step.body, before) if isinstance(step.body, kind) else None

        return Rule(number, title, check.__doc__ or "", only)

    return made
