"""The fan-out in C against the one in Python: the same calls give the same datagrams, byte for byte."""

import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy

from media.kernel import HISTORY_PACKETS, MAX_BURST_PACKETS, MAX_PACKET_BYTES, Acked, Fanout, Sent, Target
from media.kernel.pure import PureFanout
from media.rtp import feedback, header, rtcp

native = pytest.importorskip(
    "media.kernel.native", reason="THE C KERNEL IS NOT BUILT: gcc or Python's headers were missing at install"
)

POLICY = vars(Policy)
KEY_BYTES: dict[int, int] = {
    POLICY["SRTP_PROFILE_AEAD_AES_128_GCM"]: 28,
    POLICY["SRTP_PROFILE_AEAD_AES_256_GCM"]: 44,
    POLICY["SRTP_PROFILE_AES128_CM_SHA1_80"]: 30,
    POLICY["SRTP_PROFILE_AES128_CM_SHA1_32"]: 30,
}
VIEWERS = 3


class Side:
    """One implementation with its own socket and its own viewers, whose keys the other side shares."""

    def __init__(self, make: type[PureFanout], keys: list[tuple[int, bytes]], extensions: list[int]) -> None:
        self.socket = udp()
        self.socket.setblocking(False)
        self.viewers = [udp() for _ in keys]
        self.fanout: Fanout = make(self.socket)
        self.slots = [
            self.fanout.add_slot(profile, key, viewer.getsockname(), extension)
            for (profile, key), viewer, extension in zip(keys, self.viewers, extensions, strict=True)
        ]

    def received(self) -> list[list[bytes]]:
        """All datagrams that have come, by viewer (loopback delivers before the call returns)."""
        return [list(drain(viewer)) for viewer in self.viewers]

    def close(self) -> None:
        for sock in (self.socket, *self.viewers):
            sock.close()


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    return sock


def drain(sock: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(2_048, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return


@contextmanager
def both(keys: list[tuple[int, bytes]], extensions: list[int] | None = None) -> Generator[tuple[Side, Side]]:
    ids = extensions or [0] * len(keys)
    c, python = Side(native.NativeFanout, keys, ids), Side(PureFanout, keys, ids)
    try:
        yield c, python
    finally:
        c.close()
        python.close()


def frame(sizes: list[int], first: int, timestamp: int) -> list[bytes]:
    return [
        header.build(0, (first + i) & 0xFFFF, timestamp, 0, os.urandom(size), marker=i == len(sizes) - 1)
        for i, size in enumerate(sizes)
    ]


profiles = st.lists(st.sampled_from(sorted(KEY_BYTES)), min_size=VIEWERS, max_size=VIEWERS)
sizes = st.one_of(
    st.lists(st.integers(1, MAX_PACKET_BYTES - 12), min_size=1, max_size=12),
    st.tuples(st.integers(1, 1_200), st.integers(1, MAX_BURST_PACKETS)).map(lambda t: [t[0]] * t[1]),
)
firsts = st.tuples(st.integers(0, 0x7FFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x7F))
offsets = st.lists(st.integers(0, 0xFFFF), min_size=VIEWERS, max_size=VIEWERS)
ids = st.lists(st.sampled_from((0, 0, 3, 14)), min_size=VIEWERS, max_size=VIEWERS)


@settings(max_examples=60, deadline=None)
@given(profiles, sizes, offsets, firsts, ids)
def test_a_frame_leaves_both_as_the_same_datagrams(
    chosen: list[int],
    lengths: list[int],
    shifts: list[int],
    start: tuple[int, int, int],
    extensions: list[int],
) -> None:
    first, timestamp, payload_type = start
    keys = [(profile, os.urandom(KEY_BYTES[profile])) for profile in chosen]
    packets = frame(lengths, first, timestamp)
    with both(keys, extensions) as (c, python):
        sent: list[Sent] = []
        for side in (c, python):
            targets = [
                Target(slot, 0x1000_0000 + n, payload_type, shift)
                for n, (slot, shift) in enumerate(zip(side.slots, shifts, strict=True))
            ]
            sent.append(side.fanout.send(packets, [*targets, Target(1 << 40, 1, 1, 1)], 5))
        assert sent[0] == sent[1]
        assert sent[0].packets == len(packets) * VIEWERS
        assert c.received() == python.received()


@settings(max_examples=30, deadline=None)
@given(profiles, st.lists(st.integers(1, MAX_PACKET_BYTES - 12), max_size=20), ids)
def test_packets_for_one_viewer_and_rtcp_are_the_same_too(
    chosen: list[int], lengths: list[int], extensions: list[int]
) -> None:
    keys = [(profile, os.urandom(KEY_BYTES[profile])) for profile in chosen]
    packets = frame(lengths, 7, 90_000)
    report = rtcp.write_receiver_report(rtcp.ReceiverReport(1)) + rtcp.write_bye((1,))
    with both(keys, extensions) as (c, python):
        for side in (c, python):
            for slot in side.slots:
                assert side.fanout.send_to(slot, packets, 5).packets == len(packets)
                assert side.fanout.send_rtcp(slot, report).packets == 1
            assert side.fanout.send_to(1 << 40, packets, 5) == Sent(0, 0, 0)
        assert c.received() == python.received()


Sends = list[tuple[int, int]]
sends = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40_000)), min_size=1, max_size=12)
"""(packets of a frame, µs until the next)"""
arrivals = st.lists(st.none() | st.integers(-2_000, 30_000), min_size=1, max_size=60)
messages = st.lists(
    st.one_of(
        st.tuples(st.integers(-80, 40), st.integers(0, 0xFFFFFF), arrivals).map(lambda told: told),
        st.binary(max_size=60),
    ),
    max_size=6,
)


def fci_of(message: tuple[int, int, list[int | None]] | bytes, next_number: int) -> bytes:
    """The FCI of a message about numbers from so many after the next one on; or the bytes themselves."""
    if isinstance(message, bytes):
        return message
    shift, reference, ticks = message
    told = feedback.TransportFeedback((next_number + shift) & 0xFFFF, reference, 0, tuple(ticks))
    (report,) = rtcp.parse(feedback.write_transport(1, 2, told))
    assert isinstance(report, feedback.TransportReport)
    return report.fci


@settings(max_examples=150, deadline=None)
@given(sends, messages)
def test_both_read_the_same_out_of_feedback(
    frames: Sends, told: list[tuple[int, int, list[int | None]] | bytes]
) -> None:
    with both(a_viewer(), [3]) as (c, python):
        now_us = number = 0
        for count, pause_us in frames:
            packets = frame([200] * count, number & 0x7FFF, 1)
            for side in (c, python):
                side.fanout.send(packets, [Target(side.slots[0], 1, 96, 0)], now_us)
            number += count
            now_us += pause_us
        for message in told:
            fci = fci_of(message, number)
            assert c.fanout.acknowledge(c.slots[0], fci) == python.fanout.acknowledge(python.slots[0], fci)


@pytest.mark.parametrize("which", [0, 1], ids=["C", "Python"])
def test_feedback_says_what_came_when(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        (slot,) = side.slots
        side.fanout.send(frame([200] * 3, 1, 1), [Target(slot, 1, 96, 0)], 1_000_000)
        side.fanout.send_to(slot, frame([100], 9, 1), 1_010_000)
        first = fci_of((-4, 100, [0, 4, None, 80]), 4)
        assert side.fanout.acknowledge(slot, first) == Acked(3, 1, 2 * 212 + 112, 0, 0, 6_420_000)
        assert side.fanout.acknowledge(slot, first) == Acked(0, 0, 0, 0, 0, 0), "told once"
        late = fci_of((-2, 100, [480]), 4)
        assert side.fanout.acknowledge(slot, late) == Acked(1, -1, 212, 0, 120_000, 6_520_000)
        assert side.fanout.acknowledge(slot, fci_of((0, 100, [0]), 4)) == Acked(0, 0, 0, 1, 0, 0)
        assert side.fanout.acknowledge(slot + 1, first) is None
        assert side.fanout.acknowledge(slot, b"") is None


@pytest.mark.parametrize("which", [0, 1], ids=["C", "Python"])
def test_what_is_forgotten_is_unknown(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        for number in range(HISTORY_PACKETS + 2):
            side.fanout.send_to(side.slots[0], frame([20], number, 1), number)
        told = side.fanout.acknowledge(side.slots[0], fci_of((0, 1, [0, 0, 0]), 0))
        assert told is not None
        assert (told.received, told.unknown) == (1, 2)


def a_viewer() -> list[tuple[int, bytes]]:
    profile = POLICY["SRTP_PROFILE_AEAD_AES_128_GCM"]
    return [(profile, os.urandom(KEY_BYTES[profile]))]


def test_slots_are_never_used_again() -> None:
    keys = a_viewer()
    with both(keys) as (c, _):
        (profile, key), address = keys[0], c.viewers[0].getsockname()
        seen = set(c.slots)
        for _ in range(1_000):
            slot = c.fanout.add_slot(profile, key, address)
            assert slot not in seen
            seen.add(slot)
            c.fanout.remove_slot(slot)
            assert c.fanout.send_to(slot, frame([100], 1, 1), 5) == Sent(0, 0, 0)
        many = [c.fanout.add_slot(profile, key, address) for _ in range(300)]
        assert len({*many, *seen}) == 300 + len(seen)
        assert c.fanout.send(frame([100], 1, 1), [Target(slot, 1, 1, 0) for slot in many], 5).packets == 300


def test_a_viewer_that_moved_gets_its_packets_at_the_new_address() -> None:
    with both(a_viewer()) as (c, _):
        c.fanout.set_address(c.slots[0], c.socket.getsockname())
        assert c.fanout.send_to(c.slots[0], frame([100], 1, 1), 5).packets == 1
        assert c.received() == [[]]
        assert len(list(drain(c.socket))) == 1


def test_a_dead_address_costs_its_viewer_alone() -> None:
    with both(a_viewer() * 2) as (c, _):
        c.fanout.set_address(c.slots[0], ("127.0.0.1", 0))  # sendmsg refuses port 0
        targets = [Target(slot, 1, 1, 0) for slot in c.slots]
        sent = c.fanout.send(frame([500, 500], 1, 1), targets, 5)
        assert (sent.packets, sent.dropped) == (2, 2)
        assert [len(got) for got in c.received()] == [0, 2]


def test_what_the_system_refuses_is_dropped_and_counted() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    fanout = native.NativeFanout(near)
    profile, key = a_viewer()[0]
    sent: list[Sent] = []
    try:
        # A unix socket refuses an internet address: every message fails.
        slot = fanout.add_slot(profile, key, ("127.0.0.1", 9))
        sent = [fanout.send_to(slot, frame([1_000] * 8, 8 * n, 1), 5) for n in range(4)]
    finally:
        near.close()
        far.close()
    assert all(each == Sent(0, 0, 8) for each in sent)


@pytest.mark.parametrize(
    ("packets", "targets"),
    [
        ([b"short"], []),
        ([bytes(MAX_PACKET_BYTES + 1)], []),
        ([bytes(100)] * (MAX_BURST_PACKETS + 1), []),
        (["text"], []),
        ((bytes(100),), []),
        ([bytes(100)], [(1, 2, 3)]),
        ([bytes(100)], [("a", 1, 1, 1)]),
        ([bytes(100)], (1,)),
    ],
)
def test_what_is_no_packet_or_no_target_is_refused_and_nothing_is_sent(
    packets: object, targets: object
) -> None:
    with both(a_viewer()) as (c, _):
        with pytest.raises((ValueError, TypeError)):
            c.fanout.send(packets, targets, 5)  # type: ignore[arg-type]
        assert c.received() == [[]]
