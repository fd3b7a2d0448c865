"""Drives a `Router` by a virtual clock and keeps what every peer would have been sent, in plain."""

from collections import defaultdict
from collections.abc import Callable

from support.narrow_path import NarrowPath

from media.router import (
    ClockMapping,
    PublisherAway,
    PublisherBack,
    PublisherDown,
    PublisherUp,
    Request,
    Router,
    SendBurst,
    SendRtcp,
    SendTo,
)
from media.rtp import header, rtcp
from media.rtp.sequence import unwrap16

News = PublisherUp | PublisherAway | PublisherBack | PublisherDown


class NonceReuse(AssertionError):
    """One (SSRC, extended sequence number) stood for two contents: SRTP would be broken."""


class Lab:
    """A router and the wires around it. `now` moves only by `run`."""

    def __init__(self, random_u32: Callable[[], int], lag_s: Callable[[], float] = lambda: 0.0) -> None:
        """`lag_s`: how late the event loop serves a deadline."""
        self._lag_s = lag_s
        self.router = Router(random_u32)
        self.now = 100.0
        self.rtp: dict[int, list[tuple[float, bytes]]] = defaultdict(list)
        self.rtcp: dict[int, list[tuple[float, rtcp.RtcpPacket]]] = defaultdict(list)
        self.clocks: list[ClockMapping] = []
        self.paths: dict[int, NarrowPath] = {}
        """Peers behind a path of their own, which gives feedback."""
        self.news: list[tuple[float, News]] = []
        self.other: list[object] = []
        self._contents: dict[tuple[int, int, int], bytes] = {}
        self._highest: dict[tuple[int, int], int] = {}

    def collect(self) -> None:
        """Take the router's requests as the transport would."""
        while requests := self.router.drain():
            self._take(requests)

    def _take(self, requests: list[Request]) -> None:
        for request in requests:
            match request:
                case SendBurst(packets, targets):
                    assert 1 <= len(packets) <= 64
                    for slot, ssrc, payload_type, offset in targets:
                        for packet in packets:
                            sequence = int.from_bytes(packet[2:4]) + offset
                            self._sent(slot, header.readdress(packet, ssrc, payload_type, sequence))
                case SendTo(peer, packets):
                    self._all_sent(peer, packets)
                case SendRtcp(peer, compound):
                    self.rtcp[peer] += [(self.now, packet) for packet in rtcp.parse(compound)]
                case ClockMapping():
                    self.clocks.append(request)
                case PublisherUp() | PublisherAway() | PublisherBack() | PublisherDown():
                    self.news.append((self.now, request))
                case _:
                    self.other.append(request)

    def feedback(self, peer: int, compound: bytes) -> None:
        """A compound of a peer behind a path, through the fan-out's reading of transport-wide feedback."""
        messages, others = rtcp.transport_feedback(compound)
        for fci in messages:
            for acked in self.paths[peer].history.acknowledge(fci, int(self.now * 1e6)):
                self.router.acknowledged(peer, acked, self.now)
        if others:
            self.router.receive_rtcp(peer, compound, self.now)

    def _all_sent(self, peer: int, packets: list[bytes]) -> None:
        for packet in packets:
            self._sent(peer, packet)

    def _sent(self, peer: int, packet: bytes) -> None:
        head = header.parse(packet)
        key = (peer, head.ssrc)
        extended = unwrap16(head.sequence, self._highest.get(key, head.sequence))
        assert extended >= 0, "a number before the first would be taken for one 2^16 later"
        if key not in self._highest:
            assert extended < 2**15
        self._highest[key] = max(extended, self._highest.get(key, 0))
        if self._contents.setdefault((*key, extended), packet) != packet:
            raise NonceReuse(f"peer {peer} ssrc {head.ssrc:#x} number {extended}")
        self.rtp[peer].append((self.now, packet))
        if peer in self.paths:
            self.paths[peer].send(packet, self.now)

    def run(self, until: float) -> None:
        """Let time pass; every deadline must be served a bounded number of times."""
        for _ in range(100_000):
            self.collect()
            deadline = self.router.next_deadline()
            if deadline is None or deadline > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, deadline + self._lag_s())
            self.router.handle_deadline(self.now)
        raise AssertionError("the router's deadline does not move on")

    def video(self, peer: int, ssrc: int) -> dict[int, bytes]:
        """What a viewer has of one SSRC, by extended sequence number (RTX not unwrapped)."""
        return {n: p for (who, which, n), p in self._contents.items() if (who, which) == (peer, ssrc)}

    def payloads(self, peer: int, ssrc: int) -> list[bytes]:
        """The payloads of one SSRC in the order of their numbers, without padding."""
        found = self.video(peer, ssrc)
        result: list[bytes] = []
        for number in sorted(found):
            head = header.parse(found[number])
            result.append(found[number][head.payload_start : head.payload_end])
        return result
