"""The relay under load: `vendue serve`, one WHIP publisher and N WHEP viewers, all real peers on loopback.

    python bench/relay.py [-n 100,300] [--window 15]   this server, a JSON line each (--twcc: as browsers do)
    python bench/relay.py --peers [--rounds 3]         beside Janus, pion and werift, in turn: medians
    python bench/relay.py --most                       more viewers until packets are lost or come late

What is measured: CPU of the media process per forwarded packet, loss, latency of frames, cost of a join. The
viewers are `bench/rtcload` (full ICE, DTLS, SRTP); the packets are those of a 720p30 2 Mbit/s clip.
Needs gcc, ffmpeg, libssl-dev and libsrtp2-dev; what each peer needs it says when it is missing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from media_servers import Missing, Running, Server, janus, pion, vendue, werift

HERE = Path(__file__).resolve().parent
BOTH_PROFILES = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
TWCC = ("--twcc",)  # what browsers negotiate: transport-wide numbers, their feedback, RTX
PEER_SERVERS: dict[str, tuple[Server, Sequence[int], Sequence[str]]] = {
    "vendue": (vendue, (100, 200, 300), ()),
    "vendue, TWCC": (vendue, (100, 200, 300), TWCC),
    "janus": (janus, (100, 200, 300), ()),
    "pion": (pion, (100, 200, 300), ()),
    "werift": (werift, (25, 50), ()),  # more than one core can carry
}
MOST_STEP, MOST_LIMIT = 100, 3_000
LOSS_LIMIT_PCT, BEHIND_LIMIT_PCT = 0.1, 5

Row = dict[str, Any]


def clip() -> Path:
    """The pre-packetised clip, made once."""
    path = HERE / "rtcload" / "clip.rtpclip"
    if not path.exists():
        subprocess.run([sys.executable, str(HERE / "rtcload" / "clip.py"), str(path)], check=True)
    return path


def load(
    name: str, server: Running, viewers: Sequence[int], window_s: float, more: Sequence[str]
) -> list[Row]:
    """Put so many viewers on a server, one measurement each; rows of the load generator."""
    before_kb = rss_kb(server.pid)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [
            sys.executable,
            str(HERE / "rtcload" / "rtcload.py"),
            "--name",
            name,
            "--clip",
            str(clip()),
        ]
        command += [*server.arguments, "--pid", str(server.pid), "-n", ",".join(map(str, viewers))]
        command += ["--window", str(window_s), "--out", out.name, *more]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows: list[Row] = json.loads(Path(out.name).read_text() or "[]")
    for row in rows:
        row["kib_per_viewer"] = round((row["rss_mb"] * 1024 - before_kb) / row["n"], 1)
    return rows


def rss_kb(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def measure(
    name: str, server: Server, viewers: Sequence[int], window_s: float, more: Sequence[str]
) -> list[Row]:
    """One server from its start to its stop."""
    with tempfile.TemporaryDirectory() as scratch, server(Path(scratch)) as running:
        return load(name, running, viewers, window_s, more)


def side_by_side(rounds: int, window_s: float) -> int:
    """All servers in turn, so that the machine's drift meets each alike; medians over the rounds."""
    rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for number in range(rounds):
        for name, (server, viewers, more) in PEER_SERVERS.items():
            try:
                found = measure(name, server, viewers, window_s, ("--srtp", BOTH_PROFILES, *more))
            except Missing as missing:
                print(f"NOT MEASURED: {missing}", file=sys.stderr)
                continue
            for row in found:
                rows[name, row["n"]].append(row)
                print(json.dumps({"round": number, **row}), flush=True)
    print(table(rows))
    return 0


COLUMNS = {
    "µs a packet": "us_per_pkt",
    "lost %": "loss_pct",
    "p50 ms": "lat_ms_p50",
    "p99 ms": "lat_ms_p99",
    "join CPU ms": "join_cpu_ms",
    "KiB a viewer": "kib_per_viewer",
}


def table(rows: dict[tuple[str, int], list[Row]]) -> str:
    """Medians as Markdown."""
    lines = [f"| server | viewers | connected | {' | '.join(COLUMNS)} |", "| --- " * (len(COLUMNS) + 3) + "|"]
    for (name, viewers), measured in rows.items():
        values = [statistics.median(row[field] for row in measured) for field in COLUMNS.values()]
        connected = min(row["connected"] for row in measured)
        lines.append(f"| {name} | {viewers} | {connected} | {' | '.join(f'{value:g}' for value in values)} |")
    return "\n".join(lines)


def most(window_s: float, more: Sequence[str]) -> int:
    """More viewers, step by step, until packets are lost, or come more slowly than they are published."""
    with tempfile.TemporaryDirectory() as scratch, vendue(Path(scratch)) as running:
        for viewers in range(300, MOST_LIMIT + 1, MOST_STEP):
            for row in load("vendue", running, [viewers], window_s, more):
                print(json.dumps(row), flush=True)
                is_behind = row["min_viewer_pkts_s"] < row["pub_pkts_s"] * (1 - BEHIND_LIMIT_PCT / 100)
                if is_behind or row["loss_pct"] >= LOSS_LIMIT_PCT or row["connected"] < viewers:
                    return 0
    return 0


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("-n", default="100", help="viewers; 50,100 makes two measurements")
    parser.add_argument("--window", type=float, default=15, help="seconds a measurement")
    parser.add_argument("--srtp", default=BOTH_PROFILES, help="offered by the viewers")
    parser.add_argument("--twcc", action="store_true", help="viewers negotiate it and send feedback")
    parser.add_argument("--peers", action="store_true", help="beside other media servers")
    parser.add_argument("--rounds", type=int, default=3, help="of --peers")
    parser.add_argument("--most", action="store_true", help="how many viewers can be held")
    options = parser.parse_args()
    if options.peers:
        return side_by_side(options.rounds, options.window)
    offered = ("--srtp", options.srtp, *(TWCC if options.twcc else ()))
    if options.most:
        return most(options.window, offered)
    viewers = [int(number) for number in options.n.split(",")]
    rows = measure("vendue", vendue, viewers, options.window, offered)
    for row in rows:
        print(json.dumps(row))
    return 0 if rows and all(row["connected"] == row["n"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
