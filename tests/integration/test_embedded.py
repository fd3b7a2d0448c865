"""The embedded store: nothing acknowledged is lost, it comes back, it never outlives us, it says what is
wrong.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from support.store import embedded, opened, patiently

from server.store.aof_sums import SUMS_FILE, AofSums
from server.store.embedded import URL_FILE, EmbeddedStore, EmbeddedStoreError
from server.store.outcome import Refused, StoreUnavailable
from server.store.store import Store


async def until_true(check: Callable[[], bool], tries: int = 400) -> None:
    """Poll; for what another process does."""
    for _ in range(tries):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def test_it_is_set_up_to_lose_nothing(store: Store) -> None:
    for name, value in {
        "appendonly": b"yes",
        "appendfsync": b"always",
        "aof-load-truncated": b"no",
        "maxmemory-policy": b"noeviction",
        "save": b"",
        "port": b"0",
    }.items():
        assert await store.writes.call("CONFIG", "GET", name) == [name.encode(), value]


async def test_kill_9_loses_nothing_acknowledged_and_it_comes_back(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as (server, url), opened(url) as store:
        acknowledged: list[int] = []

        async def write() -> None:
            for number in range(100_000):
                try:
                    await store.writes.call("RPUSH", "numbers", number)
                except StoreUnavailable:
                    return
                acknowledged.append(number)

        writer = asyncio.create_task(write())
        await until_true(lambda: len(acknowledged) > 200)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await writer
        kept = cast("list[bytes]", await patiently(lambda: store.reads.call("LRANGE", "numbers", 0, -1)))
        assert [int(number) for number in kept][: len(acknowledged)] == acknowledged
        assert len(kept) - len(acknowledged) in (0, 1)  # the one whose outcome was unknown
        assert server.restarts == 1


async def test_commands_go_on_after_a_restart_and_scripts_are_there_again(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as (server, url), opened(url) as store:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert await patiently(lambda: store.scripts.run("snapshot", "none", "", "")) == Refused(
            "unknown_show"
        )
        assert [link.connects for link in store.writes.all()] == [2]


async def test_data_is_there_after_a_stop(tmp_path: Path) -> None:
    for expected in (None, b"1"):
        async with embedded(tmp_path) as (_, url), opened(url, flush=False) as store:
            assert await store.writes.call("GET", "kept") == expected
            await store.writes.call("SET", "kept", 1)
    assert not (tmp_path / URL_FILE).exists()


async def test_two_on_one_directory_are_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (_, url):
        assert (tmp_path / URL_FILE).read_text() == url
        with pytest.raises(EmbeddedStoreError, match="another store runs"):
            await EmbeddedStore(tmp_path).start()
        assert (tmp_path / URL_FILE).read_text() == url
        async with opened(url) as store:
            assert await store.ready()


async def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    async with embedded(deep) as (_, url), opened(url) as store:
        assert len(url) < 107 + len("unix://")
        assert await store.ready()
        socket = Path(url.removeprefix("unix://"))
    assert not socket.parent.exists()


async def written(data_dir: Path) -> Path:
    """An append-only file with a hundred values."""
    async with embedded(data_dir) as (_, url), opened(url) as store:
        for number in range(100):
            await store.writes.call("SET", f"k{number}", "x" * 50)
    [log] = (data_dir / "appendonlydir").glob("*.incr.aof")
    return log


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-20],
    "cut between two commands": lambda content: content[: content.rindex(b"*3")],
    "junk": lambda content: content[:-500] + b"\0" * 50 + content[-450:],
    "one bit of a value": lambda content: content.replace(b"xxx", b"xxy", 1),
    "gone": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_append_only_file_is_named_again_and_again(tmp_path: Path, damage: str) -> None:
    log = await written(tmp_path)
    log.write_bytes(DAMAGES[damage](log.read_bytes()))
    damaged = log.read_bytes()
    for _ in range(2):
        with pytest.raises(EmbeddedStoreError, match=f"{re.escape(str(log))} is damaged"):
            await EmbeddedStore(tmp_path).start()
        assert log.read_bytes() == damaged


@pytest.mark.parametrize("damage", ["cut", "junk"])
async def test_without_sums_the_store_itself_finds_broken_structure(tmp_path: Path, damage: str) -> None:
    log = await written(tmp_path)
    (tmp_path / SUMS_FILE).unlink()
    log.write_bytes(DAMAGES[damage](log.read_bytes()))
    with pytest.raises(EmbeddedStoreError, match=f"{re.escape(str(log))} is damaged"):
        await EmbeddedStore(tmp_path).start()
    assert not (tmp_path / SUMS_FILE).exists()


async def test_what_has_been_there_for_a_second_is_covered_when_all_is_killed(tmp_path: Path) -> None:
    log = await written(tmp_path)
    sums, files = AofSums(tmp_path), tmp_path / SUMS_FILE
    files.unlink()
    sums.look()
    assert {length for length, _ in json.loads(files.read_text()).values()} == {0}  # it may be half written
    with log.open("ab") as more:
        more.write(b"*1\r\n$4\r\nPING\r\n")
    sums.look()
    assert AofSums(tmp_path).check() is None  # what was appended since is nobody's business
    log.write_bytes(DAMAGES["one bit of a value"](log.read_bytes()))
    assert AofSums(tmp_path).check() == log


async def test_a_rewritten_file_is_hashed_anew(tmp_path: Path) -> None:
    await written(tmp_path)
    async with embedded(tmp_path) as (_, url), opened(url, flush=False) as store:
        await store.writes.call("BGREWRITEAOF")
        await store.writes.call("SET", "after", "1")
        await asyncio.sleep(2.5)
    async with embedded(tmp_path) as (_, url), opened(url, flush=False) as store:
        assert await store.writes.call("GET", "after") == b"1"
        assert await store.writes.call("DBSIZE") == 101


async def test_dying_over_and_over_is_given_up(tmp_path: Path) -> None:
    gave_up = asyncio.Event()
    server = EmbeddedStore(tmp_path, gave_up=gave_up.set)
    await server.start()
    killed: set[int] = set()
    async with asyncio.timeout(60):
        while not gave_up.is_set():
            if server.pid is not None and server.pid not in killed:
                killed.add(server.pid)
                os.kill(server.pid, signal.SIGKILL)
            await asyncio.sleep(0.02)
    assert len(killed) == 6
    await server.stop()


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from pathlib import Path
        from server.store.embedded import EmbeddedStore

        async def main():
            store = EmbeddedStore(Path({str(tmp_path)!r}))
            await store.start()
            print(store.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        pid = int(await parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        await parent.wait()
    await until_true(lambda: not alive(pid))
