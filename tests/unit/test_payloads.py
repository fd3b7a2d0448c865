"""Keyframe detection by codec and packetisation, and picture sizes."""

import pytest

from media.rtp import payloads

SPS_1280X720 = bytes.fromhex("6742c01fd9005005ba10000003001000000303c8f1832480")
"""Parameter sets here and below are x264's."""


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        ("h264", b"\x67\x42", True),  # SPS alone
        ("h264", b"\x65\x88", True),  # IDR alone
        ("h264", b"\x68\xce", False),  # PPS alone
        ("h264", b"\x41\x9a", False),  # non-IDR
        ("h264", b"\x09\x10", False),  # access unit delimiter
        ("h264", b"\x78\x00\x02\x67\x42\x00\x02\x68\xce", True),  # STAP-A with SPS
        ("h264", b"\x78\x00\x02\x09\x10\x00\x02\x65\x88", True),  # STAP-A: AUD, IDR
        ("h264", b"\x78\x00\x02\x41\x9a", False),  # STAP-A with non-IDR
        ("h264", b"\x78\xff\xff\x67", True),  # STAP-A whose size runs over the end
        ("h264", b"\x7c\x85\x88", True),  # FU-A start of IDR
        ("h264", b"\x7c\x05\x88", False),  # FU-A middle of IDR
        ("h264", b"\x7c\x81\x88", False),  # FU-A start of non-IDR
        ("h264", b"\x67", False),  # one byte is no NAL
        ("h264", b"", False),
        ("vp8", b"\x10\x00", True),
        ("vp8", b"\x10\x01", False),  # inter frame
        ("vp8", b"\x00\x00", False),  # not the start of a partition
        ("vp8", b"\x11\x00", False),  # another partition
        ("vp8", b"\x90\xe0\x80\x01\x02\x03\x00", True),  # with 15-bit picture id, TL0PICIDX and TID
        ("vp8", b"\x90\x80\x01\x01", False),
        ("vp8", b"\x90\x80", False),
        ("vp8", b"", False),
        ("vp9", b"\x08", True),
        ("vp9", b"\x48", False),  # inter-predicted
        ("vp9", b"\xa8\x81\x01\x00", True),  # picture id and layer 0
        ("vp9", b"\xa8\x81\x01\x02", False),  # spatial layer 1
        ("vp9", b"\xa8", False),
        ("av1", b"\x18", True),
        ("av1", b"\x10", False),
        ("opus", b"\x67\x42", False),
        ("unknown", b"\x67\x42", False),
    ],
)
def test_keyframes(codec: str, payload: bytes, expected: bool) -> None:
    assert payloads.is_keyframe(codec, payload) is expected


def test_size_from_an_h264_parameter_set() -> None:
    assert payloads.frame_size("h264", SPS_1280X720) == (1280, 720)
    stap = b"\x78" + len(SPS_1280X720).to_bytes(2) + SPS_1280X720
    assert payloads.frame_size("h264", stap) == (1280, 720)
    assert payloads.frame_size("h264", b"\x65\x88\x84") is None
    assert payloads.frame_size("h264", SPS_1280X720[:6]) is None


@pytest.mark.parametrize(
    ("parameter_set", "size"),
    [
        ("6764001eacb201405ff2c2000003000200000300791e2c5c90", (640, 360)),  # high profile, cropped
        ("674d4028d900780227e584000003000400000300f23c60c920", (1920, 1080)),  # main profile, cropped
        ("67f4000d919640507e84000003000400000300f23c50a920", (320, 240)),  # 4:4:4
    ],
)
def test_sizes_of_other_profiles(parameter_set: str, size: tuple[int, int]) -> None:
    assert payloads.frame_size("h264", bytes.fromhex(parameter_set)) == size


def test_size_from_a_vp8_keyframe() -> None:
    payload = b"\x10" + b"\x00\x00\x00" + b"\x9d\x01\x2a" + (640).to_bytes(2, "little") + b"\xe0\x01"
    assert payloads.frame_size("vp8", payload) == (640, 480)
    assert payloads.frame_size("vp8", payload[:8]) is None
