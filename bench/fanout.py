"""CPU per forwarded packet of the fan-out: the kernel alone, and with the router before it.

    python bench/fanout.py [-n 100] [--seconds 2]

Prints one JSON line a case. The yardstick of the same run is a bare `sendto` of an unencrypted packet, one
system call each, so that runs on different machines compare. Every packet goes over loopback to one socket
that nobody reads (its small buffer overflows at once), so delivery costs little and crypto is real.
"""

import argparse
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "tests")]

from pylibsrtp import Policy  # noqa: E402
from support.rtp_source import RtpSource, publisher_config, subscriber_config  # noqa: E402

from media.kernel import Target  # noqa: E402
from media.kernel.pure import PureFanout  # noqa: E402
from media.router import Router, SendBurst, SendRtcp, SendTo  # noqa: E402
from media.rtp import header  # noqa: E402

POLICY: Any = Policy
PROFILES = {
    "AES-GCM": (POLICY.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "CM-SHA1": (POLICY.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}
PACKET_BYTES = 1200


def sockets() -> tuple[socket.socket, tuple[str, int]]:
    """A sender, and the address of a sink with a small buffer (kept open by the sender's attribute)."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sink.bind(("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    sender.setblocking(False)
    KEPT.append(sink)
    return sender, sink.getsockname()


KEPT: list[socket.socket] = []


def measure(seconds: float, once: Callable[[], int]) -> float:
    """CPU microseconds per packet of `once`, which returns how many packets it sent."""
    once()
    packets = 0
    begin = time.process_time()
    while time.process_time() - begin < seconds:
        packets += once()
    return (time.process_time() - begin) / packets * 1e6


def frame(packets: int) -> list[bytes]:
    """A prepared frame: equal sizes, the last smaller. Numbers move so that SRTP sees new packets."""
    sizes = [PACKET_BYTES - 12] * (packets - 1) + [600]
    return [header.build(0, next(SEQUENCE), 1, 0, bytes(size)) for size in sizes]


SEQUENCE = itertools.count()


def bare(seconds: float) -> float:
    """The yardstick."""
    sender, address = sockets()
    data = bytes(PACKET_BYTES)

    def once() -> int:
        for _ in range(100):
            sender.sendto(data, address)
        return 100

    return measure(seconds, once)


def kernel(seconds: float, viewers: int, profile: str, packets: int, *, gso: bool) -> float:
    """The fan-out alone: one frame to all viewers again and again."""
    sender, address = sockets()
    fanout = PureFanout(sender)
    fanout.gso = fanout.gso and gso
    number, size = PROFILES[profile]
    targets = [
        Target(fanout.add_slot(number, os.urandom(size), address), place + 1, 102, place)
        for place in range(viewers)
    ]

    def once() -> int:
        sent = fanout.send(frame(packets), targets)
        return sent.packets + sent.dropped

    return measure(seconds, once)


def router(seconds: float, viewers: int) -> float:
    """Publisher's packets in, viewers' packets out: 30 frames a second of virtual time, 8 packets each."""
    sender, address = sockets()
    fanout = PureFanout(sender)
    number, size = PROFILES["AES-GCM"]
    core = Router(lambda: 1)
    source = RtpSource(packets_per_frame=8)
    publisher = fanout.add_slot(number, os.urandom(size), address)
    core.add_publisher(publisher, publisher_config(), 0.0)
    now = 0.0
    for index in range(viewers):
        slot = fanout.add_slot(number, os.urandom(size), address)
        core.add_subscriber(slot, subscriber_config(ssrc=0x1000 * (index + 1)), now)

    def drain() -> int:
        count = 0
        for request in core.drain():
            match request:
                case SendBurst(packets, targets):
                    sent = fanout.send(packets, targets)
                    count += sent.packets + sent.dropped
                case SendTo(peer, packets):
                    fanout.send_to(peer, packets)
                case SendRtcp(peer, packet):
                    fanout.send_rtcp(peer, packet)
                case _:
                    pass
        return count

    def once() -> int:
        nonlocal now
        count = 0
        for packet in source.frame(key=source.frames % 60 == 0):
            core.receive_rtp(publisher, packet, now)
            count += drain()
        now += 1 / 30
        while (deadline := core.next_deadline()) is not None and deadline <= now:
            core.handle_deadline(deadline)
            count += drain()
        return count

    return measure(seconds, once)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=100, help="viewers")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds a case")
    options = parser.parse_args()
    seconds, viewers = options.seconds, options.n
    yardstick = bare(seconds)
    cases: list[tuple[str, float]] = [
        ("bare sendto, no crypto", yardstick),
        ("8-packet frames, AES-GCM, GSO", kernel(seconds, viewers, "AES-GCM", 8, gso=True)),
        ("8-packet frames, AES-GCM, no GSO", kernel(seconds, viewers, "AES-GCM", 8, gso=False)),
        ("8-packet frames, CM-SHA1, GSO", kernel(seconds, viewers, "CM-SHA1", 8, gso=True)),
        ("single packets, AES-GCM", kernel(seconds, viewers, "AES-GCM", 1, gso=True)),
        ("router and fan-out, 8-packet frames", router(seconds, viewers)),
    ]
    for name, us in cases:
        row = {"case": name, "viewers": viewers, "us_per_packet": round(us, 2)}
        print(json.dumps({**row, "of_bare_sendto": round(us / yardstick, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
