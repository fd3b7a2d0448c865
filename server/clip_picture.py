"""Draws the frames of the demo's clip: a striped vase that turns on a wheel, and a burnt-in clock.

Pure Python on whole rows: a row of the vase is a table of viewing angles for that width, sent through a
256-entry colour table, so that a 720x1280 frame takes milliseconds without an image library. Everything
moves with whole periods per clip, so that the loop has no seam.
"""

import functools
import math
from typing import Final, NamedTuple

import av

WIDTH: Final = 720
HEIGHT: Final = 1280
VASE_TOP: Final = 330
VASE_BOTTOM: Final = 1010
TABLE_TOP: Final = 985
CLOCK_TOP: Final = 256  # over the vase and under what pages lay over a picture's top
SCALE: Final = 6  # of the clock's letters
SHIFTS: Final = 64  # positions of the glaze per stripe
STRIPES: Final = 6  # per half turn
FONT: Final = {  # 5x7 pixels a letter, a row each, most significant bit at the left
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    ":": (0, 4, 4, 0, 4, 4, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    " ": (0, 0, 0, 0, 0, 0, 0),
    "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
}


class Colour(NamedTuple):
    """Y, U and V, limited range."""

    y: int
    u: int
    v: int


CLAY: Final = Colour(150, 108, 152)
GLAZE: Final = Colour(95, 140, 108)
WALL_TOP: Final = Colour(70, 124, 134)
WALL_BOTTOM: Final = Colour(110, 120, 138)
WOOD: Final = Colour(62, 116, 142)


def draw(number: int, frames_per_s: int, seconds: int) -> av.VideoFrame:
    """Frame `number` of a clip of `seconds` seconds."""
    turn = number / (frames_per_s * seconds)  # 0..1 over the clip
    planes = [bytearray(plane) for plane in _background()]
    for row in range(VASE_TOP, VASE_BOTTOM):
        _vase_row(planes, row, turn)
    text = f"DEMO {number // frames_per_s:02d}.{number % frames_per_s:02d}"
    _write(planes[0], text, left=(WIDTH - len(text) * 6 * SCALE) // 2, top=CLOCK_TOP, scale=SCALE)
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, drawn in zip(frame.planes, planes, strict=True):
        plane.update(_padded(bytes(drawn), plane.width, plane.line_size))
    return frame


def _vase_row(planes: list[bytearray], row: int, turn: float) -> None:
    height = (row - VASE_TOP) / (VASE_BOTTOM - VASE_TOP)
    half = int(_profile(height, turn)) & ~1
    glaze = _glaze()[int((height * 3.0 + turn * STRIPES * 2 * 4) * SHIFTS) % SHIFTS]
    left = WIDTH // 2 - half
    at = row * WIDTH + left
    planes[0][at : at + 2 * half] = _angles(2 * half).translate(glaze[0])
    if row % 2 == 0:
        at = row // 2 * (WIDTH // 2) + left // 2
        for plane in (1, 2):
            planes[plane][at : at + half] = _angles(half).translate(glaze[plane])


def _profile(height: float, turn: float) -> float:
    """Half the vase's width in pixels at `height` (0 rim, 1 foot): a belly that breathes under the hands."""
    belly = math.sin(math.pi * min(1.0, 0.12 + 0.9 * height)) ** 1.5
    wave = math.sin(2 * math.pi * (height * 1.2 - 2 * turn))
    rim = max(0.0, 1 - height / 0.12)
    return 96 + 130 * belly + 16 * wave * belly + 34 * rim


@functools.lru_cache(maxsize=1024)
def _angles(width: int) -> bytes:
    """The viewing angle of each pixel of a cylinder `width` pixels wide: 0 left edge, 255 right edge."""
    return bytes(
        min(255, int((math.asin(2 * (x + 0.5) / width - 1) / math.pi + 0.5) * 256)) for x in range(width)
    )


@functools.cache
def _glaze() -> list[tuple[bytes, bytes, bytes]]:
    """For each shift of the stripes: colour tables from viewing angle to Y, U, V, lit from the upper left."""
    tables: list[tuple[bytes, bytes, bytes]] = []
    for shift in range(SHIFTS):
        y, u, v = bytearray(256), bytearray(256), bytearray(256)
        for angle in range(256):
            mix = 0.5 + 0.5 * math.tanh(4 * math.sin(2 * math.pi * (angle / 256 * STRIPES + shift / SHIFTS)))
            light = 0.35 + 0.75 * max(0.0, math.cos((angle / 256 - 0.32) * math.pi))
            y[angle] = min(235, int((CLAY.y * mix + GLAZE.y * (1 - mix)) * light) + 12)
            u[angle] = int(CLAY.u * mix + GLAZE.u * (1 - mix))
            v[angle] = int(CLAY.v * mix + GLAZE.v * (1 - mix))
        tables.append((bytes(y), bytes(u), bytes(v)))
    return tables


@functools.cache
def _background() -> tuple[bytes, bytes, bytes]:
    rows = [_background_colour(row) for row in range(HEIGHT)]
    y = b"".join(bytes([colour.y]) * WIDTH for colour in rows)
    u = b"".join(bytes([colour.u]) * (WIDTH // 2) for colour in rows[::2])
    v = b"".join(bytes([colour.v]) * (WIDTH // 2) for colour in rows[::2])
    return y, u, v


def _background_colour(row: int) -> Colour:
    if row >= TABLE_TOP:
        return WOOD._replace(y=WOOD.y - (row - TABLE_TOP) // 12)
    share = row / TABLE_TOP
    return Colour(*(round(a + (b - a) * share) for a, b in zip(WALL_TOP, WALL_BOTTOM, strict=True)))


def _write(luma: bytearray, text: str, *, left: int, top: int, scale: int) -> None:
    dot = bytes([225]) * scale
    for place, letter in enumerate(text):
        for line, bits in enumerate(FONT[letter]):
            for column in range(5):
                if bits >> (4 - column) & 1:
                    x = left + (place * 6 + column) * scale
                    for row in range(top + line * scale, top + (line + 1) * scale):
                        luma[row * WIDTH + x : row * WIDTH + x + scale] = dot


def _padded(rows: bytes, width: int, line_size: int) -> bytes:
    """`rows` of `width` bytes at the distance that the frame's memory wants."""
    if width == line_size:
        return rows
    gap = bytes(line_size - width)
    return b"".join(rows[at : at + width] + gap for at in range(0, len(rows), width))
