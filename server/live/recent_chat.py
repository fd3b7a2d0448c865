"""The chat that was said before this worker listened."""

from typing import cast

import msgspec

from server.live.chat_feed import ChatLine
from server.store.resp import Reply
from server.store.store import Store


async def recent_chat(store: Store, show: str, lines: int) -> list[ChatLine]:
    """The last `lines` lines of a show, oldest first. Raises StoreError."""
    rows = await store.reads.call("XREVRANGE", f"ls:{{{show}}}:chat", "+", "-", "COUNT", lines)
    found: list[ChatLine] = []
    for row in cast("list[list[Reply]]", rows):
        line_id, fields = cast("bytes", row[0]), cast("list[bytes]", row[1])
        said = msgspec.json.decode(fields[1], type=dict[str, object])
        found.append(msgspec.convert({**said, "id": line_id.decode()}, ChatLine))
    return found[::-1]
