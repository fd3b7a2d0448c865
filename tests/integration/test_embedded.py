"""The embedded store: nothing acknowledged is lost, it comes back, it never outlives us, it says what is
wrong.
"""

import asyncio
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


@pytest.mark.parametrize("damage", ["cut", "junk", "one bit"])
async def test_a_damaged_append_only_file_is_named(tmp_path: Path, damage: str) -> None:
    async with embedded(tmp_path) as (_, url), opened(url) as store:
        for number in range(100):
            await store.writes.call("SET", f"k{number}", "x" * 50)
    [log] = (tmp_path / "appendonlydir").glob("*.incr.aof")
    content = log.read_bytes()
    at = content.index(b"$3", 500)  # the length of what follows
    damaged = {
        "cut": content[:-20],
        "junk": content[:500] + b"\0" * 50 + content[550:],
        "one bit": content[: at + 1] + bytes([content[at + 1] ^ 1]) + content[at + 2 :],
    }
    log.write_bytes(damaged[damage])
    with pytest.raises(EmbeddedStoreError, match=f"{re.escape(str(log))} is damaged"):
        await EmbeddedStore(tmp_path).start()


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
