"""Draws on a real store, with holds, bans and the clock in any order: `vendue verify` judges the log."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.sale import CREATOR, SECRET, SHOW, person, settings
from support.sale_pair import SalePair

from server.commerce.ledger import Swept
from server.commerce.lotteries import DrawSpec, Lotteries
from server.live.moderation import Ban, Moderation, Unban
from server.log.state import DrawView
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

CROWD = tuple(person(f"p{n}") for n in range(8))
UNITS, CAP = 6, 1
LASTS_S = 10
people = st.sampled_from(CROWD)
picks = st.integers(0, 30)


class DrawMachine(SalePair, RuleBasedStateMachine):
    """See the module. `entered` and `over` say what comes of a request; who wins is for the log to prove."""

    def __init__(self, run: Callable[..., Any], store: Store) -> None:
        RuleBasedStateMachine.__init__(self)
        SalePair.__init__(self, run, store)
        self.lotteries = Lotteries(store, settings(), self.sale.ledger.buyers)
        self.moderation = Moderation(store, PrivateText(store, SECRET), Pids(store))
        self.ends: dict[str, int] = {}
        self.entered: dict[str, set[str]] = {}
        self.over: set[str] = set()

    @initialize()
    def start(self) -> None:
        self.open_show()
        self.put("mug", 1_000, stock=UNITS, cap=CAP)

    @rule(units=st.integers(1, 3), price=st.sampled_from((None, 0, 400)))
    def open_draw(self, units: int, price: int | None) -> None:
        spec = DrawSpec(sku="mug", units=units, price_minor=price, duration_s=LASTS_S, confirm=True)
        real = self._run(self.lotteries.open(SHOW, CREATOR, spec))
        if isinstance(real, Refused):
            assert real.code == "sold_out"
            return
        self.ends[real.id], self.entered[real.id] = real.ends_sale_ms, set()

    @precondition(lambda self: self.ends)
    @rule(pick=picks, crowd=st.lists(people, min_size=1, max_size=8))
    def enter(self, pick: int, crowd: list[Principal]) -> None:
        draw = self._pick(pick)
        for who in crowd:
            real = self._run(self.lotteries.enter(SHOW, who, draw))
            again = who.pid in self.entered[draw]
            if who.pid in self.model.banned:
                assert real == Refused("banned")
            elif again:
                assert isinstance(real, DrawView)
            elif draw in self.over or self.ends[draw] <= self.model.sale_ms(self.ts):
                assert real == Refused("draw_closed")
            elif isinstance(real, Refused):
                assert real == Refused("limit_reached", {"limit": CAP})
            else:
                self.entered[draw].add(who.pid)
                assert real.entries == len(self.entered[draw])

    @rule(units=st.integers(1, 3), banned=people, buyer=people)
    def everybody_enters(self, units: int, banned: Principal, buyer: Principal) -> None:
        """Then one is banned, one buys elsewhere, and it is drawn."""
        had = len(self.ends)
        self.open_draw(units, 400)
        if len(self.ends) > had:
            self.enter(had, list(CROWD))
            self.ban(banned, off=False)
            self.buy(buyer)
            self.time_passes(LASTS_S * 1_000, swept=True)

    @rule(who=people)
    def buy(self, who: Principal) -> None:
        self._run(self.sale.hold(who))

    @rule(who=people, off=st.booleans())
    def ban(self, who: Principal, off: bool) -> None:
        (self.model.banned.discard if off else self.model.banned.add)(who.pid)
        command = Unban(who.pid) if off else Ban(who.pid, "why")
        self._run(self.moderation.apply(SHOW, CREATOR, command))

    @rule(ms=st.sampled_from((1, 4_000, LASTS_S * 1_000, 130_000)), swept=st.booleans())
    def time_passes(self, ms: int, swept: bool) -> None:
        self.move_clock_to(self.ts + ms)
        if swept:
            self.draw_all()

    def draw_all(self) -> None:
        """As the sweeper does; a second server that comes as well draws nothing."""
        swept = self._run(self.sale.ledger.expire_due(SHOW))
        assert isinstance(swept, Swept)
        due = {draw for draw, end in self.ends.items() if end <= self.model.sale_ms(self.ts)} - self.over
        assert set(swept.draws) == due
        for draw in swept.draws:
            assert isinstance(self._run(self.lotteries.award(SHOW, draw)), int)
            assert self._run(self.lotteries.award(SHOW, draw)) == Refused("draw_closed")
            self.over.add(draw)

    @precondition(lambda self: self.ends)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        draw = self._pick(pick)
        real = self._run(self.lotteries.cancel(SHOW, CREATOR, draw, "why"))
        assert isinstance(real, DrawView) == (draw not in self.over)
        self.over.add(draw)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert sum(self._run(self.sale.stock())) == UNITS

    def teardown(self) -> None:
        self.check_log()

    def _pick(self, pick: int) -> str:
        return list(self.ends)[pick % len(self.ends)]
