"""Whatever is done to a show in whatever order: its log chains, and folding the log gives its state and sale
clock.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.sale import SECRET
from support.store import advance, digest

from server.live.moderation import (
    BlankVideo,
    Command,
    Moderated,
    Moderation,
    PauseSales,
    ResumeSales,
    ShowVideo,
    SlowMode,
)
from server.live.roles import role_table
from server.live.shows import TRANSITIONS, Change, Done, NewShow, Shows
from server.log import reader
from server.log.entries import Entry, check_chain
from server.log.state import SaleClock, ShowSnapshot, is_frozen
from server.store.outcome import Refused
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]
CREATOR = Principal("c", "p_" + "c" * 22, "creator", None, "jti", 2**33)
VIEWER = Principal("v", "p_" + "v" * 22, "viewer", None, "jti", 2**33)
FLAGS = ("sales_paused", "video_blanked", "host_away")
COMMANDS: list[Command] = [PauseSales("r"), ResumeSales("r"), BlankVideo("r"), ShowVideo("r"), SlowMode(3)]

Step = Change | Command | bool | int | Principal
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.sampled_from(list(TRANSITIONS)),
        st.sampled_from(COMMANDS),
        st.booleans(),
        st.integers(1, 100_000),
        st.just(VIEWER),
    ),
    max_size=25,
)


@pytest.fixture
def on_loop(store_url: str) -> Iterator[tuple[Run, Store]]:
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(store_url, role_table()))
        yield runner.run, store
        runner.run(store.close())


class Model:
    """A show in plain Python: what the scripts must do."""

    def __init__(self) -> None:
        self.state = "scheduled"
        self.flags = dict.fromkeys(FLAGS, False)

    def allows(self, change: Change) -> bool:
        return self.state in TRANSITIONS[change][0]

    def do(self, step: Step) -> None:
        match step:
            case str():
                self.state = TRANSITIONS[step][1]
            case PauseSales() | ResumeSales():
                self.flags["sales_paused"] = isinstance(step, PauseSales)
            case BlankVideo() | ShowVideo():
                self.flags["video_blanked"] = isinstance(step, BlankVideo)
            case bool() if self.state in ("live", "paused"):
                self.flags["host_away"] = step
            case _:
                pass


async def take(store: Store, show: str, model: Model, step: Step) -> None:
    """One step on the real show; refusals must be the model's and must write nothing."""
    shows, before = Shows(store), await digest(store, show)
    match step:
        case str():
            outcome = await shows.change(show, CREATOR, step)
            if not model.allows(step):
                assert outcome == Refused("illegal_transition", {"state": model.state})
                assert await digest(store, show) == before
                return
            assert isinstance(outcome, Done)
        case bool():
            assert isinstance(await shows.host_away(show, away=step), Done)
        case int():
            await advance(store, show, step)
        case Principal():
            assert await shows.change(show, step, "pause") == Refused("forbidden")
            assert await digest(store, show) == before
        case _:
            assert isinstance(
                await Moderation(store, PrivateText(store, SECRET)).apply(show, CREATOR, step), Moderated
            )
    model.do(step)


def fold(entries: list[Entry]) -> tuple[SaleClock, list[tuple[int, int]]]:
    """The sale clock out of the entries alone, and (server, sale) times at each."""
    clock, times = SaleClock(), list[tuple[int, int]]()
    for entry in entries:
        if entry.kind == "show.state":
            assert entry.body["frozen"] == is_frozen(
                entry.body["state"], **{flag: entry.body[flag] for flag in FLAGS}
            )
            clock = clock.turn(entry.ts, frozen=entry.body["frozen"])
            said = (entry.body["frozen_total_ms"], entry.body["frozen_since_ms"])
            assert said == (clock.frozen_total_ms, clock.frozen_since_ms)
        times.append((entry.ts, clock.at(entry.ts)))
    return clock, times


def agree(snapshot: ShowSnapshot, entries: list[Entry], model: Model) -> None:
    assert check_chain(entries, 0, 0) == "ok"
    assert (snapshot.seq, snapshot.public_seq) == (
        entries[-1].seq,
        max(entry.seq for entry in entries if entry.is_public),
    )
    assert snapshot.state == model.state
    assert {flag: getattr(snapshot, flag) for flag in FLAGS} == model.flags
    assert snapshot.frozen == is_frozen(model.state, **model.flags)
    clock, times = fold(entries)
    assert snapshot.sale_ms == clock.at(snapshot.server_ms)
    for (ts, sale), (next_ts, next_sale) in itertools.pairwise(
        [*times, (snapshot.server_ms, snapshot.sale_ms)]
    ):
        assert next_ts >= ts
        assert 0 <= next_sale - sale <= next_ts - ts


def test_the_log_tells_the_show(on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    numbers = itertools.count()

    @examples(60)
    @given(steps)
    def whatever_happens(taken: list[Step]) -> None:
        show, model = f"life{next(numbers)}", Model()

        async def play() -> None:
            await Shows(store).create(CREATOR, NewShow(title="T", currency="EUR", id=show))
            for step in taken:
                await take(store, show, model, step)
            snapshot = await reader.snapshot(store, show)
            assert snapshot is not None
            agree(snapshot, await reader.entries(store, show, 0), model)

        run(play())

    run(_flush(store))
    whatever_happens()


async def _flush(store: Store) -> None:
    await store.writes.call("FLUSHALL")
