"""Viewer WebSockets: deliveries per CPU-second as a ratio to a C `send()` loop, and memory a viewer.

    python bench/ws_deliveries.py [-n 1000] [--rounds 100] [--gap-ms 50] [--repeat 3]

One entry of a real show's log per round: script, publication, follower, hub, and one write to each of N
sockets. The server's whole process is counted, ticks and all. The yardstick sends as many bytes to as many
sockets at the same pace, in the same run, before and after, and the same C program reads both. Prints one
JSON line.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import uvloop  # noqa: E402 - the checkout is on the path only from here on
from support import store as stores  # noqa: E402
from support.live_server import live_server  # noqa: E402

from server.live.shows import NewShow, Shows  # noqa: E402
from server.tokens import Principal  # noqa: E402

SHOW = "bench"
FRAME_BYTES = 300  # about what a price.flash update and its header take


def resident_bytes() -> int:
    """This process' resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# The server under measurement: a process of its own that is told what to do, one JSON line each way.


async def serve() -> None:
    """Run the live side and obey the parent."""
    creator = Principal("creator", "p_" + "c" * 22, "creator", None, "jti", 2**31)
    async with stores.embedded() as (_, url), stores.opened(url) as store, live_server(store) as server:
        shows = Shows(store)
        await shows.create(creator, NewShow(title="Bench", currency="USD", id=SHOW))
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)  # as a web worker does (server.web)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        say({"port": server.port})
        async for line in commands:
            command = json.loads(line)
            if command["do"] == "tickets":
                say([server.ticket(SHOW) for _ in range(command["n"])])
            elif command["do"] == "weigh":
                gc.collect()
                say(
                    {
                        "resident": resident_bytes(),
                        "viewers": server.hub.viewers(SHOW),
                        "cpu_s": time.process_time(),
                    }
                )
            else:
                showing = await server.hub.open(SHOW)
                assert showing is not None
                say(await _rounds(store, showing, command))


async def _rounds(store: Any, showing: Any, command: dict[str, Any]) -> dict[str, float]:
    """Write entries of the wanted size at the wanted pace; deliveries and CPU of this process meanwhile."""
    reason = "x" * max(command["bytes"] - 190, 1)
    lanes = showing.crowd.lanes
    deliveries, cpu = lanes.deliveries, time.process_time()
    for n in range(command["rounds"]):
        action = "pause_sales" if n % 2 else "resume_sales"
        await store.scripts.run("moderate", SHOW, "p_" + "c" * 22, "creator", action, "", "", "", reason, "")
        await asyncio.sleep(command["gap_ms"] / 1000)
    return {"deliveries": lanes.deliveries - deliveries, "cpu_s": time.process_time() - cpu}


def say(value: object) -> None:
    """Answer the parent."""
    print(json.dumps(value), flush=True)


# The measuring side.


class Server:
    """The child process."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port: int = self._answer()["port"]

    def ask(self, **command: Any) -> Any:
        stdin: IO[str] | None = self.child.stdin
        assert stdin is not None
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.child.stdout is not None
        return json.loads(self.child.stdout.readline())

    def stop(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(20)


def join(port: int, tickets: list[str]) -> list[socket.socket]:
    """Connect and upgrade a viewer for each ticket; a plain client, the server is what is measured."""
    sockets: list[socket.socket] = []
    for ticket in tickets:
        request = (
            f"GET /ws/{SHOW} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: vendue.v1, ticket.{ticket}\r\n\r\n"
        )
        viewer = socket.create_connection(("127.0.0.1", port))
        viewer.sendall(request.encode())
        sockets.append(viewer)
    for viewer in sockets:
        head = viewer.recv(12)
        if head != b"HTTP/1.1 101":
            raise SystemExit(f"not upgraded: {head!r}")
    return sockets


def yardstick(binary: Path, args: argparse.Namespace) -> float:
    """Sends per CPU-second of the C loop."""
    numbers = [args.viewers, args.rounds, FRAME_BYTES, args.gap_ms * 1000]
    done = subprocess.run(
        [str(binary), "send", *map(str, numbers)], check=True, capture_output=True, text=True, timeout=300
    )
    sent, cpu_s = done.stdout.split()
    return int(sent) / float(cpu_s)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The whole measurement."""
    with tempfile.TemporaryDirectory() as scratch:
        binary = Path(scratch) / "ws_yardstick"
        subprocess.run(["cc", "-O2", "-o", str(binary), str(HERE / "ws_yardstick.c")], check=True)
        server = Server()
        viewers = join(server.port, server.ask(do="tickets", n=1))  # opens the show, warms the code
        before = server.ask(do="weigh")
        for start in range(0, args.viewers - 1, 100):  # tickets live a minute
            batch = server.ask(do="tickets", n=min(100, args.viewers - 1 - start))
            viewers += join(server.port, batch)
        reader = subprocess.Popen(
            [str(binary), "read", *(str(viewer.fileno()) for viewer in viewers)],
            pass_fds=[viewer.fileno() for viewer in viewers],
        )
        for viewer in viewers:
            viewer.close()
        time.sleep(0.5)
        after = server.ask(do="weigh")
        ours: list[float] = []
        theirs = [yardstick(binary, args)]
        order = {"do": "rounds", "rounds": args.rounds, "gap_ms": args.gap_ms, "bytes": FRAME_BYTES}
        for _ in range(args.repeat):
            run = server.ask(**order)
            ours.append(run["deliveries"] / run["cpu_s"])
            theirs.append(yardstick(binary, args))
        server.stop()
        reader.wait(20)
    here, there = statistics.median(ours), statistics.median(theirs)
    return {
        "bench": "ws_deliveries",
        "viewers": after["viewers"],
        "deliveries_per_cpu_s": round(here),
        "c_sends_per_cpu_s": round(there),
        "ratio": round(here / there, 3),
        "bytes_per_viewer": round((after["resident"] - before["resident"]) / (args.viewers - 1)),
        "join_cpu_us": round((after["cpu_s"] - before["cpu_s"]) / (args.viewers - 1) * 1e6),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--viewers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--gap-ms", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    with contextlib.suppress(ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if args.serve:
        uvloop.run(serve())
    else:
        print(json.dumps(measure(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
