"""Attempts at a product that is sold out: what one costs, and how long a buyer of another product waits.

python bench/empty_shelf.py [--attempts 20000] [--callers 256] [--rounds 3]

In turn with one asking for all (commerce/sold_out.py) and with everybody asking for himself, on one store in
one run, without HTTP. Prints a JSON line a round.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from support.sale import ANNA, Sale, person  # noqa: E402
from support.store import embedded, opened  # noqa: E402

from server.commerce import sold_out  # noqa: E402 - the checkout is on the path only from here on
from server.commerce.bag import Wanted  # noqa: E402
from server.store.store import Store  # noqa: E402

PAYER_PAUSE_S = 0.002


async def store_cpu_s(store: Store) -> float:
    said = await store.reads.call("INFO", "cpu")
    assert isinstance(said, bytes)
    fields = dict(line.split(":", 1) for line in said.decode().splitlines() if ":" in line)
    return float(fields["used_cpu_user_main_thread"]) + float(fields["used_cpu_sys_main_thread"])


async def measure(store: Store, sale: Sale, attempts: int, callers: int, run: str) -> dict[str, Any]:
    crowd = [person(f"p{number}") for number in range(500)]
    numbers, waits = iter(range(attempts)), list[float]()
    over = asyncio.Event()

    async def ask() -> None:
        for number in numbers:
            who, key = crowd[number % len(crowd)], f"{run}-{number}"
            await sale.ledger.hold(sale.show, who, (Wanted("mug", 1, 1000),), idempotency_key=key)

    async def pay() -> None:
        while not over.is_set():
            began, key = time.perf_counter(), f"{run}-pay-{len(waits)}"
            await sale.ledger.hold(sale.show, ANNA, (Wanted("vase", 1, 1000),), idempotency_key=key)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(PAYER_PAUSE_S)

    cpu_s, began, own_s = await store_cpu_s(store), time.perf_counter(), time.process_time()
    payer = asyncio.create_task(pay())
    await asyncio.gather(*(ask() for _ in range(callers)))
    took_s = time.perf_counter() - began
    over.set()
    await payer
    return {
        "run": run,
        "attempts_per_s": round(attempts / took_s),
        "store_us": round((await store_cpu_s(store) - cpu_s) / attempts * 1e6, 1),
        "client_us": round((time.process_time() - own_s) / attempts * 1e6, 1),
        "payer_p99_ms": round(sorted(waits)[int(len(waits) * 0.99)] * 1e3, 1),
    }


async def main(args: argparse.Namespace) -> None:
    together = sold_out.SoldOut.ask

    async def alone(self: Any, show: str, wanted: Any, order: str, ask: sold_out.Ask) -> Any:  # noqa: ARG001
        return await ask()

    async with embedded() as (_, url), opened(url) as store:
        sale = await Sale(store).start()
        await sale.product(stock=1)
        await sale.product("vase", stock=900_000)
        await sale.held()
        for number in range(args.rounds):
            for name, how in (("together", together), ("alone", alone)):
                sold_out.SoldOut.ask = how
                measured = await measure(store, sale, args.attempts, args.callers, f"{name}-{number}")
                print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Attempts at a product that is sold out.")
    parser.add_argument("--attempts", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    uvloop.run(main(parser.parse_args()))
