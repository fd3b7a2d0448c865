"""The demo's clip is what every browser decodes."""

import re
from pathlib import Path

import av
import pytest

from server import clip, clip_picture


def nal_types(unit: bytes) -> list[int]:
    return [unit[match.end()] & 31 for match in re.finditer(b"\0\0\1", unit)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, clip.Clip]:
    directory = tmp_path_factory.mktemp("clip")
    return directory, clip.cached((directory / "cache",))


def test_packets(made: tuple[Path, clip.Clip]) -> None:
    _, media = made
    assert (len(media.video), len(media.audio)) == (clip.FRAMES_PER_S * clip.SECONDS, 50 * clip.SECONDS)
    for number, unit in enumerate(media.video):
        types = nal_types(unit)
        if number % clip.FRAMES_PER_S == 0:
            assert [kind for kind in types if kind != 6] == [7, 8, 5]
        else:
            assert types == [1]
    bitrate_bps = sum(map(len, media.video)) * 8 / clip.SECONDS
    assert 1_400_000 < bitrate_bps < 2_200_000


def test_profile_and_level(made: tuple[Path, clip.Clip]) -> None:
    sps = next(unit for unit in re.split(b"\0\0\0?\1", made[1].video[0]) if unit and unit[0] & 31 == 7)
    profile, constraints, level = sps[1:4]
    assert (profile, constraints & 0xC0, level) == (0x42, 0xC0, 0x1F)  # constrained baseline 3.1


def test_every_frame_decodes_and_moves(made: tuple[Path, clip.Clip]) -> None:
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in made[1].video[:60] for frame in decoder.decode(av.Packet(unit))]
    frames += decoder.decode(None)
    assert len(frames) == 60
    assert {(frame.width, frame.height) for frame in frames} == {(clip_picture.WIDTH, clip_picture.HEIGHT)}
    assert len({bytes(frame.planes[0]) for frame in frames}) == 60


def test_made_once(made: tuple[Path, clip.Clip]) -> None:
    directory, media = made
    (file,) = (directory / "cache").iterdir()
    before = file.stat().st_mtime_ns
    assert clip.cached((directory / "empty", directory / "cache")) == media
    assert file.stat().st_mtime_ns == before
    assert not (directory / "empty").exists()


def test_next_directory_when_one_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(path: Path) -> None:
        path.write_bytes(b"x")

    monkeypatch.setattr(clip, "make", quick)
    monkeypatch.setattr(clip, "read", Path.read_bytes)
    blocked = tmp_path / "file"
    blocked.write_text("")
    clip.cached((blocked / "below", tmp_path / "good"))
    assert [path.name for path in (tmp_path / "good").iterdir()] == [f"demo-clip-{clip.VERSION}.mkv"]
    with pytest.raises(OSError):
        clip.cached((blocked / "below",))
