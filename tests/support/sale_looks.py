"""The model and the real scripts side by side: their clock, and whether they agree.

A hold that is due but not yet written is counted as expired on the real side, which is exactly what the rules
promise.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from support.proof import KEY, sealed
from support.sale import EXTENSION_MS, HOLD_MS, SHOW, Sale, person, settings

from server.commerce import model, price_record
from server.commerce.coupons import Coupons
from server.commerce.model_records import HOLDING, PENDING, Order
from server.commerce.pricing import price_in_force
from server.commerce.reductions import (
    Reductions,
)
from server.commerce.waitlist import Line, Lines, Waitlist
from server.log import reader
from server.log.state import ProductView, ShowSnapshot
from server.store.scripts import PRELUDE, SERVER, Script, Scripts, compose
from server.store.store import Store
from server.tokens import Principal
from server.verify import rules_show
from server.verify.chain import Sound, verify
from server.verify.rules import RULES

PEOPLE = tuple(person(name) for name in ("anna", "boris", "clara"))
AHEAD_MS = 10**12  # the store's own clock, moved so far ahead that the limit decides: the test's clock

LIFE = compose(
    "life",
    "set_show('state', arg(1), 'sales_paused', arg(2)) announce() return {'ok'}",
    PRELUDE.read_text() + (SERVER / "live" / "lua" / "_show.lua").read_text(),
    {},
)

BAN = compose(
    "ban",
    "if arg(1) == 'ban' then redis.call('HSET', base .. 'banned', arg(2), '{}')"
    " else redis.call('HDEL', base .. 'banned', arg(2)) end"
    " append('public', 'moderation', J('action', arg(1), 'subject', arg(2))) return {'ok'}",
    PRELUDE.read_text(),
    {},
)

Record = dict[str, Any]
Picked = tuple[Principal, str, Order]


def told_reason(told: Any) -> tuple[str, str | None]:
    return told.rule, told.id


class SaleLooks:
    """See the module. `run` runs a coroutine on the loop that `store` belongs to."""

    def __init__(self, run: Callable[..., Any], store: Store) -> None:
        self._run, self.store = run, store
        self.sale = Sale(store)
        self.reductions = Reductions(store)
        self.coupons = Coupons(store)
        self.waitlist = Waitlist(store, settings(), self.sale.ledger.buyers)
        self.model = model.Sale(HOLD_MS, EXTENSION_MS)
        self.ids: dict[tuple[str, str], str] = {}
        self.hashes: dict[str, Record] = {}
        self.turns: set[tuple[str, str]] = set()
        """Those of them that were made when somebody's turn had come."""
        self.ts = self.keys = 0
        self.elsewhere: dict[str, price_record.Record] = {}
        self.days_passed = 0

    def open_show(self) -> None:
        """An empty store with one live show, and the clock in the test's hand."""
        self._run(self.store.writes.call("FLUSHALL"))
        self._run(self.sale.start())
        self.announce_life("live", sales_paused=False)
        reply = self._run(self.store.reads.call("HGET", f"ls:{{{SHOW}}}:show", "last_ts"))
        day = price_record.day_of(int(reply)) + 1
        self.move_clock_to(day * price_record.DAY_MS)  # no story but of days gets to the next one

    def announce_life(self, state: str, *, sales_paused: bool) -> None:
        """Any state from any other, told to the log."""
        self.write(LIFE, state, "1" if sales_paused else "0")

    def write(self, script: Script, *args: str) -> None:
        self._run(Scripts(self.store.writes, {script.name: script}).run(script.name, SHOW, "", "", *args))

    def move_clock_to(self, ts: int, *, swept: bool = True) -> None:
        self.ts = ts
        self._run(self.sale.set(clock_offset_ms=AHEAD_MS, clock_limit_ms=ts))
        if swept:
            self.sweep_for_those_in_line()

    def sweep_for_those_in_line(self) -> None:
        """The sweeper comes at once when somebody waits: a turn lasts from the moment when it is given."""
        if any(self.model.waiting.values()):
            self._run(self.sale.ledger.expire_due(SHOW))
            self.model.sweep(self.ts)
            self.model.go_on_undoing(self.ts, self.model.undone)

    def move_clock_to_the_end_of(self, order: Order, before: int = 0, *, swept: bool = True) -> None:
        ahead = order.expires_sale_ms - before - self.model.sale_ms(self.ts)
        if ahead > 0 and not self.model.frozen_since_ms:
            self.move_clock_to(self.ts + ahead, swept=swept)

    def earlier(self, sku: str) -> price_record.Record:
        """What the seller's own record says of other shows."""
        return price_record.with_prices(self.elsewhere.get(sku, ()), (), price_record.day_of(self.ts))

    def coupons_agree(self, due: list[Record]) -> None:
        for code in self.model.coupons:
            record, bought = self.hashes[f"c:{code}"], self.hashes[f"couponbought:{code}"]
            free = sum(line["quantity"] for line in due if line.get("coupon") == code)
            assert int(record["used"]) - free == self.model.coupon_bought(code)
            for who in PEOPLE:
                mine = [line for line in due if line["pid"] == who.pid and line.get("coupon") == code]
                freed = sum(line["quantity"] for line in mine)
                assert int(bought.get(who.pid, 0)) - freed == self.model.coupon_bought(code, who.pid)

    def take_note_of_turns(self) -> None:
        """The orders that were made for those in line."""
        for pid, key in [each for each in self.model.orders if each not in self.ids]:
            self.turns.add((pid, key))
            self.ids[pid, key] = self.waitlist.order_id(SHOW, pid, key)

    def lines_agree(self, seen: list[Any]) -> None:
        for who, real in zip(PEOPLE, seen, strict=True):
            said = [
                Line(sku, len(line), list(line).index(who.pid) + 1 if who.pid in line else None)
                for sku, line in sorted(self.model.waiting.items())
                if line
            ]
            assert real == Lines(said), (real, said)

    def agree(self, real: object, said: object) -> None:
        assert real == said

    def pick_order(self, pick: int, among: list[tuple[str, str]] | None = None) -> Picked:
        keys = among or list(self.ids)
        pid, key = keys[pick % len(keys)]
        who = next(person for person in PEOPLE if person.pid == pid)
        return who, self.ids[pid, key], self.model.orders[pid, key]

    def pick_held(self, pick: int) -> tuple[str, str]:
        held = [key for key in self.ids if self.model.orders[key].state == "held"]
        return held[pick % len(held)]

    def seen_state(self, state: str, expires_sale_ms: int | None) -> str:
        """A recorded state as everybody has to see it: what is due has expired."""
        is_due = expires_sale_ms is not None and expires_sale_ms <= self.model.sale_ms(self.ts)
        return "expired" if state in PENDING and is_due else state

    def new_key(self) -> str:
        self.keys += 1
        return f"new-{self.keys}"

    def flash_of(self, sku: str) -> str:
        return self._run(self.store.reads.call("HGET", f"ls:{{{SHOW}}}:p:{sku}", "flash_id")).decode()

    async def read(self, key: str) -> Record:
        """A hash of the show."""
        flat: Any = await self.store.reads.call("HGETALL", f"ls:{{{SHOW}}}:{key}")
        return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}

    async def look(self) -> tuple[list[Record], ShowSnapshot | None, list[Any]]:
        """All that the real side shows, in one round trip: records in the order of `ids`, the snapshot, the
        line as each sees it; and `hashes`.
        """
        kept = {
            "c": self.model.coupons,
            "couponbought": self.model.coupons,
            "f": self.model.flashes,
            "bought": self.model.products,
            "p": self.model.products,
        }
        keys = [f"{kind}:{name}" for kind, names in kept.items() for name in names]
        records, snapshot, lines, hashes = await asyncio.gather(
            asyncio.gather(*(self.sale.record(order) for order in self.ids.values())),
            reader.snapshot(self.store, SHOW),
            asyncio.gather(*(self.waitlist.lines(SHOW, who) for who in PEOPLE)),
            asyncio.gather(*(self.read(key) for key in keys)),
        )
        self.hashes = dict(zip(keys, hashes, strict=True))
        return records, snapshot, lines

    def records(self) -> list[Record]:
        """The orders' records, in the order of `ids`."""

        async def ask() -> list[Record]:
            return await asyncio.gather(*(self.sale.record(order) for order in self.ids.values()))

        return self._run(ask())

    def due_among(self, records: list[Record]) -> list[Record]:
        """The lines (with their pid) of recorded holds that are due and not yet written off."""
        held = [o for o in records if o["state"] in HOLDING]
        due = [o for o in held if o["state"] != self.seen_state(o["state"], o["expires"])]
        return [{**line, "pid": o["pid"]} for o in due for line in o.get("lines", [o])]

    def check_all(self) -> None:
        """Both sides show the same: orders, stock, caps, quotas, prices in force."""
        self.model.advance(self.ts)
        self.take_note_of_turns()
        records, snapshot, lines = self._run(self.look())
        self.lines_agree(lines)
        for key, record in zip(self.ids, records, strict=True):
            order = self.model.orders[key]
            assert self.seen_state(record["state"], record["expires"]) == order.state
            assert record["expires"] == order.expires_sale_ms
            assert [(back["amount"], back["units"]) for back in record["refunds"]] == order.refunds
            assert sum("done" in back for back in record["refunds"]) == order.returned
        due = self.due_among(records)
        assert snapshot is not None
        assert [view.sku for view in snapshot.products] == list(self.model.products)
        for view in snapshot.products:
            self.product_agrees(view, due)
        self.coupons_agree(due)
        for flash in self.model.flashes:
            free = sum(o["quantity"] for o in due if o["flash"] == flash)
            assert int(self.hashes[f"f:{flash}"]["used"]) - free == self.model.flash_bought(flash)

    def product_agrees(self, view: ProductView, due: list[Record]) -> None:
        product, sku = self.model.products[view.sku], view.sku
        assert view.left is not None
        assert view.held is not None

        def units(line: Record) -> int:
            own = line["quantity"] if line["sku"] == sku else 0
            return self.model.products[line["sku"]].parts.get(sku, 0) * line["quantity"] or own

        free = sum(map(units, due))
        stock = (self.model.left(sku), self.model.held(sku), self.model.sold(sku))
        assert min(stock) >= 0
        if product.parts:
            assert (view.held, view.sold, stock[1:]) == (0, 0, (0, 0))
            assert due or view.left == stock[0]
        else:
            assert (view.left + free, view.held - free, view.sold) == stock
        bought = self.hashes[f"bought:{sku}"]
        for who in PEOPLE:
            mine = sum(units(line) for line in due if line["pid"] == who.pid)
            assert int(bought.get(who.pid, 0)) - mine == self.model.bought(sku, who.pid)
        now = self.model.sale_ms(self.ts)
        flash = product.flash if product.flash and product.flash.ends_sale_ms > now else None
        assert view.listed == (sku not in self.model.off)
        expected = price_in_force(self.model.prices(sku), self.model.at(self.ts))
        in_it = {terms.kind: terms.prices.get(sku) for terms in self.model.of_show}
        assert view.show_flash_price_minor == in_it.get("show_flash")
        assert view.campaign_price_minor == in_it.get("campaign")
        assert (view.price_minor, view.price_version, told_reason(view.price_reason)) == expected
        assert (view.flash.id if view.flash else None) == (flash.id if flash else None)
        lowest = self.model.reference_price(self.ts, sku)
        told = view.reference_price_minor
        record = self.hashes[f"p:{sku}"]
        if (
            "flash_id" in record and not flash
        ):  # over, which the sweeper is about to write; all lows are told then
            assert told is not None
            assert told <= view.list_price_minor
        elif self.days_passed and lowest is not None:  # what got too old goes when a price is told next
            assert told is not None
            assert told <= lowest
        else:
            assert told == lowest

    def check_log(self) -> None:
        """Every rule of `vendue verify` holds, but that of the show's life: here it is reopened at will."""
        entries = self._run(reader.entries(self.store, SHOW, 0, 10_000))
        asked = tuple(rule for rule in RULES if rule is not rules_show.life_is_legal)
        verdict = verify(sealed([entry.raw + b"\n" for entry in entries]), KEY.public_key(), asked)
        assert isinstance(verdict, Sound), verdict
