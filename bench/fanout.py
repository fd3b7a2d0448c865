"""CPU per forwarded packet of the fan-out, in C and in Python, alone and with the router before it.

    python bench/fanout.py [--viewers 100] [--seconds 2]

The yardstick is one sendmsg with UDP_SEGMENT a viewer and frame, of bytes that nobody patched or encrypted:
what the system itself asks for delivery, in the same run. All cases take turns; medians. Nobody reads the
receiving sockets, so delivery costs little and crypto is real. Prints one JSON line a case.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "tests")]

from pylibsrtp import Policy  # noqa: E402
from support.rtp_source import RtpSource, publisher_config, subscriber_config  # noqa: E402

from media.kernel import Fanout, Target  # noqa: E402
from media.kernel.pure import PureFanout  # noqa: E402
from media.router import Router, SendBurst, SendRtcp, SendTo  # noqa: E402
from media.rtp import header  # noqa: E402

try:
    from media.kernel.native import NativeFanout
except ImportError:
    NativeFanout = None

GCM = (vars(Policy)["SRTP_PROFILE_AEAD_AES_128_GCM"], 28)
SHA1 = (vars(Policy)["SRTP_PROFILE_AES128_CM_SHA1_80"], 30)
PACKETS, PACKET_BYTES = 8, 1_172  # a frame of 720p30 at 2 Mbit/s
UDP_SEGMENT = 103
TURNS = 5

Address = tuple[str, int]
Once = Callable[[], int]
"""Sends something and says how many packets that were."""


def udp(buffer_bytes: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def frames(packets: int) -> Callable[[], list[bytes]]:
    """Prepared frames whose numbers move, so that SRTP sees new packets."""
    numbers = itertools.count()
    payload = os.urandom(PACKET_BYTES - 12)
    return lambda: [header.build(0, next(numbers), 1, 0, payload) for _ in range(packets)]


def bare(addresses: list[Address]) -> Once:
    """The yardstick."""
    sock, make = udp(4_096), frames(PACKETS)
    cut = [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("=H", PACKET_BYTES + 16))]

    def once() -> int:
        data = b"".join(packet + bytes(16) for packet in make())
        for address in addresses:
            sock.sendmsg([data], cut, 0, address)
        return PACKETS * len(addresses)

    return once


def alone(fanout: Fanout, addresses: list[Address], key: tuple[int, int], packets: int) -> Once:
    """The fan-out: one frame to all viewers again and again."""
    profile, size = key
    make = frames(packets)
    targets = [
        Target(fanout.add_slot(profile, os.urandom(size), address), 0x1000 + n, 96, n)
        for n, address in enumerate(addresses)
    ]

    def once() -> int:
        sent = fanout.send(make(), targets, 0)
        return sent.packets + sent.dropped

    return once


class Whole:
    """Publisher's packets in, viewers' packets out: 30 frames a second of virtual time, 8 packets each."""

    def __init__(self, fanout: Fanout, addresses: list[Address]) -> None:
        profile, size = GCM
        self.fanout, self.now = fanout, 0.0
        self.router = Router(lambda: 1)
        self.source = RtpSource(packets_per_frame=PACKETS)
        self.publisher = fanout.add_slot(profile, os.urandom(size), addresses[0])
        self.router.add_publisher(self.publisher, publisher_config(), 0.0)
        for index, address in enumerate(addresses):
            slot = fanout.add_slot(profile, os.urandom(size), address)
            self.router.add_subscriber(slot, subscriber_config(ssrc=0x1000 * (index + 1)), 0.0)

    def drain(self) -> int:
        count = 0
        for request in self.router.drain():
            match request:
                case SendBurst(packets, targets):
                    sent = self.fanout.send(packets, targets, 0)
                    count += sent.packets + sent.dropped
                case SendTo(peer, packets):
                    self.fanout.send_to(peer, packets, 0)
                case SendRtcp(peer, packet):
                    self.fanout.send_rtcp(peer, packet)
                case _:
                    pass
        return count

    def once(self) -> int:
        count = 0
        for packet in self.source.frame(key=self.source.frames % 60 == 0):
            self.router.receive_rtp(self.publisher, packet, self.now)
            count += self.drain()
        self.now += 1 / 30
        while (deadline := self.router.next_deadline()) is not None and deadline <= self.now:
            self.router.handle_deadline(deadline)
            count += self.drain()
        return count


def measure(once: Once, seconds: float) -> float:
    """µs of this process's CPU per packet."""
    once()
    packets = 0
    begin = time.process_time()
    while time.process_time() - begin < seconds:
        packets += once()
    return (time.process_time() - begin) / packets * 1e6


def cases(addresses: list[Address]) -> dict[str, Once]:
    """What is measured, by name."""
    found = {"bare GSO, no crypto": bare(addresses)}
    kinds = {"Python": PureFanout} | ({} if NativeFanout is None else {"C": NativeFanout})
    for name, kind in kinds.items():
        found[f"{name}: 8-packet frames, AES-GCM"] = alone(kind(udp(4_096)), addresses, GCM, PACKETS)
        found[f"{name}: 8-packet frames, AES-CM with SHA-1"] = alone(
            kind(udp(4_096)), addresses, SHA1, PACKETS
        )
        found[f"{name}: single packets, AES-GCM"] = alone(kind(udp(4_096)), addresses, GCM, 1)
        found[f"{name}: router and fan-out, 8-packet frames"] = Whole(kind(udp(4_096)), addresses).once
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds a case")
    options = parser.parse_args()
    receivers = [udp(4_096) for _ in range(options.viewers)]  # nobody reads: the system drops at once
    ways = cases([receiver.getsockname() for receiver in receivers])
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, once in ways.items():
            costs[name].append(measure(once, options.seconds / TURNS))
    medians = {name: statistics.median(turns) for name, turns in costs.items()}
    yardstick = next(iter(medians.values()))
    for name, us in medians.items():
        row = {"case": name, "viewers": options.viewers, "us_per_packet": round(us, 2)}
        print(json.dumps({**row, "of_bare_gso": round(us / yardstick, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
