"""B slices in H264 (ITU-T H.264 §7.3.3, table 7-6).

Browsers show pictures as they come: a stream whose encoder reorders them (B-frames) judders.
Nothing in its signalling says so, but the first bits of every slice do.
"""

_SLICE = 1
"""NAL unit type of a slice that is not of an IDR picture; IDR pictures have no B slices."""
_STAP_A = 24
_FU_A = 28
_B_TYPES = (1, 6)


def has_b_slice(payload: bytes) -> bool:
    """Whether a B slice begins in this RTP payload (RFC 6184). Never raises: what is cut short has none."""
    if len(payload) < 3:
        return False
    kind = payload[0] & 0x1F
    if kind == _SLICE:
        return _is_b(payload[1:9])
    if kind == _FU_A:
        return payload[1] & 0x9F == 0x80 | _SLICE and _is_b(payload[2:10])
    return kind == _STAP_A and _any_in_aggregate(payload)


def _any_in_aggregate(payload: bytes) -> bool:
    position = 1
    while position + 3 < len(payload):
        if payload[position + 2] & 0x1F == _SLICE and _is_b(payload[position + 3 : position + 11]):
            return True
        position += 2 + int.from_bytes(payload[position : position + 2])
    return False


def _is_b(header: bytes) -> bool:
    """first_mb_in_slice ue(v), slice_type ue(v): too few zeros in a row for emulation prevention."""
    bits, left = int.from_bytes(header), 8 * len(header)
    value = 0
    for _ in range(2):
        zeros = left - bits.bit_length()  # leading zeros of an Exp-Golomb code (§9.1)
        if 2 * zeros + 1 > left:
            return False
        left -= 2 * zeros + 1
        value = (bits >> left) - 1
        bits &= (1 << left) - 1
    return value in _B_TYPES
