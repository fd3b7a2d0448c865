"""Jumps of the store's clock: no deadline moves by more than LIMIT_MS, server time goes on, workers agree."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.clock_shift import ClockShift
from support.store import bodies, digest, embedded, opened, show_hash

from server.live.shows import NewShow, Shows
from server.log import reader
from server.log.clock import LIMIT_MS, ServerClock
from server.store.store import Store
from server.tokens import Principal

CREATOR = Principal("c", "p_" + "c" * 22, "creator", None, "jti", 2**33)
HOUR_MS = 3_600_000
SLACK_MS = 300
"""For a busy machine; the jumps are at least thirty times as long."""

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shifting a clock needs gcc")


class Shifted:
    """A store whose clock the test shifts, with one live show."""

    def __init__(self, store: Store, shift: ClockShift) -> None:
        self.store, self._shift = store, shift
        self._ahead_ms = 0.0

    async def jump(self, ms: int) -> None:
        """Set the store's clock `ms` ahead; Valkey reads the wall clock once a millisecond only."""
        self._shift.set_ms(ms)
        await asyncio.sleep(0.02)

    async def server_ms(self) -> int:
        snapshot = await reader.snapshot(self.store, "s1")
        assert snapshot is not None
        return snapshot.server_ms

    async def _ahead_of_monotonic_ms(self) -> float:
        """The show's clock less the monotonic one, from the quickest of a few answers: the machine may be
        busy.
        """
        samples: list[tuple[float, float]] = []
        for _ in range(5):
            asked = time.monotonic()
            server_ms = await self.server_ms()
            answered = time.monotonic()
            samples.append((answered - asked, server_ms - (asked + answered) * 500))
        return min(samples)[1]

    async def start_watching_time(self) -> None:
        self._ahead_ms = await self._ahead_of_monotonic_ms()

    async def error_ms(self) -> float:
        """By how much the show's clock is ahead of true elapsed time."""
        return await self._ahead_of_monotonic_ms() - self._ahead_ms


@pytest.fixture
async def shifted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shifted]:
    shift = ClockShift(tmp_path)
    for name, value in shift.env.items():
        monkeypatch.setenv(name, value)
    async with embedded(tmp_path / "data") as (_, url), opened(url) as store:
        shows = Shows(store)
        await shows.create(CREATOR, NewShow(title="T", currency="EUR", id="s1"))
        await shows.change("s1", CREATOR, "start")
        yield Shifted(store, shift)


async def test_the_shift_itself_works(shifted: Shifted) -> None:
    await shifted.start_watching_time()
    await shifted.jump(HOUR_MS)
    assert await shifted.error_ms() == pytest.approx(HOUR_MS, abs=SLACK_MS)


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS, 10_000, -10_000])
async def test_a_jump_is_held_then_taken_back(shifted: Shifted, jump_ms: int) -> None:
    clock = ServerClock(shifted.store)
    await clock.start()
    await shifted.start_watching_time()
    true_ms = clock.exact_ms() - time.monotonic() * 1000
    await shifted.jump(jump_ms)
    assert abs(await shifted.error_ms()) <= LIMIT_MS + SLACK_MS  # before anybody has noticed
    await clock.beat()
    assert abs(await shifted.error_ms()) <= LIMIT_MS + SLACK_MS
    await asyncio.sleep(LIMIT_MS / 1000)  # server time does not run back, so it may have to wait
    assert abs(await shifted.error_ms()) <= SLACK_MS
    assert clock.exact_ms() - time.monotonic() * 1000 == pytest.approx(true_ms, abs=SLACK_MS)
    [body] = await bodies(shifted.store, "s1", "clock.offset")
    assert body["offset_ms"] == pytest.approx(-jump_ms, abs=SLACK_MS)
    await clock.close()


async def test_server_time_never_runs_back_through_jumps(shifted: Shifted) -> None:
    clock = ServerClock(shifted.store)
    await clock.start()
    shows, last = Shows(shifted.store), 0
    for number, jump_ms in enumerate([HOUR_MS, -HOUR_MS, 5000, 0, -7000]):
        await shifted.jump(jump_ms)
        await shows.change("s1", CREATOR, "resume" if number % 2 else "pause")
        await clock.beat()
        now_ms = await shifted.server_ms()
        assert now_ms >= last
        last = now_ms
    stamps = [entry.ts for entry in await reader.entries(shifted.store, "s1", 0)]
    assert stamps == sorted(stamps)
    await clock.close()


async def test_many_workers_take_one_jump_back_once(shifted: Shifted) -> None:
    clocks = [ServerClock(shifted.store) for _ in range(4)]
    await asyncio.gather(*(clock.start() for clock in clocks))
    await shifted.jump(HOUR_MS)
    for _ in range(3):
        await asyncio.gather(*(clock.beat() for clock in clocks))
    assert len(await bodies(shifted.store, "s1", "clock.offset")) == 1
    assert max(clock.exact_ms() for clock in clocks) - min(clock.exact_ms() for clock in clocks) < SLACK_MS
    for clock in clocks:
        await clock.close()


async def test_new_shows_and_new_workers_share_the_corrected_clock(shifted: Shifted) -> None:
    clock = ServerClock(shifted.store)
    await clock.start()
    await shifted.jump(HOUR_MS)
    await clock.beat()
    await Shows(shifted.store).create(CREATOR, NewShow(title="T", currency="EUR", id="s2"))
    snapshot = await reader.snapshot(shifted.store, "s2")
    assert snapshot is not None
    assert snapshot.server_ms == pytest.approx(clock.now_ms(), abs=SLACK_MS)
    assert (await bodies(shifted.store, "s2"))[0]["id"] == "s2"
    newcomer = ServerClock(shifted.store)
    await newcomer.start()
    assert newcomer.exact_ms() == pytest.approx(clock.exact_ms(), abs=SLACK_MS)
    await clock.close()
    await newcomer.close()


async def test_an_outage_of_all_watchers_stops_a_live_clock_until_one_is_back(shifted: Shifted) -> None:
    clock = ServerClock(shifted.store)
    await clock.start()
    await clock.close()
    await shifted.start_watching_time()
    await asyncio.sleep(LIMIT_MS / 1000 + 0.5)
    assert await shifted.error_ms() < -200
    newcomer = ServerClock(shifted.store)
    await newcomer.start()
    assert await shifted.error_ms() == pytest.approx(0, abs=SLACK_MS)
    await newcomer.close()


async def test_a_show_that_is_not_open_has_no_limit_and_is_not_written(shifted: Shifted) -> None:
    clock = ServerClock(shifted.store)
    await Shows(shifted.store).change("s1", CREATOR, "end")
    before = await digest(shifted.store, "s1")
    await clock.start()
    await clock.beat()
    assert (await show_hash(shifted.store, "s1"))["clock_limit_ms"] == "0"
    assert await digest(shifted.store, "s1") == before
    await clock.close()
