"""VP8 picture numbers: found, changed, and always greater on the keyframe of another layer."""

import pytest

from media.forward.pictures import PictureCounter, PictureNumbering
from media.rtp import vp8


def payload(number: int, base: int = 0, *, wide: bool = True, tail: bytes = b"picture") -> bytes:
    picture = (0x8000 | number).to_bytes(2) if wide else bytes((number,))
    return b"\x90\xc0" + picture + bytes((base,)) + tail


def numbers(packet: bytes) -> tuple[int, int]:
    found = vp8.picture(packet)
    assert found is not None
    return found.number, found.base


@pytest.mark.parametrize(
    "cut", [b"", b"\x10", b"\x90", b"\x90\xc0", b"\x90\xc0\x80\x01", b"\x10\xc0\x80\x01\x02"]
)
def test_without_a_picture_number_nothing_is_touched(cut: bytes) -> None:
    assert vp8.picture(cut) is None
    assert PictureNumbering(PictureCounter()).renumber(cut, 1, begins=True) == cut


@pytest.mark.parametrize("wide", [True, False])
def test_only_the_numbers_are_changed(wide: bool) -> None:
    packet = payload(100, 7, wide=wide)
    found = vp8.picture(packet)
    assert found is not None
    changed = vp8.renumber(packet, found, 32_768 + 3, 256 + 9)
    assert numbers(changed) == (3, 9)
    assert changed[-7:] == b"picture"
    assert len(changed) == len(packet)


def test_a_keyframe_of_another_layer_goes_on_after_all_layers() -> None:
    counter = PictureCounter()
    low, high = PictureNumbering(counter), PictureNumbering(counter)
    assert numbers(low.renumber(payload(32_767, 255), 10, begins=True)) == (1, 1)
    assert numbers(low.renumber(payload(0, 0), 11, begins=False)) == (2, 2)
    assert numbers(high.renumber(payload(500, 80), 70, begins=True)) == (3, 3)
    assert numbers(high.renumber(payload(501, 81), 71, begins=False)) == (4, 4)
    assert numbers(low.renumber(payload(1, 1), 12, begins=False)) == (3, 3), "its viewers see no gap"
    assert numbers(low.renumber(payload(2, 2), 13, begins=True)) == (5, 5)


def test_a_late_packet_keeps_the_number_of_its_frame() -> None:
    counter = PictureCounter()
    layer, other = PictureNumbering(counter), PictureNumbering(counter)
    first = numbers(layer.renumber(payload(7, 7), 10, begins=True))
    other.renumber(payload(9), 70, begins=True)
    layer.renumber(payload(8, 8), 12, begins=True)
    assert numbers(layer.renumber(payload(7, 7), 11, begins=False)) == first


def test_another_source_goes_on() -> None:
    layer = PictureNumbering(PictureCounter())
    before = numbers(layer.renumber(payload(20_000, 9), 10, begins=True))
    layer.restart()
    assert numbers(layer.renumber(payload(3, 200), 11, begins=False)) == (before[0] + 1, before[1] + 1)
