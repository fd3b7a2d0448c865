"""The lanes: order, priority between chunks, and seats that are given up."""

from collections import deque
from collections.abc import Callable

import pytest

from server.live.lanes import CHUNK_WRITES, Lane, Lanes, Seat

Turns = deque[Callable[[], None]]


@pytest.fixture
def turns() -> Turns:
    return deque()


@pytest.fixture
def lanes(turns: Turns) -> Lanes:
    return Lanes(turns.append)


def crowd(size: int) -> tuple[list[Seat], list[tuple[int, bytes]]]:
    """Seats, and the list of (seat number, frame) in the order written."""
    written: list[tuple[int, bytes]] = []
    return [Seat(lambda data, n=n: written.append((n, data))) for n in range(size)], written


def test_the_first_chunk_leaves_at_once_and_the_rest_a_turn_each(lanes: Lanes, turns: Turns) -> None:
    seats, written = crowd(CHUNK_WRITES * 2 + 1)
    lanes.push(Lane.URGENT, b"a", seats)
    assert len(written) == CHUNK_WRITES
    turns.popleft()()
    assert len(written) == CHUNK_WRITES * 2
    turns.popleft()()
    assert [n for n, _ in written] == list(range(CHUNK_WRITES * 2 + 1))
    assert (lanes.urgent_backlog, lanes.deliveries, len(turns)) == (0, CHUNK_WRITES * 2 + 1, 0)


def test_an_urgent_frame_overtakes_a_half_written_tick(lanes: Lanes, turns: Turns) -> None:
    seats, written = crowd(CHUNK_WRITES * 3)
    lanes.push(Lane.TICK, b"tick", seats)
    lanes.push(Lane.LATEST, b"stock", seats)
    lanes.push(Lane.URGENT, b"price", seats)
    while turns:
        turns.popleft()()
    order = [frame for frame, _ in _runs([frame for _, frame in written])]
    assert order == [b"tick", b"price", b"stock", b"tick"]
    assert [frame for n, frame in written if n == CHUNK_WRITES] == [b"price", b"stock", b"tick"]


def _runs(frames: list[bytes]) -> list[tuple[bytes, int]]:
    runs: list[tuple[bytes, int]] = []
    for frame in frames:
        if runs and runs[-1][0] == frame:
            runs[-1] = (frame, runs[-1][1] + 1)
        else:
            runs.append((frame, 1))
    return runs


def test_urgent_frames_keep_their_order(lanes: Lanes, turns: Turns) -> None:
    seats, written = crowd(CHUNK_WRITES + 10)
    for frame in (b"1", b"2", b"3"):
        lanes.push(Lane.URGENT, frame, seats)
    while turns:
        turns.popleft()()
    assert [frame for n, frame in written if n == CHUNK_WRITES + 9] == [b"1", b"2", b"3"]


def test_a_seat_that_was_given_up_hears_nothing_that_was_queued(lanes: Lanes, turns: Turns) -> None:
    seats, written = crowd(CHUNK_WRITES + 2)
    lanes.push(Lane.URGENT, b"a", seats)
    seats[-1].give_up()
    while turns:
        turns.popleft()()
    assert CHUNK_WRITES + 1 not in [n for n, _ in written]


def test_a_dead_transport_stops_nobody(lanes: Lanes) -> None:
    seats, written = crowd(3)

    def dead(_data: bytes, /) -> None:
        raise RuntimeError("unable to perform operation; the handler is closed")

    seats[1].write = dead
    lanes.push(Lane.URGENT, b"a", seats)
    lanes.push(Lane.URGENT, b"b", seats)
    assert [n for n, _ in written] == [0, 2, 0, 2]


def test_what_is_pushed_while_writing_is_queued_behind(lanes: Lanes) -> None:
    seats, written = crowd(2)
    first = seats[0].write

    def write_and_push(data: bytes, /) -> None:
        first(data)
        if data == b"a":
            lanes.push(Lane.URGENT, b"b", seats)

    seats[0].write = write_and_push
    lanes.push(Lane.URGENT, b"a", seats)
    assert written == [(0, b"a"), (1, b"a"), (0, b"b"), (1, b"b")]


def test_nothing_waits_for_an_empty_crowd(lanes: Lanes, turns: Turns) -> None:
    lanes.push(Lane.TICK, b"a", [])
    assert not lanes.busy(Lane.TICK)
    assert not turns
