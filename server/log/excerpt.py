"""One entry out of a sealed log, with what it takes to believe it: nobody else's entries are needed."""

import asyncio

from server.log import reader, seals
from server.log.archive import Archive, ArchiveError
from server.log.sealer import newest_seal, read_seals
from server.log.seals import Excerpt
from server.store.store import Store


async def excerpt(store: Store, archive: Archive | None, show: str, seq: int) -> Excerpt:
    """Entry `seq` of a show's log, which must have it. Raises StoreError.

    Raises ArchiveError when it has left the store for an archive that is not here.
    """
    last = await newest_seal(store, show, seq - 1)
    sealed = await read_seals(store, show, seq - 1, 1)
    last_seq = last.seq if last else 0
    entries = await reader.entries(store, show, last_seq, seq - last_seq)
    if not entries or entries[0].seq != last_seq + 1:  # it, or some under the same seal, are archived
        if archive is None:
            raise ArchiveError(f"entry {seq} of {show} is in an archive that is not here")
        found = await asyncio.to_thread(archive.sealed, show, seq)
        return _excerpt(found.before, found.entries, found.seal)
    chained = bytes.fromhex(last.hash) if last else seals.genesis(show)
    return _excerpt(chained, [entry.raw for entry in entries], sealed[0][1] if sealed else None)


def _excerpt(chained: bytes, raws: "list[bytes] | tuple[bytes, ...]", seal: bytes | None) -> Excerpt:
    """The last of these entries, which follow the hash `chained`."""
    entry = raws[-1].decode()
    if seal is None:
        return Excerpt(entry, None, None)
    for earlier in raws[:-1]:
        chained = seals.link(chained, earlier)
    return Excerpt(entry, chained.hex(), seal.decode())
