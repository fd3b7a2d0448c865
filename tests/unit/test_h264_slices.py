"""B slices in RTP payloads of H264."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rtp_source import RtpSource, publisher_config
from support.virtual_viewers import Lab

from media.rtp import header
from media.rtp.h264_slices import has_b_slice

P, B, INTRA, B_ALL, P_ALL = (
    b"\xe0",
    b"\xa8",
    b"\xb0",
    b"\x9c",
    b"\x98",
)  # first_mb 0, then slice_type 0 1 2 6 5


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x01" + B + b"\x00", True),
        (b"\x01" + B_ALL + b"\x00", True),
        (b"\x41" + P + b"\x00", False),
        (b"\x41" + P_ALL + b"\x00", False),
        (b"\x41" + INTRA + b"\x00", False),
        (b"\x65" + B + b"\x00", False),  # IDR
        (b"\x67" + B + b"\x00", False),  # parameter set
        (b"\x5c\x81" + B, True),  # FU-A, first fragment
        (b"\x5c\x01" + B, False),  # FU-A, a later one
        (b"\x5c\x85" + B, False),  # FU-A of an IDR
        (b"\x78\x00\x02\x09\x10\x00\x02\x01" + B, True),  # STAP-A: delimiter, B slice
        (b"\x78\x00\x02\x09\x10\x00\x02\x41" + P, False),
        (b"\x01\x01\x02\x80", True),  # first_mb_in_slice 128, slice_type 1
        (b"\x01\x01\x03\x80", False),  # first_mb_in_slice 128, slice_type 0
        (b"\x01\x00\x00", False),  # cut short
        (b"\x01", False),
        (b"", False),
    ],
)
def test_b_slices(payload: bytes, expected: bool) -> None:
    assert has_b_slice(payload) is expected


@given(st.binary(max_size=40))
def test_no_payload_is_too_strange(payload: bytes) -> None:
    assert has_b_slice(payload) in (True, False)


def test_health_names_b_frames() -> None:
    lab, source = Lab(lambda: 0), RtpSource()
    lab.router.add_publisher(1, publisher_config(), lab.now)
    for packet in source.frame(key=True):
        lab.router.receive_rtp(1, packet, lab.now)

    def named() -> bool:
        publisher = lab.router.health("show", lab.now).publisher
        assert publisher is not None
        return publisher.b_frames

    assert not named()
    b_slice = b"\x01\xa8" + bytes(100)
    sequence, timestamp = source.sequence + 1, source.timestamp + 3_000
    packet = header.build(96, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, source.ssrc, b_slice, marker=True)
    lab.router.receive_rtp(1, packet, lab.now)
    assert named()
