"""The fan-out in C against the one in Python: the same calls give the same datagrams, byte for byte."""

import os
import socket
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Error, Policy
from support.examples import examples

from media.kernel import HISTORY_PACKETS, MAX_BURST_PACKETS, MAX_PACKET_BYTES, Acked, Fanout, Sent, Target
from media.kernel.pure import PureFanout
from media.kernel.srtp import sending_session
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
            self.fanout.add_slot(profile, key, viewer.getsockname(), extension, key)
            for (profile, key), viewer, extension in zip(keys, self.viewers, extensions, strict=True)
        ]
        self.reporter = sending_session(*keys[0])

    def told(self, compound: bytes, now_us: int) -> tuple[bytes | None, list[Acked]]:
        """What the first viewer says: what is left for the router, and what is told of its path."""
        left = self.fanout.open_rtcp(self.slots[0], self.reporter.protect_rtcp(compound), now_us)
        acked = self.fanout.acknowledged()
        assert {slot for slot, _ in acked} <= {self.slots[0]}
        return left, [digest for _, digest in acked]

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


@examples(60)
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


@examples(30)
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


def report_of(message: tuple[int, int, Sequence[int | None]] | bytes, next_number: int) -> bytes:
    """A message about numbers from so many after the next one on; or one with these bytes for an FCI."""
    if isinstance(message, bytes):
        fci = message + bytes(-len(message) % 4)
        return struct.pack("!BBHII", 0x8F, 205, 2 + len(fci) // 4, 1, 2) + fci
    shift, reference, ticks = message
    told = feedback.TransportFeedback((next_number + shift) & 0xFFFF, reference, 0, tuple(ticks))
    return feedback.write_transport(1, 2, told)


@examples(150)
@given(sends, messages, st.sampled_from((3_000, 50_000, 11_000_000)))
def test_both_read_the_same_out_of_feedback(
    frames: Sends, told: list[tuple[int, int, list[int | None]] | bytes], every_us: int
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
            compound = report_of(message, number)
            assert c.told(compound, now_us) == python.told(compound, now_us)
            now_us += every_us


heads = st.sampled_from((b"\x80\xc9\0\1" + bytes(4), b"\x80\xc9\0\0\x80\xc9\0\0", bytes(8), b"\xff" * 8))
"""libsrtp protects nothing without a header."""


@examples(200)
@given(heads, st.lists(st.one_of(st.binary(max_size=40), messages), max_size=4))
def test_both_find_the_same_feedback_in_any_compound(
    head: bytes, parts: list[bytes | list[tuple[int, int, list[int | None]] | bytes]]
) -> None:
    compound = head
    for part in parts:
        compound += part if isinstance(part, bytes) else b"".join(report_of(each, 0) for each in part)
    with both(a_viewer(), [3]) as (c, python):
        for side in (c, python):
            side.fanout.send_to(side.slots[0], frame([100], 1, 1), 1)
        assert c.told(compound[:1_400], 50_000) == python.told(compound[:1_400], 50_000)


WHICH = pytest.mark.parametrize("which", [0, 1], ids=["C", "Python"])


@WHICH
def test_feedback_says_what_came_when(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        (slot,) = side.slots
        side.fanout.send(frame([200] * 3, 1, 1), [Target(slot, 1, 96, 0)], 1_000_000)
        side.fanout.send_to(slot, frame([100], 9, 1), 1_010_000)
        first = report_of((-4, 100, [0, 4, None, 80]), 4)
        assert side.told(first, 2_000_000) == (None, [Acked(3, 1, 2 * 212 + 112, 0, 0, 6_420_000)])
        assert side.told(first, 3_000_000) == (None, [Acked(0, 0, 0, 0, 0, 0)]), "told once"
        late = report_of((-2, 100, [480]), 4)
        assert side.told(late, 4_000_000) == (None, [Acked(1, -1, 212, 0, 120_000, 6_520_000)])
        strange = report_of((0, 100, [0]), 4)
        assert side.told(strange, 5_000_000) == (None, [Acked(0, 0, 0, 1, 0, 0)])
        assert side.told(report_of(b"", 4), 6_000_000) == (None, [])
        assert side.fanout.open_rtcp(slot + 1, first, 7_000_000) is None


@WHICH
def test_that_all_is_well_is_told_four_times_a_second_and_news_at_once(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        (slot,) = side.slots
        told: list[list[Acked]] = []
        for number in range(12):
            late = 500 if number == 8 else 0  # ticks: 125 ms
            side.fanout.send_to(slot, frame([100], number, 1), 1_000_000 + number * 50_000)
            message = (-1, 1_000, [number * 200 + late])
            told.append(side.told(report_of(message, number + 1), 1_005_000 + number * 50_000)[1])
        assert [len(each) for each in told] == [1, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0]
        assert [(acked.received, acked.queue_us) for acked in told[5] + told[8]] == [
            (5, 0),
            (2, 0),
            (1, 125_000),
        ]


@WHICH
def test_a_flood_of_feedback_is_told_a_hundred_times_a_second(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        told = [
            len(side.told(report_of((0, 1, [0]), 0), 1_000_000 + number * 100)[1]) for number in range(1_000)
        ]
        assert sum(told) <= 2 * 10
        assert sum(told) > 5


@WHICH
def test_what_else_a_viewer_says_is_left_for_the_router(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        side.fanout.send_to(side.slots[0], frame([100], 1, 1), 1_000_000)
        compound = rtcp.write_receiver_report(rtcp.ReceiverReport(1)) + report_of((-1, 1, [0]), 1)
        left, acked = side.told(compound, 2_000_000)
        assert left == compound
        assert [digest.received for digest in acked] == [1]
        for data in (bytes(40), bytes(1_501), side.reporter.protect_rtcp(compound)[:-1]):
            with pytest.raises(Error):
                side.fanout.open_rtcp(side.slots[0], data, 3_000_000)
        assert side.fanout.acknowledged() == []


@WHICH
def test_a_replayed_report_is_refused(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        datagram = side.reporter.protect_rtcp(report_of((0, 1, [0]), 0))
        assert side.fanout.open_rtcp(side.slots[0], datagram, 1_000_000) is None
        with pytest.raises(Error):
            side.fanout.open_rtcp(side.slots[0], datagram, 2_000_000)


@WHICH
def test_who_has_no_numbers_can_say_nothing_about_them(which: int) -> None:
    with both(a_viewer(), [0]) as sides:
        assert sides[which].told(report_of((0, 1, [0]), 0), 1_000_000) == (None, [])


@WHICH
def test_what_is_forgotten_is_unknown(which: int) -> None:
    with both(a_viewer(), [3]) as sides:
        side = sides[which]
        for number in range(HISTORY_PACKETS + 2):
            side.fanout.send_to(side.slots[0], frame([20], number, 1), number)
        (told,) = side.told(report_of((0, 1, [0, 0, 0]), 0), 1_000_000)[1]
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
