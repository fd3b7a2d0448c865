"""`vendue export`: a show's log as NDJSON, every entry and every seal as the bytes that the server wrote.

Exact bytes, because `vendue verify` hashes them. A seal stands after the newest entry that it covers, and the
last line is a seal: what has none yet is sealed first, here where the key is, else by the server that runs.
What has left the store comes from the archive, with its checkpoints. It reads from a server that is running
on the same data directory, or starts the embedded store for as long as it reads.
"""

import asyncio
from typing import BinaryIO, Final

import msgspec

from server.log import reader
from server.log.archive import Archive, ArchiveError
from server.log.sealer import Sealer, newest_seal_seq, read_seals
from server.offline import offline_store
from server.seal_key import existing_seal_key
from server.settings import Settings
from server.store.store import Store

SEAL_TRIES: Final = 12
SEAL_RETRY_S: Final = 0.25  # in all three rounds of a running server's sealer


class Exported(msgspec.Struct, frozen=True):
    """Up to which entry the log was written, and up to which it is sealed."""

    seq: int
    sealed_seq: int


async def export_show(settings: Settings, show: str, out: BinaryIO) -> Exported | None:
    """Write the log of `show` to `out`, one entry or seal a line, oldest first; None: there is no such show.

    Ends with the newest seal. Where nobody has sealed the newest entries in time they are written without.
    Raises ArchiveError when entries have left the store for an archive that is not here.
    """
    archive = Archive(settings.archive_dir) if settings.archive_dir else None
    async with offline_store(settings) as store:
        head = await reader.head(store, show)
        if head is None:
            return None
        sealed_seq = await _sealed(settings, store, show, head.seq)
        last_seq = max(sealed_seq, head.seq)
        seq = 0
        while seq < last_seq:
            if archive and (archived := archive.last_seq(show)) > seq:
                out.writelines(archive.lines(show, seq))
                seq = archived
            elif (written := await _write_page(store, show, seq, last_seq, out)) > seq:
                seq = written
            elif not archive or archive.last_seq(show) <= seq:
                raise ArchiveError(f"entry {seq + 1} has left the store for an archive that is not here")
        out.flush()
    return Exported(seq, sealed_seq)


async def _write_page(store: Store, show: str, seq: int, last_seq: int, out: BinaryIO) -> int:
    """Write some entries that the store has after `seq`; the last one's seq, or `seq` when they left it."""
    limit = min(reader.ENTRIES_MAX, last_seq - seq)
    seals = dict(await read_seals(store, show, seq, limit))  # first: seals are trimmed with their entries
    entries = await reader.entries(store, show, seq, limit)
    if not entries or entries[0].seq != seq + 1:
        return seq
    for entry in entries:
        out.write(entry.raw + b"\n")
        if seal := seals.get(entry.seq):
            out.write(seal + b"\n")
    return entries[-1].seq


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
