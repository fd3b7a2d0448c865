"""Running a script for somebody: what every command of the sale does in the same way."""

from typing import Any

from server.ids import is_idempotency_key
from server.store.outcome import Refused
from server.store.resp import Arg
from server.store.store import Store
from server.tokens import Principal


async def run_for(
    store: Store,
    script: str,
    show: str,
    principal: Principal,
    args: tuple[Arg, ...],
    *,
    idempotency_key: str = "",
    press_ms: float | None = None,
) -> "list[Any] | Refused":
    """The script's reply, or its refusal; bad_request for a key that is none. Raises StoreError."""
    if idempotency_key and not is_idempotency_key(idempotency_key):
        return Refused("bad_request", {"field": "Idempotency-Key"})
    pid, role = principal.pid, principal.role_on(show)
    return await store.scripts.run(
        script, show, pid, role, *args, press_ms=press_ms, idempotency_key=idempotency_key
    )
