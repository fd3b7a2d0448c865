"""What a relay must know of a codec's payload: does a keyframe start here, and how large is the picture.

Nothing is decoded. Codec names are SDP encoding names in lower case.
"""

from collections.abc import Callable

from media.rtp.sps import h264_size

_H264_IDR = 5
_H264_SPS = 7
_H264_STAP_A = 24
_H264_FU_A = 28


def is_keyframe(codec: str, payload: bytes) -> bool:
    """Whether this payload belongs to (H264) or starts (others) a picture that a decoder can begin with.

    Audio and unknown codecs: False. Never raises: a short payload is no keyframe.
    """
    test = _KEYFRAME_TESTS.get(codec)
    return test is not None and test(payload)


def frame_size(codec: str, payload: bytes) -> tuple[int, int] | None:
    """Width and height when the payload tells them (H264 SPS, VP8 keyframe), else None. Never raises."""
    if codec == "h264":
        for nal in _h264_nals(payload):
            if nal[0] & 0x1F == _H264_SPS:
                return h264_size(nal)
    elif codec == "vp8" and _vp8_keyframe(payload):
        start = _vp8_descriptor_bytes(payload)
        if len(payload) >= start + 10 and payload[start + 3 : start + 6] == b"\x9d\x01\x2a":
            width = int.from_bytes(payload[start + 6 : start + 8], "little") & 0x3FFF
            height = int.from_bytes(payload[start + 8 : start + 10], "little") & 0x3FFF
            return width, height
    return None


def _h264_nals(payload: bytes) -> list[bytes]:
    """The NAL units of a single-NAL or STAP-A payload (RFC 6184 §5.6, §5.7.1), as far as it is whole."""
    if not payload:
        return []
    if payload[0] & 0x1F != _H264_STAP_A:
        return [payload]
    nals: list[bytes] = []
    position = 1
    while position + 2 < len(payload):
        size = int.from_bytes(payload[position : position + 2])
        nal = payload[position + 2 : position + 2 + size]
        if nal:
            nals.append(nal)
        position += 2 + size
    return nals


def _h264_keyframe(payload: bytes) -> bool:
    if len(payload) < 2:
        return False
    kind = payload[0] & 0x1F
    if kind == _H264_FU_A:  # RFC 6184 §5.8: start bit and type are in the second byte
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (_H264_IDR, _H264_SPS)
    if kind == _H264_STAP_A:
        return any(nal[0] & 0x1F in (_H264_IDR, _H264_SPS) for nal in _h264_nals(payload))
    return kind in (_H264_IDR, _H264_SPS)


def _vp8_descriptor_bytes(payload: bytes) -> int:
    """Length of the VP8 payload descriptor (RFC 7741 §4.2); may lie beyond a short payload's end."""
    if not payload[0] & 0x80:
        return 1
    if len(payload) < 3:
        return 4
    flags = payload[1]
    picture_id = (2 if payload[2] & 0x80 else 1) if flags & 0x80 else 0
    return 2 + picture_id + bool(flags & 0x40) + bool(flags & 0x30)


def _vp8_keyframe(payload: bytes) -> bool:
    if not payload or not payload[0] & 0x10 or payload[0] & 0x07:
        return False
    start = _vp8_descriptor_bytes(payload)
    return len(payload) > start and not payload[start] & 0x01


def _vp9_keyframe(payload: bytes) -> bool:
    """RFC 9628 §4.2: not inter-predicted, begins a frame, lowest spatial layer."""
    if not payload or payload[0] & 0x40 or not payload[0] & 0x08:
        return False
    if not payload[0] & 0x20:
        return True
    position = 1
    if payload[0] & 0x80:
        if len(payload) < 2:
            return False
        position += 2 if payload[1] & 0x80 else 1
    return len(payload) > position and not payload[position] & 0x0E


def _av1_keyframe(payload: bytes) -> bool:
    """AV1 RTP payload §4.4: the N bit marks the first packet of a coded video sequence."""
    return bool(payload) and bool(payload[0] & 0x08)


_KEYFRAME_TESTS: dict[str, Callable[[bytes], bool]] = {
    "h264": _h264_keyframe,
    "vp8": _vp8_keyframe,
    "vp9": _vp9_keyframe,
    "av1": _av1_keyframe,
}
