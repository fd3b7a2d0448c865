"""`vendue export`: a show's log as NDJSON, every entry as the bytes that the store holds.

Exact bytes, because `vendue verify` hashes them. It reads from a server that is running on the same data
directory, or starts the embedded store for as long as it reads.
"""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final

from server.live.roles import role_table
from server.log import reader
from server.settings import Settings, SettingsError
from server.store.embedded import URL_FILE, EmbeddedStore
from server.store.outcome import StoreError
from server.store.store import Store

RUNNING_TIMEOUT_S: Final = 2.0


async def export_show(settings: Settings, show: str, out: BinaryIO) -> bool:
    """Write the log of `show` to `out`, one entry a line, oldest first; False when there is no such show."""
    async with _store(settings) as store:
        head = await reader.head(store, show)
        if head is None:
            return False
        seq = 0
        while seq < head.seq:
            entries = await reader.entries(store, show, seq)
            if not entries:
                break
            out.writelines(entry.raw + b"\n" for entry in entries)
            seq = entries[-1].seq
        out.flush()
    return True


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
