"""The crowd before an empty shelf: one asks for all.

Once a hold was refused because nothing is left, attempts at the very same (product, quantity, price seen) no
longer all go to the store. One does; those who come meanwhile wait until it is back, then the next goes and
asks for them too: is it refused again, so are they. So nobody is refused by an answer that is older than the
question, and a unit that comes back is sold to the next who asks. Those whose key has its order already are
looked for with one EXISTS for all, and then everybody asks for himself.

What the script would have refused for who they are (banned, limit_reached) reads `sold_out` in the crowd.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Final

from server.store.outcome import Refused
from server.telemetry import counter

EMPTY: Final = Refused("sold_out", {"left": 0})
GROUP_MAX: Final = 256
"""So many does one ask for: some 100 µs of the store's time to look for their orders."""
SHELVES_MAX: Final = 1_000
"""The one asked for least lately is forgotten: then everybody asks for himself again."""

TURNED_AWAY = counter("orders_turned_away", "Purchases refused as sold out by what another one was told")

Ask = Callable[[], Awaitable["list[Any] | Refused"]]
Lead: Final = object()


class _Shelf:
    """`waiting`: (order, what becomes of it: the refusal, None: ask yourself, or Lead: ask for the rest)."""

    def __init__(self) -> None:
        self.asking = False
        self.waiting: list[tuple[str, asyncio.Future[object]]] = []


class SoldOut:
    """`exist(show, orders)` tells whether any of these orders exists. One per process."""

    def __init__(self, exist: Callable[[str, Sequence[str]], Awaitable[bool]]) -> None:
        self._exist = exist
        self._shelves: OrderedDict[tuple[str, Hashable], _Shelf] = OrderedDict()

    def knows(self, show: str, wanted: Hashable) -> bool:
        """Whether this was sold out when somebody asked last: then `ask`, else ask the store oneself."""
        return bool(self._shelves) and (show, wanted) in self._shelves

    def note(self, show: str, wanted: Hashable) -> None:
        """Somebody was told EMPTY."""
        self._shelves.setdefault((show, wanted), _Shelf())
        if len(self._shelves) > SHELVES_MAX:
            self._shelves.popitem(last=False)

    async def ask(self, show: str, wanted: Hashable, order: str, ask: Ask) -> "list[Any] | Refused":
        """The answer of `ask` for what `knows` knows, or of another's who asked later than we came."""
        key = (show, wanted)
        shelf = self._shelves[key]
        if not shelf.asking:
            return await self._lead(key, shelf, ask)
        told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        shelf.waiting.append((order, told))
        try:
            outcome = await told
        except asyncio.CancelledError:
            if told.done() and not told.cancelled() and told.result() is Lead:
                self._pass_on(key, shelf)
            raise
        if outcome is Lead:
            return await self._lead(key, shelf, ask)
        if isinstance(outcome, Refused):
            TURNED_AWAY.inc()
            return outcome
        return await ask()

    async def _lead(self, key: tuple[str, Hashable], shelf: _Shelf, ask: Ask) -> "list[Any] | Refused":
        shelf.asking = True
        group, shelf.waiting = shelf.waiting[:GROUP_MAX], shelf.waiting[GROUP_MAX:]
        outcome: Refused | None = None
        try:
            reply = await ask()
            if reply != EMPTY and not _is_repeat(reply):
                self._shelves.pop(key, None)
            elif group and reply == EMPTY and not await self._exist(key[0], [order for order, _ in group]):
                outcome = EMPTY
            return reply
        finally:
            for _, told in group:
                if not told.done():
                    told.set_result(outcome)
            self._pass_on(key, shelf)

    def _pass_on(self, key: tuple[str, Hashable], shelf: _Shelf) -> None:
        """Somebody who came meanwhile goes next; when the shelf is not empty any more, all ask."""
        shelf.asking = False
        open_again = self._shelves.get(key) is not shelf
        while shelf.waiting and not shelf.asking:
            _, told = shelf.waiting.pop(0)
            if not told.done():
                told.set_result(None if open_again else Lead)
                shelf.asking = not open_again


def _is_repeat(reply: "list[Any] | Refused") -> bool:
    """Was it an order that was there already? That says nothing of the shelf."""
    return isinstance(reply, list) and reply[1] == 0
