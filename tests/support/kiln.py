"""The show that the tests of the live side use, its people, and acts of moderation by its creator."""

from typing import Any, Final

from server.store.store import Store
from server.tokens import Principal

SHOW: Final = "kiln"
CREATOR: Final = Principal("creator", "p_" + "c" * 22, "creator", None, "jti-creator", 2**31)
BUYER: Final[dict[str, Any]] = {"pid": "p_" + "b" * 22, "subject": "bea", "role": "viewer"}
GUEST: Final[dict[str, Any]] = {"pid": "p_" + "g" * 22, "subject": "p_" + "g" * 22, "role": "guest"}
STAFF: Final[dict[str, Any]] = {"pid": "p_" + "m" * 22, "subject": "mo", "role": "moderator"}


async def moderate(store: Store, action: str, **fields: Any) -> int:
    """One act of moderation by the creator; its seq."""
    given = [fields.get(name, "") for name in ("subject", "seconds", "mode", "reason", "ids")]
    reply = await store.scripts.run("moderate", SHOW, CREATOR.pid, "creator", action, *given)
    assert isinstance(reply, list)
    assert isinstance(reply[1], int)
    return reply[1]
