"""`vendue archive`: what is due leaves the store for files. The web workers' archiver runs it as a child."""

import contextlib
import os
from collections.abc import Sequence
from typing import Final, cast

from server.archiving import Archivist, due, trimmed_seq
from server.log import reader
from server.log.archive import Archive, ArchiveError
from server.log.clock import DIRECTORY_KEY
from server.offline import offline_store
from server.seal_key import seal_key
from server.settings import Settings, SettingsError
from server.telemetry import get_logger

NICENESS: Final = 10  # buyers and viewers first

log = get_logger(__name__)


async def archive_shows(settings: Settings, shows: Sequence[str]) -> dict[str, int]:
    """Archive `shows` now, or, when none is given, what is due of all. Show → up to where it is archived.

    A show whose archive or log is damaged is logged and left as it is, and is missing in the answer. Raises
    SettingsError where there is no archive, StoreError.
    """
    if settings.archive_dir is None:
        raise SettingsError(["archive.dir: not set, and with an outside store there is no default"])
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    archived: dict[str, int] = {}
    async with offline_store(settings) as store:
        archivist = Archivist(
            store, Archive(settings.archive_dir), seal_key(settings), settings.archive.segment_entries
        )
        listed = cast("list[bytes]", await store.reads.call("ZRANGE", DIRECTORY_KEY, 0, -1))
        for show in shows or [raw.decode() for raw in listed]:
            found = await due(store, show, settings.archive, at_once=bool(shows))
            if found is None:
                if shows and await reader.head(store, show):
                    archived[show] = await trimmed_seq(store, show)
                continue
            try:
                archived[show] = await archivist.archive(show, found.up_to)
            except (ArchiveError, OSError) as error:
                log.error("not_archived", show=show, error=str(error))
    return archived
