"""The disk of the embedded store is full: nothing can be bought, the rest goes on, and it comes back."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.small_disk import fill, small_disk
from support.store import opened, patiently
from support.studio import studio_of
from support.web import expect, refused

from server.store.disk_guard import LOOK_S
from server.store.embedded import EmbeddedStore
from server.store.outcome import StoreError, StoreReplyError

RESERVE_MB = 32
MB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 3 * RESERVE_MB) as place:
        yield place


async def test_writes_are_refused_before_the_disk_is_full_and_taken_again(disk: Path) -> None:
    store_dir = disk / "data"
    server = EmbeddedStore(store_dir)
    async with opened(await server.start()) as store:
        await store.writes.call("SET", "kept", "1")
        filler = fill(disk, leave_bytes=RESERVE_MB * MB // 2)
        await asyncio.sleep(2 * LOOK_S)
        with pytest.raises(StoreReplyError, match="NOREPLICAS"):
            await store.writes.call("SET", "number", 1)
        assert await store.reads.call("GET", "kept") == b"1"
        filler.unlink()
        await patiently_write(store.writes.call)
        assert server.restarts == 0
    await server.stop()


async def patiently_write(call: Any) -> None:
    for _ in range(200):
        try:
            await call("SET", "number", "again")
        except StoreError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("it takes no writes again")


async def test_a_disk_that_fills_up_quicker_than_it_is_looked_at_costs_nothing_acknowledged(
    disk: Path,
) -> None:
    gave_up = asyncio.Event()
    server = EmbeddedStore(disk / "data", gave_up=gave_up.set)
    async with opened(await server.start()) as store:
        acknowledged, filler = 0, fill(disk, leave_bytes=0)
        with contextlib.suppress(StoreError):
            while acknowledged < 10_000:
                await store.writes.call("RPUSH", "numbers", "x" * 10_000)
                acknowledged += 1
        assert acknowledged < 10_000
        await asyncio.sleep(2)  # six deaths in a row would take less
        assert not gave_up.is_set()
        filler.unlink()
        await patiently_write(store.writes.call)
        kept = await patiently(lambda: store.reads.call("LLEN", "numbers"))
        assert isinstance(kept, int)
        assert kept - acknowledged in (0, 1)  # the one whose outcome was unknown
    await server.stop()


async def test_buying_answers_503_and_the_video_goes_on(disk: Path) -> None:
    server = EmbeddedStore(disk / "data")
    async with opened(await server.start()) as store, studio_of(store) as studio:
        web = studio.web
        anna, body = web.bearer("anna"), {"sku": "mug", "quantity": 1, "price_minor": 1000}
        await studio.publish()
        viewer = await studio.watch()
        await viewer.sees(video=5)
        await expect(201, web.call("POST", "orders", body, token=anna, key="first"))

        filler = fill(disk, leave_bytes=RESERVE_MB * MB // 4)
        await asyncio.sleep(2 * LOOK_S)
        before = await web.digest()
        document = await refused(503, "store_degraded", web.call("POST", "orders", body, token=anna, key="k"))
        assert "disk is full" in document["detail"]
        assert await web.digest() == before
        await expect(200, web.call("POST", "orders", body, token=anna, key="first"))  # a repeat only reads
        await viewer.sees(video=20)
        newcomer = await studio.watch()
        assert newcomer.response.status_code == 201
        await newcomer.sees(video=5)

        filler.unlink()
        async with asyncio.timeout(10):
            while (await web.call("POST", "orders", body, token=anna, key="k")).status_code != 201:
                await asyncio.sleep(0.1)
    await server.stop()
