"""What a seller's shows say of its prices to one another: the reference price counts 30 days, not one show.

A show keeps the price record of its products itself, in its own slot, changed by the script that changes the
price: there is nothing to lose between two slots. Which shows a seller has is in `ls:{seller:<pid>}:shows`,
written before a product is. Whoever sets a price asks those shows, and hands what they say to the script,
which logs what is new in it. A show that is over is asked once more: its record is added to the seller's own
(`ls:{seller:<pid>}:low:…`) and then it is forgotten there; adding twice changes nothing.

Bounds: the newest `SHOWS_MAX` shows of a seller that are not over are asked; a record has a price a day, kept
for 30 days (`price_record.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from server.commerce import price_record
from server.commerce.price_record import DAY_MS, RECORD_DAYS, Record
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

SHOWS_MAX: Final = 50
KEPT_MS: Final = (RECORD_DAYS + 2) * DAY_MS


class _Said(NamedTuple):
    """What one show says at its time `ts`: (seller, sku) → its record, with what is in force there now."""

    ts: int
    currency: str
    owner: str
    is_over: bool
    records: dict[tuple[str, str], Record]


class PriceHistory:
    """See the module. Raises StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def elsewhere(
        self, show: str, principal: Principal, action: str, sellers: Mapping[str, str | None]
    ) -> dict[str, str] | Refused:
        """What the sellers' other shows say of these skus: sku → record (as text), where there is any.

        `sellers`: sku → pid, "" for the show's owner, None for whoever sells it here already (nobody: left
        out); empty: all products that are here. Refusals: unknown_show, and forbidden, when `principal` may
        not do `action` here.
        """
        here = await self._ask(show, tuple(sellers), action, principal)
        if isinstance(here, Refused):
            return here
        had = {sku: seller for seller, sku in here.records}
        wanted: dict[str, list[str]] = {}
        for sku, seller in (sellers or dict.fromkeys(had)).items():
            if pid := had.get(sku) if seller is None else seller or here.owner:
                wanted.setdefault(pid, []).append(sku)
        found: dict[str, str] = {}
        for pid, skus in wanted.items():
            for sku, record in (await self._of(pid, show, here, skus)).items():
                found[sku] = price_record.written(record)
        return found

    async def _of(self, seller: str, show: str, here: _Said, skus: Sequence[str]) -> dict[str, Record]:
        today, shows, call = price_record.day_of(here.ts), _shows_key(seller), self._store.writes.call
        await call("ZADD", shows, here.ts, show)
        rows = cast("list[bytes]", await call("ZREVRANGE", shows, 0, SHOWS_MAX))
        others = [name for raw in rows if (name := raw.decode()) != show]
        said = await asyncio.gather(*(self._ask(other, ()) for other in others))
        for other, there in zip(others, said, strict=True):
            if isinstance(there, _Said) and there.is_over:
                await self._fold(seller, other, there, today)
        kept = await asyncio.gather(*(self._kept(seller, here.currency, sku, today) for sku in skus))
        same = [there for there in said if isinstance(there, _Said) and there.currency == here.currency]
        found = {
            sku: price_record.with_prices(
                own, [low for there in same for low in there.records.get((seller, sku), ())], today
            )
            for sku, own in zip(skus, kept, strict=True)
        }
        return {sku: record for sku, record in found.items() if record}

    async def _ask(
        self, show: str, skus: Sequence[str], action: str = "", principal: Principal | None = None
    ) -> _Said | Refused:
        pid, role = (principal.pid, principal.role_on(show)) if principal else ("", "")
        reply = await self._store.read_scripts.run("price_rows", show, pid, role, action, *skus)
        if isinstance(reply, Refused):
            return reply
        _, ts, currency, owner, is_over, *rows = cast("list[Any]", reply)
        records = {
            (seller.decode(), sku.decode()): price_record.read(record.decode())
            for sku, seller, record in rows
        }
        return _Said(ts, currency.decode(), owner.decode(), is_over == 1, records)

    async def _fold(self, seller: str, show: str, said: _Said, today: int) -> None:
        """Keep what a show that is over says of this seller's prices, then forget the show."""
        call = self._store.writes.call
        for (pid, sku), record in said.records.items():
            key = _low_key(seller, said.currency, sku)
            if pid == seller and (lows := price_record.with_prices((), record, today)):
                await asyncio.gather(*(call("ZADD", key, "GT", until, price) for price, until in lows))
                await call("PEXPIRE", key, KEPT_MS)
        await call("ZREM", _shows_key(seller), show)

    async def _kept(self, seller: str, currency: str, sku: str, today: int) -> Record:
        """The seller's own record of a product; what it need not keep any more goes."""
        key, call = _low_key(seller, currency, sku), self._store.writes.call
        flat = cast("list[bytes]", await call("ZRANGE", key, 0, -1, "WITHSCORES"))
        all_of_it = tuple((int(flat[i]), int(flat[i + 1])) for i in range(0, len(flat), 2))
        record = price_record.with_prices((), all_of_it, today)
        if gone := set(all_of_it) - set(record):
            await call("ZREM", key, *(price for price, _ in gone))
        return record


def _shows_key(seller: str) -> str:
    return f"ls:{{seller:{seller}}}:shows"


def _low_key(seller: str, currency: str, sku: str) -> str:
    return f"ls:{{seller:{seller}}}:low:{currency}:{sku}"
