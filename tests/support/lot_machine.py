"""Rules for auctions: `commerce/lots.py` and the real scripts side by side, on a clock by hand."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.sale import CREATOR, SECRET, SHOW, decoded, settings
from support.sale_looks import PEOPLE
from support.sale_pair import SalePair

from server.commerce.auctions import Auctions, Counted, Found, LotSpec, Opened
from server.commerce.ledger import Swept
from server.commerce.lots import EXTENSION_MAX_MS, Lot
from server.live.moderation import Ban, Moderation, Unban
from server.log import reader
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

STEPS = ((0, 10), (100, 25))
UNITS = 4
people = st.sampled_from(PEOPLE)
picks = st.integers(0, 30)
amounts = st.sampled_from((20, 50, 60, 100, 125, 200)) | st.integers(1, 300)


class LotMachine(SalePair, RuleBasedStateMachine):
    """See the module. Time passes by hand; `due` lots are over before anybody has written it."""

    def __init__(self, run: Callable[..., Any], store: Store) -> None:
        RuleBasedStateMachine.__init__(self)
        SalePair.__init__(self, run, store)
        self.auctions = Auctions(store, settings(), self.sale.ledger.buyers)
        self.moderation = Moderation(store, PrivateText(store, SECRET), Pids(store))
        self.lots: dict[str, Lot] = {}
        self.won: dict[str, tuple[str, int] | None] = {}
        """Lots that are over: who has them, and at which price."""

    @initialize()
    def start(self) -> None:
        self.open_show()
        self.put("mug", 1_000, stock=UNITS)

    @property
    def now(self) -> int:
        return self.model.sale_ms(self.ts)

    @property
    def units_up(self) -> int:
        """Units of lots that are open, or over and not yet written."""
        return sum(lot_id not in self.won for lot_id in self.lots)

    @rule(start=st.integers(1, 60), seconds=st.sampled_from((10, 60)), soft_s=st.sampled_from((0, 10, 120)))
    def open_lot(self, start: int, seconds: int, soft_s: int) -> None:
        spec = LotSpec(
            sku="mug", start_minor=start, duration_s=seconds, soft_close_s=soft_s, steps=list(STEPS)
        )
        real = self._run(self.auctions.open(SHOW, CREATOR, spec))
        if isinstance(real, Opened):
            ends = self.now + seconds * 1_000
            latest = ends + (EXTENSION_MAX_MS if soft_s else 0)
            self.lots[decoded(real.json)["id"]] = Lot("mug", start, STEPS, ends, latest, soft_s * 1_000)
            assert self.units_up <= UNITS
        else:
            assert isinstance(real, Refused)
            assert real.code == "sold_out"

    @precondition(lambda self: self.lots)
    @rule(pick=picks, who=people, most=amounts)
    def bid(self, pick: int, who: Principal, most: int) -> None:
        self._bid(*self._pick(pick), who, most)

    @precondition(lambda self: self.lots)
    @rule(pick=picks, first=people, second=people, above=st.sampled_from((0, 1, 40)))
    def two_bid_the_same(self, pick: int, first: Principal, second: Principal, above: int) -> None:
        lot_id, lot = self._pick(pick)
        most = lot.standing(self.model.banned).next_minor + above
        self._bid(lot_id, lot, first, most)
        self._bid(lot_id, lot, second, most)

    def _bid(self, lot_id: str, lot: Lot, who: Principal, most: int) -> None:
        key = self.new_key()
        real = self._run(self.auctions.bid(SHOW, who, lot_id, most, idempotency_key=key))
        if who.pid in self.model.banned:
            assert real == Refused("banned")
            return
        said = lot.bid(who.pid, most, self.now, self.model.banned)
        if said is not None:
            assert real == said
            return
        assert isinstance(real, Counted)
        told = decoded(real.json)
        leader, price, least = lot.standing(self.model.banned)
        seen = told["lot"]
        assert (seen["leader"], seen["price_minor"], seen["next_minor"]) == (leader, price, least)
        assert (seen["bids"], seen["ends_sale_ms"]) == (lot.bids, lot.ends_sale_ms)
        assert told["leading"] == (leader == who.pid)
        assert self._run(self.auctions.bid(SHOW, who, lot_id, most, idempotency_key=key)) == real

    @precondition(lambda self: self.lots)
    @rule(pick=picks, before=st.sampled_from((0, 1, 5_000)))
    def time_reaches_the_end(self, pick: int, before: int) -> None:
        _, lot = self._pick(pick)
        if lot.ends_sale_ms - before > self.now:
            self.move_clock_to(self.ts + lot.ends_sale_ms - before - self.now)

    @rule(ms=st.sampled_from((1, 3_000, 130_000)))
    def time_passes(self, ms: int) -> None:
        self.move_clock_to(self.ts + ms)

    @rule(who=people, off=st.booleans())
    def ban(self, who: Principal, off: bool) -> None:
        (self.model.banned.discard if off else self.model.banned.add)(who.pid)
        command = Unban(who.pid) if off else Ban(who.pid, "abuse")
        assert not isinstance(self._run(self.moderation.apply(SHOW, CREATOR, command)), Refused)

    @precondition(lambda self: self.lots)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        lot_id, lot = self._pick(pick)
        real = self._run(self.auctions.cancel(SHOW, CREATOR, lot_id, "why"))
        if not lot.is_open or self.now >= lot.ends_sale_ms:
            assert real == Refused("lot_closed")
            return
        assert isinstance(real, Found)
        lot.is_open = False
        self.won[lot_id] = None

    @rule()
    def sweep(self) -> None:
        assert isinstance(self._run(self.sale.ledger.expire_due(SHOW)), Swept)
        for lot_id, lot in self.lots.items():
            if lot_id not in self.won and self.now >= lot.ends_sale_ms:
                leader, price, _ = lot.standing(self.model.banned)
                lot.is_open = False
                self.won[lot_id] = None if leader is None or price is None else (leader, price)

    @invariant()
    def what_was_won_was_sold(self) -> None:
        entries = self._run(reader.entries(self.store, SHOW, 0, 10_000))
        sold = {
            entry.body["order"]["lines"][0]["lot"]: (entry.subject, entry.body["order"]["total_minor"])
            for entry in entries
            if entry.kind == "order.held"
        }
        assert sold == {lot_id: won for lot_id, won in self.won.items() if won is not None}

    @invariant()
    def units_add_up(self) -> None:
        left, held, sold = self._run(self.sale.stock())
        assert left + held + sold == UNITS
        assert min(left, held, sold) >= 0
        assert held >= self.units_up

    def teardown(self) -> None:
        self.check_log()

    def _pick(self, pick: int) -> tuple[str, Lot]:
        return list(self.lots.items())[pick % len(self.lots)]
