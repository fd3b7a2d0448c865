"""What one hold costs the store's core, beside a plain DECR on the same store in the same run.

Run: python bench/hold_script.py [--holds 20000] [--depth 200]. An embedded store with its real settings
(every write on disk before the answer) takes pipelined commands from one connection; the figure is the CPU
time of the store's main thread for each command, and the time by the clock. The ratio is what travels between
machines.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from support.sale import SHOW, Sale  # noqa: E402 - the checkout is on the path only from here on

from server.live.roles import role_table  # noqa: E402
from server.store.embedded import EmbeddedStore  # noqa: E402
from server.store.resp import Arg  # noqa: E402
from server.store.scripts import load_scripts  # noqa: E402
from server.store.store import Store  # noqa: E402

Command = tuple[Arg, ...]


async def cpu_s(store: Store) -> float:
    """CPU seconds of the store's main thread so far."""
    reply = await store.reads.call("INFO", "cpu")
    assert isinstance(reply, bytes)
    fields = dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
    return float(fields["used_cpu_user_main_thread"]) + float(fields["used_cpu_sys_main_thread"])


async def measure(store: Store, commands: Sequence[Command], depth: int) -> tuple[float, float]:
    """(CPU µs of the store, µs by the clock) for each command, with `depth` of them in every write."""
    cpu, started = await cpu_s(store), time.perf_counter()
    for first in range(0, len(commands), depth):
        await asyncio.gather(*(store.writes.call(*command) for command in commands[first : first + depth]))
    wall, cpu = time.perf_counter() - started, await cpu_s(store) - cpu
    return cpu / len(commands) * 1e6, wall / len(commands) * 1e6


def holds(name: str, sku: str, count: int) -> list[Command]:
    """Holds by many buyers, each with an order id of its own."""
    keys = (2, f"ls:{{{SHOW}}}:show", f"ls:{{{SHOW}}}:feed")
    return [
        (
            "FCALL",
            name,
            *keys,
            f"p_{i % 5000:022d}",
            "viewer",
            "",
            "k",
            f"o_{sku}_{i}",
            120_000,
            "",
            sku,
            1,
            1000,
        )
        for i in range(count)
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holds", type=int, default=20_000)
    parser.add_argument("--depth", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vendue-bench-") as scratch:
        server = EmbeddedStore(Path(scratch))
        store = await Store.open(await server.start(), role_table())
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(server.stop)
            stack.push_async_callback(store.close)
            sale = await Sale(store).start()
            await sale.product("mug", stock=options.holds * 2)
            await sale.product("gone", stock=0)
            name = load_scripts(role_table())["hold"].function
            await measure(store, holds(name, "mug", 2000), options.depth)  # warm
            plain: list[Command] = [("DECR", "counter")] * options.holds
            rows = {
                "DECR": await measure(store, plain, options.depth),
                "hold, sold out": await measure(store, holds(name, "gone", options.holds), options.depth),
                "hold": await measure(store, holds(name, "mug", options.holds + 2000)[2000:], options.depth),
                "hold, repeated": await measure(store, holds(name, "mug", options.holds), options.depth),
            }
    yardstick = rows["DECR"][0]
    print(f"{'command':16} {'CPU µs':>8} {'clock µs':>9} {'/ DECR':>7} {'a second':>9}")
    for name, (cpu, wall) in rows.items():
        print(f"{name:16} {cpu:8.2f} {wall:9.2f} {cpu / yardstick:7.1f} {1e6 / cpu:9.0f}")


if __name__ == "__main__":
    asyncio.run(main())
