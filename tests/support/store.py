"""A real store for tests: one embedded Valkey per test session, flushed for every test; and what helps to
look at it.
"""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from server.live.roles import role_table
from server.log import reader
from server.store.embedded import EmbeddedStore
from server.store.outcome import StoreUnavailable
from server.store.store import Store

T = TypeVar("T")


@contextlib.asynccontextmanager
async def embedded(data_dir: Path | None = None) -> AsyncGenerator[tuple[EmbeddedStore, str]]:
    """A store of its own: (server, url)."""
    with tempfile.TemporaryDirectory(prefix="vendue-test-") as scratch:
        server = EmbeddedStore(data_dir or Path(scratch))
        url = await server.start()
        try:
            yield server, url
        finally:
            await server.stop()


@contextlib.asynccontextmanager
async def opened(url: str, *, flush: bool = True) -> AsyncGenerator[Store]:
    """A `Store` on `url`, emptied first."""
    store = await Store.open(url, role_table())
    try:
        if flush:
            await store.writes.call("FLUSHALL")
        yield store
    finally:
        await store.close()


async def digest(store: Store, show: str) -> dict[str, str]:
    """Every key of a show with a hash of its whole content: equal before and after = nothing was written.

    But its seals, which follow the log in their own time, and how far its clock is confirmed, which a
    watcher moves on.
    """
    found: dict[str, str] = {}
    keys = cast("list[bytes]", await store.reads.call("KEYS", f"ls:{{{show}}}:*"))
    for key in sorted(keys):
        if key.endswith(b":seals"):
            continue
        if await store.reads.call("TYPE", key) == b"hash":  # whose dump is in the order of its table
            flat = cast("list[bytes]", await store.reads.call("HGETALL", key))
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if key.endswith(b":show"):
                fields.pop(b"clock_limit_ms", None)
            dump = repr(sorted(fields.items())).encode()
        else:
            dump = cast("bytes | None", await store.reads.call("DUMP", key))
        found[key.decode()] = hashlib.sha256(dump or b"").hexdigest()
    return found


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Ask until the store answers: for what comes after it was killed."""
    for _ in range(200):
        try:
            return await call()
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("the store did not come back")


async def set_show(store: Store, show: str, **fields: object) -> None:
    """Set fields of a show behind the scripts' back."""
    await store.writes.call("HSET", f"ls:{{{show}}}:show", *(str(x) for pair in fields.items() for x in pair))


async def show_hash(store: Store, show: str) -> dict[str, str]:
    """The show's hash."""
    flat = cast("list[bytes]", await store.reads.call("HGETALL", f"ls:{{{show}}}:show"))
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}


async def advance(store: Store, show: str, ms: int) -> None:
    """Move a show's clock forward."""
    await store.writes.call("HINCRBY", f"ls:{{{show}}}:show", "clock_offset_ms", ms)


async def bodies(store: Store, show: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The bodies of the show's log entries, oldest first."""
    return [entry.body for entry in await reader.entries(store, show, 0) if kind in (None, entry.kind)]
