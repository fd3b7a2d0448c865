"""A bad network between this machine and a namespace of its own: netem in user space, and seeded.

Two TUN devices, one here and one in the namespace, and a process between them that loses, delays, repeats,
swaps and changes packets. As a program: `python link_carrier.py NAMESPACE SEED`; a line of JSON on its input
sets what `Damage` names, for both directions.
"""

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

HERE, THERE = "198.18.7.1", "198.18.7.2"  # the network for tests of devices (RFC 2544)
DEVICE = "badlink0"
MTU = 1_400
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x4004_54CA, 1, 0x1000
CLONE_NEWNET = 0x4000_0000
QUEUE_BYTES = 200_000
BATCH = 64


@dataclass
class Damage:
    """What happens to a packet: probabilities, seconds, bit/s (0: any)."""

    loss: float = 0.0
    delay_s: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    rate_bps: float = 0.0
    down: bool = False


class Direction:
    """One way of the link: when each packet arrives, how often, and in what state."""

    def __init__(self, seed: int, damage: Damage) -> None:
        self._random = random.Random(seed)
        self._damage = damage
        self._free_at = 0.0

    def plan(self, packet: bytes, now: float) -> list[tuple[float, bytes]]:
        damage, chance = self._damage, self._random.random
        if damage.down or chance() < damage.loss:
            return []
        at = now
        if damage.rate_bps:
            start = max(now, self._free_at)
            if (start - now) * damage.rate_bps / 8 > QUEUE_BYTES:
                return []
            self._free_at = at = start + len(packet) * 8 / damage.rate_bps
        if chance() < damage.corrupt:
            changed = bytearray(packet)
            changed[self._random.randrange(20, len(changed))] ^= 1 << self._random.randrange(8)
            packet = bytes(changed)
        if chance() >= damage.reorder:  # else it overtakes all that are on their way
            at += damage.delay_s
        return [(at, packet)] * (1 + (chance() < damage.duplicate))


def open_tun(namespace: str | None) -> int:
    """A TUN device, here or in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY) if namespace else home
    try:
        if libc.setns(away, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    finally:
        libc.setns(home, CLONE_NEWNET)
        for descriptor in {home, away}:
            os.close(descriptor)
    return device


def set_up(namespace: str) -> tuple[int, int]:
    """Both ends with their addresses; the namespace's way out is the link."""
    ends = open_tun(None), open_tun(namespace)
    for where, address in (([], HERE), (["-n", namespace], THERE)):
        for command in (
            f"addr add {address}/24 dev {DEVICE}",
            f"link set {DEVICE} mtu {MTU} txqueuelen 5000 up",
        ):
            subprocess.run(["ip", *where, *command.split()], check=True)
    for command in ("link set lo up", f"route add default dev {DEVICE}"):
        subprocess.run(["ip", "-n", namespace, *command.split()], check=True)
    return ends


def take_damage(damage: Damage) -> bool:
    """Read one line of what is to be damaged; False when the input has ended."""
    line = sys.stdin.readline()
    for name, value in json.loads(line or "{}").items():
        if not hasattr(damage, name):
            raise ValueError(f"there is no damage {name!r}")
        setattr(damage, name, value)
    return bool(line)


def read_all(device: int) -> Iterator[bytes]:
    """The packets that wait, up to a batch."""
    for _ in range(BATCH):
        try:
            yield os.read(device, 2_048)
        except BlockingIOError:
            return


def carry(ends: tuple[int, int], seed: int) -> None:
    """Carry packets until the input ends."""
    damage = Damage()
    ways = {end: (Direction(seed + n, damage), ends[1 - n]) for n, end in enumerate(ends)}
    waiting: list[tuple[float, int, int, bytes]] = []
    numbers = itertools.count()
    selector = selectors.DefaultSelector()
    for source in (*ends, sys.stdin.fileno()):
        selector.register(source, selectors.EVENT_READ)
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, out, packet = heapq.heappop(waiting)
            with contextlib.suppress(BlockingIOError):  # a full device loses it
                os.write(out, packet)
        pause_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for key, _ in selector.select(pause_s):
            if key.fd not in ways:
                if not take_damage(damage):
                    return
                continue
            way, out = ways[key.fd]
            for packet in read_all(key.fd):
                for at, arriving in way.plan(packet, time.monotonic()):
                    heapq.heappush(waiting, (at, next(numbers), out, arriving))


def main() -> None:
    namespace, seed = sys.argv[1], int(sys.argv[2])
    ends = set_up(namespace)
    print("ready", flush=True)
    carry(ends, seed)


if __name__ == "__main__":
    main()
