"""Many purchases, a fifth of them sent twice, while store and web workers are killed: none lost,
none doubled, none too many; the exported log alone proves it. 60,000 purchases, a million by `make soak`.
"""

import asyncio
import itertools
import json
import os
import random
import time
from pathlib import Path

import pytest
from support.http_client import Caller
from support.rush import ORDERS, SETTINGS, SHOW, Tally, bearer, insist, kill_at, open_show, prove, purchase
from support.server_process import ServerProcess

PURCHASES = int(os.environ.get("SOAK_PURCHASES", "60000"))
UNITS = PURCHASES * 9 // 10
BUYERS = 1_000
CALLERS = 64  # buyers that are on the wire at once
TWICE, PAID, CANCELLED = 0.2, 0.1, 0.05
KILLS = ((0.2, "valkey-server"), (0.4, "server web"), (0.6, "valkey-server"), (0.8, "server web"))
VERIFIED_PER_S = 500
"""Far below what `vendue verify` reads, with the export before it."""


class Rush:
    """All buyers and what they want, in a random order."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.tally = Tally()
        self.cancelled = self.paid = 0
        self._dice = random.Random(seed)
        self._buyers = [Caller(server.port, bearer(f"buyer{n}", "viewer")) for n in range(BUYERS)]
        self._keys = itertools.count()

    async def run(self, server: ServerProcess) -> None:
        """Everybody at once; the first `PURCHASES` keys are all."""
        kills = [(int(share * PURCHASES), victim) for share, victim in KILLS]
        async with asyncio.TaskGroup() as group:
            group.create_task(kill_at(server, self.tally, kills))
            for number in range(CALLERS):
                group.create_task(self._work(range(number, BUYERS, CALLERS)))
        for caller in self._buyers:
            caller.close()

    async def _work(self, mine: range) -> None:
        for buyer in itertools.cycle(mine):
            number = next(self._keys)
            if number >= PURCHASES:
                return
            await self._one(self._buyers[buyer], f"buyer{buyer}", f"key-{number}")

    async def _one(self, caller: Caller, buyer: str, key: str) -> None:
        chance = self._dice.random
        order = await purchase(caller, self.tally, buyer, key)
        if chance() < TWICE:
            await purchase(caller, self.tally, buyer, key)
        if order is None:
            return
        what = chance()
        if what < PAID:
            body = {"payment_token": "tok_ok"}
            status, answer = await insist(caller, self.tally, f"{ORDERS}/{order}/pay", body, f"{key}-pay")
            assert status in (200, 202), answer
            self.paid += 1
        elif what < PAID + CANCELLED:
            status, answer = await insist(caller, self.tally, f"{ORDERS}/{order}/cancel", {}, f"{key}-cancel")
            assert status == 200, answer
            self.cancelled += 1


def held(export: Path) -> list[str]:
    """The ids of the orders in a log, one for each time that stock was taken."""
    with export.open("rb") as lines:
        entries = (json.loads(line) for line in lines if b'"kind":"order.held"' in line)
        return [entry["body"]["order"]["id"] for entry in entries]


@pytest.mark.slow
async def test_no_purchase_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    settings = {**SETTINGS, "VENDUE_HOLD__SECONDS": "3600"}  # holds outlive the soak
    with ServerProcess(tmp_path / "data", ["serve"], settings) as server:
        creator = await open_show(server, {"stock": UNITS})
        began = time.monotonic()
        rush = Rush(server, seed)
        await rush.run(server)
        took_s = time.monotonic() - began
        server.wait_ready()
        tally = rush.tally
        print(
            f"{PURCHASES} purchases, {tally.answers} answers in {took_s:.0f} s "
            f"({tally.answers / took_s:.0f}/s), {tally.unanswered} unanswered, {len(tally.orders)} orders, "
            f"{rush.paid} paid, {rush.cancelled} cancelled, refused {tally.refused}"
        )
        creator.close()
        status, show = await creator.call("GET", f"/api/v1/shows/{SHOW}")
        creator.close()
        assert status == 200
        (product,) = show["products"]
        export = prove(server, timeout_s=60 + PURCHASES / VERIFIED_PER_S)
    assert tally.contradictions == []
    assert tally.unanswered > 0, "nothing was killed while buyers waited: the test proves nothing"
    orders = held(export)
    assert len(set(orders)) == len(orders), "two entries take stock for one order"
    assert set(orders) == set(tally.orders.values()), "what was acknowledged is what is in the log"
    assert len(set(tally.orders.values())) == len(tally.orders), "two keys share an order"
    assert product["left"] + product["held"] + product["sold"] == UNITS
    assert len(orders) - rush.cancelled == product["held"] + product["sold"]
    assert tally.refused["409 sold_out"] > 0, "there was always enough: the test proves nothing"
