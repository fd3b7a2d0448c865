"""Archiving on a real store: what leaves it is whole in files, whatever happens in between."""

import asyncio
import contextlib
import io
import os
import sys
import time
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support import store as stores
from support.proof import KEY, Story
from support.sale import ANNA, SHOW
from support.store import advance, digest

from server.archiving import Archivist, trimmed_seq
from server.export import export_show
from server.log import reader
from server.log.archive import Archive, ArchiveError
from server.log.sealer import Sealer, newest_seal_seq, read_seals
from server.seal_key import seal_key
from server.settings import Settings
from server.store.outcome import Refused
from server.store.store import Store
from server.verify.chain import Sound, verify

PUBLIC = KEY.public_key()
KILLING_S = 4.0
AGAIN_MAX = 7
"""After so many steps at most is the second try stopped: a segment is eight."""


async def sealed_story(store: Store) -> int:
    """A show in which everything happens, sealed every few entries; its head."""
    await Story(store).tell()
    return await seal_in_small_steps(store)


async def seal_in_small_steps(store: Store) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.log.sealer.BATCH", 7)
        assert await Sealer(store, KEY).seal(SHOW)
    return await newest_seal_seq(store, SHOW)


async def whole(store: Store) -> bytes:
    """The log as an export of an untrimmed store has it."""
    sealed = dict(await read_seals(store, SHOW, 0, 10**6))
    lines = [
        entry.raw + b"\n" + (sealed[entry.seq] + b"\n" if entry.seq in sealed else b"")
        for entry in await reader.entries(store, SHOW, 0, 10**6)
    ]
    return b"".join(lines)


def without_checkpoints(lines: bytes) -> bytes:
    return b"".join(line for line in lines.splitlines(True) if not line.startswith(b'{"kind":"checkpoint"'))


async def test_every_segment_verifies_alone_and_all_together(store: Store, tmp_path: Path) -> None:
    head = await sealed_story(store)
    before = await whole(store)
    archive = Archive(tmp_path)
    assert await Archivist(store, archive, KEY, 20).archive(SHOW, head) == head
    segments = archive.segments(SHOW)
    assert len(segments) > 4
    for segment in segments:
        with segment.path.open("rb") as file:
            verdict = verify(file, PUBLIC)
        assert isinstance(verdict, Sound), verdict
        assert verdict.newest.seq == segment.last
        assert (verdict.begins.seq + 1 if verdict.begins else 1) == segment.first
    joined = b"".join(archive.lines(SHOW, 0))
    verdict = verify(io.BytesIO(joined), PUBLIC)
    assert isinstance(verdict, Sound), verdict
    assert (verdict.newest.seq, verdict.begins) == (head, None)
    assert without_checkpoints(joined) == before
    assert [entry.seq for entry in await reader.entries(store, SHOW, 0)] == [head]  # to go on from
    assert await newest_seal_seq(store, SHOW) == head


async def keep(store: Store) -> dict[bytes, bytes]:
    """Everything in the store, to go back to."""
    keys = cast("list[bytes]", await store.reads.call("KEYS", "*"))
    return {key: cast("bytes", await store.reads.call("DUMP", key)) for key in keys}


async def go_back(store: Store, kept: dict[bytes, bytes]) -> None:
    await store.writes.call("FLUSHALL")
    for key, value in kept.items():
        await store.writes.call("RESTORE", key, 0, value)


async def test_a_crash_between_any_two_steps_loses_nothing(store: Store, tmp_path: Path) -> None:
    """Stopped after every possible step, and once more at the next try, then finished."""
    head = await sealed_story(store)
    before, kept = await whole(store), await keep(store)
    steps = [step async for step in Archivist(store, Archive(tmp_path / "all"), KEY, 40).steps(SHOW, head)]
    assert {"found", "begun", "written", "complete", "synced", "named", "on disk", "trimmed"} <= set(steps)
    for stop in range(len(steps)):
        await go_back(store, kept)
        archive = Archive(tmp_path / f"{stop}")
        for take in (stop, 1 + stop % AGAIN_MAX):
            running = Archivist(store, archive, KEY, 40).steps(SHOW, head)
            async with contextlib.aclosing(running):
                for _ in range(take):
                    await anext(running, None)
        trimmed = await trimmed_seq(store, SHOW)
        assert archive.last_seq(SHOW) >= trimmed  # nothing has left the store that no file has
        assert await Archivist(store, archive, KEY, 40).archive(SHOW, head) == head
        assert without_checkpoints(b"".join(archive.lines(SHOW, 0))) == before
        assert await trimmed_seq(store, SHOW) == head
        assert not list(archive.of(SHOW).glob("*.part"))


async def test_a_killed_archiver_loses_nothing(tmp_path: Path) -> None:
    """The real command, killed with -9 now earlier, now later in its work; and then let finish it."""
    async with stores.embedded(tmp_path / "data") as (_, url), stores.opened(url) as store:
        (tmp_path / "data" / "seal.key").write_bytes(
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        story = Story(store)
        await story.open()
        for _ in range(1_500):
            await story.ledger.cancel(SHOW, ANNA, await story.sale.held())
        await Sealer(store, KEY).seal(SHOW)
        await story.end()
        await Sealer(store, KEY).seal(SHOW)
        head, before = await newest_seal_seq(store, SHOW), await whole(store)
        words = (sys.executable, "-m", "server", "archive", SHOW, "--data-dir", str(tmp_path / "data"))
        environ = {**os.environ, "VENDUE_ARCHIVE__SEGMENT_ENTRIES": "1000"}
        began = time.monotonic()
        killed_at: set[int] = set()
        while (took_s := time.monotonic() - began) < KILLING_S:
            command = await asyncio.create_subprocess_exec(
                *words, stdout=asyncio.subprocess.DEVNULL, env=environ
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5 + took_s / KILLING_S):
                    await command.wait()
            if command.returncode is None:
                command.kill()
                await command.wait()
                killed_at.add(await trimmed_seq(store, SHOW))
        assert killed_at
        command = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL, env=environ)
        assert await command.wait() == 0
        archive = Archive(tmp_path / "data" / "archive")
        joined = b"".join(archive.lines(SHOW, 0))
        assert without_checkpoints(joined) == before
        assert isinstance(verify(io.BytesIO(joined), PUBLIC), Sound)
        assert (await trimmed_seq(store, SHOW), len(archive.segments(SHOW))) == (head, head // 1000 + 1)


async def test_nothing_is_trimmed_that_is_not_sealed(store: Store) -> None:
    head = await sealed_story(store)
    sealed = dict(await read_seals(store, SHOW, 0))
    before = await digest(store, SHOW)
    some = sorted(sealed)[3]
    wrong: list[tuple[int, bytes]] = [
        (some - 1, sealed[some]),
        (some, sealed[head]),
        (some, b""),
        (head + 1, sealed[head]),
    ]
    for upto, seal in wrong:
        assert await store.scripts.run("trim", SHOW, "", "", upto, seal, 10**6) == Refused("not_sealed")
    assert await digest(store, SHOW) == before
    assert await store.scripts.run("trim", SHOW, "", "", some, sealed[some], 10**6) == [b"ok", some]
    assert (await reader.entries(store, SHOW, 0, 1))[0].seq == some + 1
    assert await store.scripts.run("trim", SHOW, "", "", some - 7, sealed[some - 7], 10**6) == [b"ok", some]


async def test_a_damaged_file_is_no_reason_to_trim(store: Store, tmp_path: Path) -> None:
    head = await sealed_story(store)
    archive = Archive(tmp_path)
    async with contextlib.aclosing(Archivist(store, archive, KEY, 30).steps(SHOW, head)) as running:
        async for step in running:
            if step == "on disk":
                break
    [segment] = archive.segments(SHOW)
    raw = bytearray(segment.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.path.write_bytes(raw)
    before = await digest(store, SHOW)
    with pytest.raises(ArchiveError, match="rule"):
        await Archivist(store, archive, KEY, 30).archive(SHOW, head)
    assert await digest(store, SHOW) == before
    segment.path.unlink()
    assert await Archivist(store, archive, KEY, 30).archive(SHOW, head) == head
    archive.segments(SHOW)[-1].path.unlink()
    with pytest.raises(ArchiveError, match="are gone from the store"):
        await Archivist(store, archive, KEY, 30).archive(SHOW, head)


async def test_a_log_that_grows_is_archived_in_turns(store: Store, tmp_path: Path) -> None:
    """Segments follow one another over many runs, and the export joins them with what the store has."""
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "redis": {"url": "unix://" + store.target.path},
            "auth": {"secret": "s" * 32},
            "archive": {"dir": tmp_path / "archive"},
        }
    )
    key = seal_key(settings)
    archive, story = Archive(tmp_path / "archive"), Story(store)
    await story.open()
    for _ in range(4):
        for _ in range(5):
            await story.ledger.cancel(SHOW, ANNA, await story.sale.held())
        await Sealer(store, key).seal(SHOW)
        head = await newest_seal_seq(store, SHOW)
        await Archivist(store, archive, key, 1000).archive(
            SHOW, head - 1
        )  # not all: its last seal covers more
        await advance(store, SHOW, 1_000)
    await story.sale.held()
    out = io.BytesIO()
    exported = await export_show(settings, SHOW, out)
    assert exported is not None
    assert 1 < len(archive.segments(SHOW)) < 5
    verdict = verify(io.BytesIO(out.getvalue()), key.public_key())
    assert isinstance(verdict, Sound), verdict
    assert (verdict.newest.seq, verdict.begins) == (exported.seq, None)
    assert out.getvalue().count(b'{"kind":"checkpoint"') == len(archive.segments(SHOW))
    archive.segments(SHOW)[0].path.unlink()
    with pytest.raises(ArchiveError, match="entry 1 has left the store"):
        await export_show(settings, SHOW, io.BytesIO())
