"""The store of an installation, for a command that is run beside its server or while that is down."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from server.live.roles import role_table
from server.settings import Settings, SettingsError
from server.store.embedded import URL_FILE, EmbeddedStore
from server.store.outcome import StoreError
from server.store.store import Store

RUNNING_TIMEOUT_S: Final = 2.0


@contextlib.asynccontextmanager
async def offline_store(settings: Settings) -> AsyncGenerator[Store]:
    """The configured store; else the one that runs on the data directory; else that, started meanwhile.

    Raises SettingsError when there is none, StoreError when it does not answer.
    """
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
