"""The Python fan-out on real sockets: what arrives decrypts to exactly what the interface promises."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pylibsrtp import Error, Policy, Session

from media.kernel import MAX_BURST_PACKETS, Target
from media.kernel.pure import PureFanout, group_runs
from media.rtp import header, rtcp

POLICY: Any = Policy  # its constants are untyped
GCM128: int = POLICY.SRTP_PROFILE_AEAD_AES_128_GCM
PROFILES: dict[str, tuple[int, int]] = {
    "gcm128": (GCM128, 28),
    "gcm256": (POLICY.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "sha1_80": (POLICY.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "sha1_32": (POLICY.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
}


class Viewer:
    """A socket and the receiving side of SRTP."""

    def __init__(self, fanout: PureFanout, profile: str) -> None:
        number, size = PROFILES[profile]
        key = os.urandom(size)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.session = Session(Policy(key=key, ssrc_type=POLICY.SSRC_ANY_INBOUND, srtp_profile=number))
        self.slot = fanout.add_slot(number, key, self.socket.getsockname())

    def take(self, count: int) -> list[bytes]:
        """The next datagrams as they came."""
        return [self.socket.recv(2_048) for _ in range(count)]

    def read(self, count: int) -> list[bytes]:
        """The next datagrams in plain."""
        return [self.session.unprotect(datagram) for datagram in self.take(count)]

    def silent(self) -> bool:
        """Whether nothing has come."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(2_048)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(5)
        return False


@pytest.fixture
def fanout() -> Iterator[PureFanout]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    yield PureFanout(sock)
    sock.close()


@pytest.fixture
def viewers(fanout: PureFanout) -> Iterator[dict[str, Viewer]]:
    made = {profile: Viewer(fanout, profile) for profile in PROFILES}
    yield made
    for viewer in made.values():
        viewer.socket.close()


def frame(sizes: list[int], first: int = 65_534) -> list[bytes]:
    return [
        header.build(0, first + i, 90_000, 0, os.urandom(size), marker=i == len(sizes) - 1)
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("gso", [True, False])
@pytest.mark.parametrize(
    "sizes", [[1], [1_000] * 5, [1_000, 1_000, 200], [200, 1_000, 1_000], [900, 901, 902], [0, 500]]
)
def test_every_viewer_gets_its_own_copy(
    fanout: PureFanout, viewers: dict[str, Viewer], sizes: list[int], gso: bool
) -> None:
    fanout.gso = fanout.gso and gso
    packets = frame(sizes)
    targets = [
        Target(viewer.slot, 100 + place, 96 + place, 7 * place)
        for place, viewer in enumerate(viewers.values())
    ]
    sent = fanout.send(packets, targets, 0)
    assert (sent.packets, sent.dropped) == (len(sizes) * len(targets), 0)
    for target, viewer in zip(targets, viewers.values(), strict=True):
        expected = [
            header.readdress(
                packet, target.ssrc, target.payload_type, int.from_bytes(packet[2:4]) + target.seq_offset
            )
            for packet in packets
        ]
        assert viewer.read(len(sizes)) == expected
        assert viewer.silent()


def test_a_resend_is_byte_identical(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    for viewer in viewers.values():
        packets = frame([1_000, 1_000, 300], first=10)
        target = Target(viewer.slot, 5, 96, 100)
        fanout.send(packets, [target], 0)
        first = viewer.take(3)
        again = header.readdress(packets[1], 5, 96, 11 + 100)
        assert fanout.send_to(viewer.slot, [again], 0).packets == 1
        assert viewer.take(1) == [first[1]]


def test_a_late_packet_still_goes_out(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    viewer = viewers["gcm128"]
    packets = frame([100] * 5, first=10)
    target = Target(viewer.slot, 5, 96, 0)
    fanout.send(packets[:1] + packets[2:], [target], 0)
    fanout.send(packets[1:2], [target], 0)
    numbers = [header.parse(packet).sequence for packet in viewer.read(5)]
    assert numbers == [10, 12, 13, 14, 11]


def test_rtcp(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    for viewer in viewers.values():
        bye = rtcp.write_receiver_report(rtcp.ReceiverReport(1)) + rtcp.write_bye((1,))
        assert fanout.send_rtcp(viewer.slot, bye).packets == 1
        assert viewer.session.unprotect_rtcp(viewer.take(1)[0]) == bye


def test_unknown_slots_are_skipped(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    viewer = viewers["gcm128"]
    gone = viewers["sha1_80"]
    fanout.remove_slot(gone.slot)
    fanout.remove_slot(gone.slot)
    targets = [Target(gone.slot, 1, 96, 0), Target(viewer.slot, 1, 96, 0), Target(999, 1, 96, 0)]
    assert fanout.send(frame([100]), targets, 0).packets == 1
    assert fanout.send_to(gone.slot, frame([100]), 0) == (0, 0, 0)
    assert fanout.send_rtcp(gone.slot, rtcp.write_bye((1,))) == (0, 0, 0)
    assert len(viewer.read(1)) == 1
    assert gone.silent()


def test_slot_numbers_are_not_used_again(fanout: PureFanout) -> None:
    key = bytes(28)
    first = fanout.add_slot(GCM128, key, ("127.0.0.1", 9))
    fanout.remove_slot(first)
    assert fanout.add_slot(GCM128, key, ("127.0.0.1", 9)) > first


def test_a_key_that_does_not_fit_is_refused(fanout: PureFanout) -> None:
    with pytest.raises(ValueError):
        fanout.add_slot(GCM128, b"short", ("127.0.0.1", 9))


def test_an_address_can_change(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    viewer, other = viewers["gcm128"], viewers["gcm256"]
    fanout.set_address(viewer.slot, other.socket.getsockname())
    fanout.set_address(12_345, ("127.0.0.1", 9))
    fanout.send(frame([100]), [Target(viewer.slot, 1, 96, 0)], 0)
    assert len(other.take(1)) == 1
    assert viewer.silent()


def test_a_resend_beyond_the_window_is_dropped_and_counted(
    fanout: PureFanout, viewers: dict[str, Viewer]
) -> None:
    viewer = viewers["gcm128"]
    target = Target(viewer.slot, 5, 96, 0)
    fanout.send(frame([10], first=0), [target], 0)
    fanout.send(frame([10], first=10_000), [target], 0)
    assert fanout.send(frame([10], first=0), [target], 0) == (0, 0, 1)


def test_an_address_that_cannot_be_reached_is_counted(fanout: PureFanout) -> None:
    slot = fanout.add_slot(GCM128, bytes(28), ("255.255.255.255", 9))
    assert fanout.send(frame([10, 10]), [Target(slot, 5, 96, 0)], 0) == (0, 0, 2)


def test_a_burst_has_a_limit(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    target = Target(viewers["gcm128"].slot, 5, 96, 0)
    full = frame([1_428] * MAX_BURST_PACKETS, first=0)
    assert fanout.send(full, [target], 0).packets == MAX_BURST_PACKETS
    with pytest.raises(ValueError):
        fanout.send(full + full[:1], [target], 0)


def test_runs_have_equal_sizes_with_only_the_last_smaller() -> None:
    def cut(sizes: list[int]) -> list[int]:
        return [run.packets for run in group_runs(sizes, gso=True)]

    assert cut([100, 100, 100, 50]) == [4]
    assert cut([100, 50, 50, 50]) == [2, 2]
    assert cut([50, 100, 100]) == [1, 2]
    assert cut([100, 50, 100]) == [2, 1]
    assert cut([1_456] * 60) == [44, 16]
    assert [run.packets for run in group_runs([100, 100], gso=False)] == [1, 1]


def test_srtp_refuses_what_was_tampered_with(fanout: PureFanout, viewers: dict[str, Viewer]) -> None:
    """The receiving half of these tests can fail."""
    viewer = viewers["gcm128"]
    fanout.send(frame([100]), [Target(viewer.slot, 5, 96, 0)], 0)
    (datagram,) = viewer.take(1)
    with pytest.raises(Error):
        viewer.session.unprotect(datagram[:-1] + bytes((datagram[-1] ^ 1,)))
