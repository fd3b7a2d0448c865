"""The fan-out alone: µs of CPU per forwarded packet, in C and in Python, against bare sending.

    python bench/fanout.py [--viewers 300] [--seconds 3]

The yardstick is one sendmsg with UDP_SEGMENT per viewer and frame, of bytes that nobody patched or encrypted:
what the system itself asks for delivery. All send the same frames to the same sockets, in turns; medians.
"""

import argparse
import json
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pylibsrtp import Policy

from media.kernel import Fanout, Target
from media.kernel.native import NativeFanout
from media.kernel.pure import PureFanout
from media.rtp import header

PACKETS, PAYLOAD_BYTES = 8, 1_160  # a frame of 720p30 at 2 Mbit/s
UDP_SEGMENT = 103
TURNS = 5


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def bare(sock: socket.socket, addresses: list[tuple[str, int]]) -> Callable[[list[bytes]], None]:
    def send(packets: list[bytes]) -> None:
        data = b"".join(packet + bytes(16) for packet in packets)
        cut = [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("=H", len(packets[0]) + 16))]
        for address in addresses:
            sock.sendmsg([data], cut, 0, address)

    return send


def through(fanout: Fanout, addresses: list[tuple[str, int]]) -> Callable[[list[bytes]], None]:
    profile = vars(Policy)["SRTP_PROFILE_AEAD_AES_128_GCM"]
    targets = [
        Target(fanout.add_slot(profile, os.urandom(28), address), 0x1000 + n, 96, n)
        for n, address in enumerate(addresses)
    ]

    def send(packets: list[bytes]) -> None:
        fanout.send(packets, targets)

    return send


def measure(
    send: Callable[[list[bytes]], None], viewers: int, seconds: float, first: int
) -> tuple[float, int]:
    """µs of this process's CPU per packet, and the next free sequence number."""
    start, frames = time.process_time(), 0
    payload = os.urandom(PAYLOAD_BYTES)
    while time.process_time() - start < seconds:
        send([header.build(0, (first + n) & 0xFFFF, frames * 3_000, 0, payload) for n in range(PACKETS)])
        first += PACKETS
        frames += 1
    return (time.process_time() - start) / (frames * PACKETS * viewers) * 1e6, first


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds for each of the three")
    options = parser.parse_args()
    receivers = [udp() for _ in range(options.viewers)]  # nobody reads: the system drops what does not fit
    addresses = [receiver.getsockname() for receiver in receivers]
    ways = {
        "bare": bare(udp(), addresses),
        "c": through(NativeFanout(udp()), addresses),
        "python": through(PureFanout(udp()), addresses),
    }
    firsts = dict.fromkeys(ways, 0)
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, send in ways.items():
            cost, firsts[name] = measure(send, options.viewers, options.seconds / TURNS, firsts[name])
            costs[name].append(cost)
    medians = {name: statistics.median(turn) for name, turn in costs.items()}
    row = {f"{name}_us_per_packet": round(cost, 2) for name, cost in medians.items()}
    row |= {f"{name}_to_bare": round(medians[name] / medians["bare"], 2) for name in ("c", "python")}
    print(json.dumps({"viewers": options.viewers, **row}))


if __name__ == "__main__":
    main()
