"""The coalescing connection against a real store, and against peers that misbehave."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from server.store.outcome import StoreBusy, StoreReplyError, StoreUnavailable
from server.store.resp import Reply
from server.store.store import Store
from server.store.topology import Target
from server.store.wire import Wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def peer(path: Path, serve: Serve) -> AsyncGenerator[Target]:
    """A store that does what the test says, once per connection."""

    handlers: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        writers.append(writer)
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_unix_server(handle, path)
    try:
        yield Target(path=str(path))
    finally:
        await asyncio.sleep(0.02)  # what was just accepted gets its handler
        server.close()
        await server.wait_closed()
        for writer in writers:
            writer.transport.abort()
        if handlers:
            await asyncio.wait(handlers)
        await asyncio.sleep(0)  # aborted transports close in the next turn


async def test_replies_come_back_in_the_order_of_the_calls(store: Store) -> None:
    calls = [store.writes.call("ECHO", number) for number in range(500)]
    assert await asyncio.gather(*calls) == [str(number).encode() for number in range(500)]


async def test_all_calls_of_a_loop_turn_leave_in_one_write(tmp_path: Path) -> None:
    reads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            reads.append(data)
            writer.write(b"+PONG\r\n" * data.count(b"PING"))

    async with peer(tmp_path / "s", serve) as target:
        wire = await Wire.open(target)
        await asyncio.gather(*(wire.call("PING") for _ in range(100)))
        await wire.close()
    assert len(reads) == 2  # the first is the connection's own PING


async def test_an_error_reply_is_raised_for_its_call_alone(store: Store) -> None:
    await store.writes.call("SET", "text", "x")
    good, bad, also_good = (
        store.writes.call("ECHO", "a"),
        store.writes.call("INCR", "text"),
        store.writes.call("ECHO", "b"),
    )
    with pytest.raises(StoreReplyError):
        await bad
    assert (await good, await also_good) == (b"a", b"b")


async def test_a_cancelled_call_does_not_shift_the_replies(store: Store) -> None:
    first, second = store.writes.call("ECHO", "1"), store.writes.call("ECHO", "2")
    await asyncio.sleep(0)  # sent
    first.cancel()
    assert await second == b"2"


async def test_more_than_the_bound_is_refused_at_once_and_not_sent(store: Store) -> None:
    wire = await Wire.open(store.target, max_pending=3)
    calls = [wire.call("INCR", "n") for _ in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, int, int, StoreBusy, StoreBusy]
    assert await wire.call("GET", "n") == b"3"
    await wire.close()


async def test_a_lost_connection_leaves_what_was_sent_unknown_and_comes_back(store: Store) -> None:
    wire = await Wire.open(store.target)
    blocked = wire.call("BLPOP", "nothing", 0)
    await asyncio.sleep(0.05)  # it must have reached the server
    await store.writes.call("CLIENT", "KILL", "ID", await client_id(store))
    with pytest.raises(StoreUnavailable) as lost:
        await blocked
    assert lost.value.maybe_applied
    assert await wire.call("PING") == b"PONG"
    assert wire.connects == 2
    await wire.close()


async def client_id(store: Store) -> str:
    listed = await store.writes.call("CLIENT", "LIST")
    assert isinstance(listed, bytes)
    [line] = [line for line in listed.decode().splitlines() if "cmd=blpop" in line]
    return line.split()[0].removeprefix("id=")


async def test_an_answer_that_does_not_come_is_given_up_and_the_connection_replaced(tmp_path: Path) -> None:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while await reader.read(65536):
            connections[-1] += 1
            if connections != [2]:  # the first connection answers its own PING and then no more
                writer.write(b"+PONG\r\n")

    async with peer(tmp_path / "s", serve) as target:
        wire = await Wire.open(target, timeout_s=0.2)
        with pytest.raises(StoreUnavailable) as late:
            await wire.call("PING")
        assert late.value.maybe_applied
        assert await wire.call("PING") == b"PONG"
        await wire.close()


async def test_without_a_store_a_call_waits_its_time_and_was_not_sent(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"+PONG\r\n")
        await reader.read(1)
        writer.transport.abort()

    async with peer(tmp_path / "s", serve) as target:
        wire = await Wire.open(target, timeout_s=0.2)
        with pytest.raises(StoreUnavailable):
            await wire.call("PING")
    while wire.connected:
        await asyncio.sleep(0.005)
    with pytest.raises(StoreUnavailable) as unsent:
        await wire.call("PING")
    assert not unsent.value.maybe_applied
    await wire.close()
    with pytest.raises(StoreUnavailable) as closed:
        await wire.call("PING")
    assert not closed.value.maybe_applied


async def test_nonsense_from_the_peer_ends_the_connection_not_the_process(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"+PONG\r\n")
        await reader.read(65536)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with peer(tmp_path / "s", serve) as target:
        wire = await Wire.open(target, timeout_s=0.5)
        with pytest.raises(StoreUnavailable) as failed:
            await wire.call("PING")
        assert failed.value.maybe_applied
        await wire.close()


async def test_opening_names_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store at"):
        await Wire.open(Target(path=str(tmp_path / "nothing")), wait_s=0.2)


async def test_opening_with_a_wrong_password_says_so(store: Store) -> None:
    wrong = Target(path=store.target.path, password="wrong")
    with pytest.raises(StoreReplyError):
        await Wire.open(wrong)


async def test_a_database_is_selected_on_every_connection(store: Store) -> None:
    wire = await Wire.open(Target(path=store.target.path, db=3))
    await wire.call("SET", "here", "3")
    assert await store.writes.call("GET", "here") is None
    reply: Reply = await wire.call("GET", "here")
    assert reply == b"3"
    await wire.close()


@pytest.mark.parametrize("turns", range(40))
async def test_closing_ends_at_whatever_point_of_reconnecting(tmp_path: Path, turns: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(b"+PONG\r\n")

    async with peer(tmp_path / "s", serve) as target:
        wire = await Wire.open(target)
        connection = wire._connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        connection.abort()
        while wire.connected:
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        closing = asyncio.create_task(wire.close())
        done, _ = await asyncio.wait([closing], timeout=5)
        assert done
        assert not wire.connected
