"""What a running server still answers of entries that have left the store, and how it lets them leave."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from support.store import advance
from support.web import SHOW, Web, expect, refused, running

from server.archiver import Archiver
from server.archiving import Archivist, Due, due, trimmed_seq
from server.log import reader
from server.log.archive import Archive, ArchiveError
from server.log.sealer import Sealer
from server.seal_key import seal_key
from server.settings_sections import Archive as Limits
from server.store.store import Store
from server.verify.excerpt import Attested, verify_excerpt

PAUSE = {"action": "pause_sales", "reason": "price check"}
RESUME = {"action": "resume_sales", "reason": "checked"}


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[Web]:
    archive = {"dir": str(tmp_path / "archive"), "after_end_s": 0}
    async with running(store, tmp_path / "data", archive=archive) as server:
        await server.open_show()
        yield server


async def buy(web: Web, count: int, first: int = 0) -> list[str]:
    """So many orders by as many people, let go at once: two entries each; their ids."""
    body = {"sku": "mug", "quantity": 1, "price_minor": 1000}
    placed: list[str] = []
    for n in range(first, first + count):
        token, key = web.bearer(f"b{n}"), f"k{n}"
        order = await expect(201, web.call("POST", "orders", body, token=token, key=key))
        await expect(200, web.call("POST", f"orders/{order['id']}/cancel", {}, token=token, key=f"c{n}"))
        placed.append(order["id"])
    return placed


async def archive_all(web: Web, segment_entries: int = 15, keep: int = 0) -> Archive:
    assert web.settings.archive_dir is not None
    key, archive = seal_key(web.settings), Archive(web.settings.archive_dir)
    assert await Sealer(web.store, key).seal(SHOW)
    head = await reader.head(web.store, SHOW)
    assert head is not None
    await Archivist(web.store, archive, key, segment_entries).archive(SHOW, head.seq - keep)
    return archive


async def test_audit_and_proofs_reach_into_the_archive(web: Web) -> None:
    orders = await buy(web, 4)
    await expect(200, web.call("POST", "moderation", PAUSE, token=web.creator))
    await archive_all(web)
    await expect(200, web.call("POST", "moderation", RESUME, token=web.creator))
    for first in (4, 6, 8):
        orders += await buy(web, 2, first)
        await Sealer(web.store, seal_key(web.settings)).seal(SHOW)
    before = await expect(200, web.call("GET", "audit", token=web.creator))
    proofs = [await expect(200, web.call("GET", f"orders/{order}/proof")) for order in orders]
    archive = await archive_all(web, keep=3)
    assert len(archive.segments(SHOW)) > 1
    assert await expect(200, web.call("GET", "audit", token=web.creator)) == before
    assert [entry["reason"] for entry in before["entries"]] == ["price check", "checked"]
    key = seal_key(web.settings).public_key()
    for order, earlier in zip(orders, proofs, strict=True):
        raw = (await web.call("GET", f"orders/{order}/proof")).content
        attested = verify_excerpt(raw, key)
        assert isinstance(attested, Attested), attested
        assert earlier["seal"] is None or json.loads(raw) == earlier
        assert attested.entry.body["order"]["id"] == order


async def test_every_archived_entry_is_found(web: Web) -> None:
    await buy(web, 20)
    before = {entry.seq: entry.raw for entry in await reader.entries(web.store, SHOW, 0)}
    archive = await archive_all(web, 25)
    trimmed = await trimmed_seq(web.store, SHOW)
    seqs = range(1, trimmed + 1)
    assert archive.entries(SHOW, list(seqs)) == [before[seq] for seq in seqs]
    for seq in (0, trimmed + 1):
        with pytest.raises(ArchiveError, match="not in the archive"):
            archive.entries(SHOW, [seq])


async def test_an_archive_that_is_gone_is_a_clear_answer(web: Web) -> None:
    [order] = await buy(web, 1)
    await expect(200, web.call("POST", "moderation", PAUSE, token=web.creator))
    await expect(200, web.call("POST", "moderation", RESUME, token=web.creator))
    archive = await archive_all(web)
    shutil.rmtree(archive.of(SHOW))
    await refused(503, "archive_unavailable", web.call("GET", f"orders/{order}/proof"))
    await refused(503, "archive_unavailable", web.call("GET", "audit", token=web.creator))
    await expect(200, web.call("GET", ""))


async def test_a_page_that_was_away_too_long_gets_a_snapshot(web: Web) -> None:
    show = await expect(200, web.call("GET", ""))
    await buy(web, 5)
    await archive_all(web)
    for command in (PAUSE, RESUME):
        await expect(200, web.call("POST", "moderation", command, token=web.creator))

    async def kinds(seq: int) -> list[str]:
        ticket = (await expect(201, web.call("POST", "ticket", token=web.creator)))["ticket"]
        url = f"{web.url.replace('http', 'ws')}/ws/{SHOW}?epoch={show['epoch']}&seq={seq}"
        protocols = [websockets.Subprotocol("vendue.v1"), websockets.Subprotocol(f"ticket.{ticket}")]
        async with websockets.connect(url, subprotocols=protocols) as socket:
            return [json.loads(await socket.recv())["type"] for _ in range(2)]

    assert await kinds(1) == ["hello", "snapshot"]
    head = await expect(200, web.call("GET", ""))
    assert (await kinds(head["seq"] - 2))[1] in (
        "moderation",
        "show.state",
    )  # and one that was not gets those


async def test_what_is_due(web: Web) -> None:
    limits: Any = Limits.model_construct(segment_entries=10, keep_entries=20, after_end_s=60)
    await buy(web, 5)
    head = await reader.head(web.store, SHOW)
    assert head is not None
    assert head.seq == 14
    assert await due(web.store, SHOW, limits) is None
    assert await due(web.store, "nothing", limits) is None
    await buy(web, 10, 5)
    assert await due(web.store, SHOW, limits) == Due(SHOW, 10)  # 34 entries: whole segments, 20 stay
    assert await due(web.store, SHOW, limits, at_once=True) == Due(SHOW, 14)
    await expect(200, web.call("POST", "end", {}, token=web.creator))
    assert await due(web.store, SHOW, limits) is None  # not quiet yet
    await advance(web.store, SHOW, 60_000)
    assert await due(web.store, SHOW, limits) == Due(SHOW, 35)


async def test_the_web_worker_has_a_child_archive_what_is_over(web: Web) -> None:
    await buy(web, 3)
    await expect(200, web.call("POST", "end", {}, token=web.creator))
    archiver = asyncio.create_task(Archiver(web.store, web.settings, check_s=0.1).run())
    try:
        async with asyncio.timeout(20):
            while not await trimmed_seq(web.store, SHOW):
                await asyncio.sleep(0.05)
    finally:
        archiver.cancel()
    assert web.settings.archive_dir is not None
    assert Archive(web.settings.archive_dir).last_seq(SHOW) == await trimmed_seq(web.store, SHOW)
