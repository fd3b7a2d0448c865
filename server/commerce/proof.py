"""What an order's holder can show to anybody: its newest entry, sealed."""

from typing import cast

from server.log.archive import Archive
from server.log.excerpt import excerpt
from server.log.seals import Excerpt
from server.store.outcome import Refused
from server.store.store import Store


async def proof_of(store: Store, archive: Archive | None, show: str, order: str) -> Excerpt | Refused:
    """The proof of an order, for whoever knows its id, which cannot be guessed.

    Refusals: unknown_show, unknown_order, forbidden (it would tell a stock that is hidden during the show).
    Raises StoreError, ArchiveError.
    """
    reply = await store.read_scripts.run("order_seq", show, "", "", order)
    return reply if isinstance(reply, Refused) else await excerpt(store, archive, show, cast("int", reply[1]))
