"""Picture size from an H264 sequence parameter set (ITU-T H.264 §7.3.2.1.1). Reads no further than needed."""

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class _Bits:
    """Reader of single bits and Exp-Golomb codes; raises EOFError at the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise EOFError
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise EOFError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def h264_size(nal: bytes) -> tuple[int, int] | None:
    """Width and height of the cropped picture; None for a parameter set that cannot be read."""
    if len(nal) < 5:
        return None
    try:
        return _size(_Bits(nal[1:256].replace(b"\x00\x00\x03", b"\x00\x00")))
    except EOFError:
        return None


def _size(bits: _Bits) -> tuple[int, int] | None:
    profile = bits.take(8)
    bits.take(16)  # constraints and level
    bits.unsigned()  # seq_parameter_set_id
    chroma = _chroma_and_scaling(bits) if profile in _HIGH_PROFILES else 1
    bits.unsigned()  # log2_max_frame_num
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned()  # max_num_ref_frames
    bits.take(1)
    width = 16 * (bits.unsigned() + 1)
    height_units = bits.unsigned() + 1
    frame_only = bits.take(1)
    height = 16 * height_units * (2 - frame_only)
    if not frame_only:
        bits.take(1)
    bits.take(1)  # direct_8x8_inference
    if bits.take(1):
        crop_x = 2 if chroma in (1, 2) else 1
        crop_y = (2 if chroma == 1 else 1) * (2 - frame_only)
        width -= crop_x * (bits.unsigned() + bits.unsigned())
        height -= crop_y * (bits.unsigned() + bits.unsigned())
    return (width, height) if 0 < width <= 16384 and 0 < height <= 16384 else None


def _chroma_and_scaling(bits: _Bits) -> int:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.take(1)
    bits.unsigned()
    bits.unsigned()
    bits.take(1)
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    scale = following = 8
    for _ in range(size):
        if following:
            following = (scale + bits.signed()) % 256
        scale = following or scale
