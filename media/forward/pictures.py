"""VP8 picture numbers that go on across layers and publishers, the same for every viewer.

A decoder that is moved to another layer must see greater numbers. Instead of keeping an offset per viewer,
every keyframe of every layer begins after the highest number that any layer of the track has used: a viewer
changes layers on keyframes only, so whatever it was sent before lies below. Within a layer that is a gap in
front of keyframes, which refer to nothing before them.
"""

from collections import deque

from media.rtp import vp8

MAX_STRETCHES = 4
"""Packets of an older stretch are later than any repair."""


class PictureCounter:
    """The highest numbers used on a track; they do not wrap."""

    __slots__ = ("base", "number")

    def __init__(self) -> None:
        self.number = 0
        self.base = 0


class PictureNumbering:
    """One layer's picture numbers as they are sent."""

    __slots__ = ("_counter", "_near", "_near_base", "_stretches")

    def __init__(self, counter: PictureCounter) -> None:
        self._counter = counter
        self._near = self._near_base = 0
        self._stretches: deque[tuple[int, int, int]] = deque(maxlen=MAX_STRETCHES)

    def restart(self) -> None:
        """Another source: its numbers are not those of the last one."""
        self._stretches.clear()

    def renumber(self, payload: bytes, sequence: int, *, begins: bool) -> bytes:
        """The payload with the track's numbers. `begins`: the first packet of a keyframe, before which
        nothing of its frame was seen; `sequence` is its track sequence.
        """
        picture = vp8.picture(payload)
        if picture is None:
            return payload
        if begins or not self._stretches:
            self._begin(picture, sequence)
        number = self._near + _distance(picture.number, self._near, picture.modulus)
        base = self._near_base + _distance(picture.base, self._near_base, 256)
        self._near, self._near_base = max(self._near, number), max(self._near_base, base)
        number_offset, base_offset = self._offsets(sequence)
        counter = self._counter
        counter.number = max(counter.number, number + number_offset)
        counter.base = max(counter.base, base + base_offset)
        return vp8.renumber(payload, picture, number + number_offset, base + base_offset)

    def _begin(self, picture: vp8.Picture, sequence: int) -> None:
        if not self._stretches:
            self._near, self._near_base = picture.number, picture.base
        number = self._near + _distance(picture.number, self._near, picture.modulus)
        base = self._near_base + _distance(picture.base, self._near_base, 256)
        counter = self._counter
        self._stretches.append((sequence, counter.number + 1 - number, counter.base + 1 - base))

    def _offsets(self, sequence: int) -> tuple[int, int]:
        for first, number, base in reversed(self._stretches):
            if sequence >= first:
                return number, base
        _, number, base = self._stretches[0]
        return number, base


def _distance(number: int, near: int, modulus: int) -> int:
    """How far `number` (of `modulus`) lies from `near`, the short way round."""
    half = modulus // 2
    return (number - near + half) % modulus - half
