"""`vendue export`: a show's log as NDJSON, every entry and every seal as the bytes that the store holds.

Exact bytes, because `vendue verify` hashes them. A seal stands after the newest entry that it covers, and the
last line is a seal: what has none yet is sealed first, here where the key is, else by the server that runs.
It reads from a server that is running on the same data directory, or starts the embedded store for as long as
it reads.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from server.live.roles import role_table
from server.log import reader
from server.log.sealer import Sealer, newest_seal_seq, read_seals
from server.seal_key import existing_seal_key
from server.settings import Settings, SettingsError
from server.store.embedded import URL_FILE, EmbeddedStore
from server.store.outcome import StoreError
from server.store.store import Store

RUNNING_TIMEOUT_S: Final = 2.0
SEAL_TRIES: Final = 12
SEAL_RETRY_S: Final = 0.25  # in all three rounds of a running server's sealer


class Exported(msgspec.Struct, frozen=True):
    """Up to which entry the log was written, and up to which it is sealed."""

    seq: int
    sealed_seq: int


async def export_show(settings: Settings, show: str, out: BinaryIO) -> Exported | None:
    """Write the log of `show` to `out`, one entry or seal a line, oldest first; None: there is no such show.

    Ends with the newest seal. Where nobody has sealed the newest entries in time they are written without.
    """
    async with _store(settings) as store:
        head = await reader.head(store, show)
        if head is None:
            return None
        sealed_seq = await _sealed(settings, store, show, head.seq)
        last_seq = max(sealed_seq, head.seq)
        seq = 0
        while seq < last_seq:
            entries = await reader.entries(store, show, seq, min(reader.ENTRIES_MAX, last_seq - seq))
            if not entries:
                break
            seals = dict(await read_seals(store, show, seq, len(entries)))
            for entry in entries:
                out.write(entry.raw + b"\n")
                if seal := seals.get(entry.seq):
                    out.write(seal + b"\n")
            seq = entries[-1].seq
        out.flush()
    return Exported(seq, sealed_seq)


async def _sealed(settings: Settings, store: Store, show: str, head_seq: int) -> int:
    """Up to where the log is sealed, once that is `head_seq` or there is no hope for it."""
    key = existing_seal_key(settings)
    for _ in range(SEAL_TRIES):
        if key is not None:
            await Sealer(store, key).seal(show)
        newest = await newest_seal_seq(store, show)
        if newest >= head_seq:
            return newest
        await asyncio.sleep(SEAL_RETRY_S)
    return await newest_seal_seq(store, show)


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncGenerator[Store]:
    """The configured store; else the one that runs on the data directory; else that, started meanwhile."""
    embedded: EmbeddedStore | None = None
    store: Store | None = None
    try:
        if settings.redis.url:
            store = await Store.open(settings.redis.url, role_table())
        elif (store := await _running(_read(settings.data_dir / URL_FILE))) is None:
            if not (settings.data_dir / "appendonlydir").is_dir():
                raise SettingsError([f"data_dir: there is no store in {settings.data_dir}"])
            embedded = EmbeddedStore(settings.data_dir)
            store = await Store.open(await embedded.start(), role_table())
        yield store
    finally:
        if store is not None:
            await store.close()
        if embedded is not None:
            await embedded.stop()


def _read(url_file: Path) -> str:
    return url_file.read_text() if url_file.is_file() else ""


async def _running(url: str) -> Store | None:
    try:
        return await Store.open(url, role_table(), wait_s=RUNNING_TIMEOUT_S) if url else None
    except StoreError:  # it was killed and left its file behind
        return None
