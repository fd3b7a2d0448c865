"""What the system says of processes and sockets while a measurement runs."""
from __future__ import annotations

import contextlib
import fcntl
import os

from engine import HIST_US

TICK = os.sysconf("SC_CLK_TCK")


def cpu(pids) -> tuple[float, float]:
    """User and system seconds of the processes, all their threads, from /proc/PID/stat."""
    user = sys_ = 0.0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as f:
            p = f.read().rsplit(")", 1)[1].split()
            user, sys_ = user + int(p[11]) / TICK, sys_ + int(p[12]) / TICK
    return user, sys_


def rss_mb(pids) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
            total += sum(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
    return total / 1024


def udp_snmp() -> dict:
    with open("/proc/net/snmp") as f:
        k, v = (x.split() for x in f if x.startswith("Udp:"))
    return dict(zip(k[1:], map(int, v[1:])))


@contextlib.contextmanager
def locked(path):
    if not path:
        yield
        return
    with open(path) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def quantiles(hist, qs) -> list:
    total, out = sum(hist), []
    for q in qs:
        if not total:
            out.append(None)
            continue
        want, seen = q * total, 0
        for i, n in enumerate(hist):
            seen += n
            if seen >= want and n:
                out.append(i * HIST_US / 1000)
                break
    return out
