"""One entry out of a sealed log, with what it takes to believe it: nobody else's entries are needed."""

from server.log import reader, seals
from server.log.sealer import newest_seal, read_seals
from server.log.seals import Excerpt
from server.store.store import Store


async def excerpt(store: Store, show: str, seq: int) -> Excerpt:
    """Entry `seq` of a show's log, which must have it. Raises StoreError."""
    sealed = await read_seals(store, show, seq - 1, 1)
    last = await newest_seal(store, show, seq - 1)
    last_seq = last.seq if last else 0
    entries = await reader.entries(store, show, last_seq, seq - last_seq)
    entry = entries[-1].raw.decode()
    if not sealed:
        return Excerpt(entry, None, None)
    chained = bytes.fromhex(last.hash) if last else seals.genesis(show)
    for earlier in entries[:-1]:
        chained = seals.link(chained, earlier.raw)
    return Excerpt(entry, chained.hex(), sealed[0][1].decode())
