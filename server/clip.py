"""The demo's clip: ten seconds of a vase on the wheel, encoded once, kept as packets that need no encoder.

H264 constrained baseline, level 3.1, 720x1280 at 30 frames a second, a keyframe each second and no
B-frames: what every browser decodes and what the relay forwards untouched. Opus in 20 ms packets. `packets`
returns both in memory; a publisher loops over them with continuous time stamps.
"""

import array
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
from av.bitstream import BitStreamFilterContext

from server import clip_picture

VERSION: Final = 2  # of the clip's content; another number makes caches draw anew
FRAMES_PER_S: Final = 30
SECONDS: Final = 10
KEYFRAME_INTERVAL_S: Final = (
    1  # nobody can ask this publisher for a keyframe, so a viewer waits at most so long
)
VIDEO_BPS: Final = 1_800_000
AUDIO_BPS: Final = 48_000
SAMPLES_PER_S: Final = 48_000
CHORD_HZ: Final = (220, 277, 330)  # whole numbers, so that the loop has no seam


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded access units in order. One video frame lasts 1/30 s, one audio packet 20 ms."""

    video: tuple[bytes, ...]  # Annex B, parameter sets before each keyframe
    audio: tuple[bytes, ...]


def cached(directories: tuple[Path, ...]) -> Clip:
    """The clip from the first of `directories` that has it or can be written to; made when absent.

    Raises OSError when none can be written to.
    """
    name = f"demo-clip-{VERSION}.mkv"
    for directory in directories:
        if (directory / name).is_file():
            return read(directory / name)
    failure: OSError | None = None
    for directory in directories:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            draft = directory / f".{os.getpid()}-{name}"
            make(draft)
            return read(draft.replace(directory / name))
        except OSError as error:
            failure = error
    raise failure or FileNotFoundError(name)


def make(path: Path) -> None:
    """Draw and encode the clip into a Matroska file (about three seconds of one core)."""
    with av.open(str(path), "w", format="matroska") as file:
        video = file.add_stream("libx264", rate=FRAMES_PER_S)
        video.width, video.height, video.pix_fmt = clip_picture.WIDTH, clip_picture.HEIGHT, "yuv420p"
        video.bit_rate = VIDEO_BPS
        video.profile = "Baseline"
        video.options = {
            "preset": "veryfast",
            "level": "3.1",
            "x264-params": f"keyint={FRAMES_PER_S * KEYFRAME_INTERVAL_S}:scenecut=0:bframes=0"
            f":sliced-threads=0:vbv-maxrate={VIDEO_BPS // 1000}:vbv-bufsize={VIDEO_BPS // 2000}",
        }
        audio = file.add_stream("libopus", rate=SAMPLES_PER_S, layout="mono")
        audio.bit_rate = AUDIO_BPS
        for number in range(FRAMES_PER_S * SECONDS):
            frame = clip_picture.draw(number, FRAMES_PER_S, SECONDS)
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        file.mux(audio.encode(_sound()))
        file.mux(audio.encode(None))


def read(path: Path) -> Clip:
    """The packets of a file that `make` wrote."""
    with av.open(str(path)) as file:
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", file.streams.video[0])
        video: list[bytes] = []
        audio: list[bytes] = []
        for packet in file.demux():
            if packet.size == 0:
                continue
            if packet.stream.type == "video":
                video += map(bytes, cast("list[Any]", to_annex_b.filter(packet)))
            else:
                audio.append(bytes(packet))
    return Clip(tuple(video[: FRAMES_PER_S * SECONDS]), tuple(audio[: 50 * SECONDS]))


def _sound() -> av.AudioFrame:
    """A quiet chord that swells and dies away once a clip, silent at both ends."""
    samples = array.array("h")
    total = SAMPLES_PER_S * SECONDS
    for index in range(total):
        turn = 2 * math.pi * index / SAMPLES_PER_S
        tone = sum(math.sin(turn * hertz) for hertz in CHORD_HZ)
        samples.append(round(700 * tone * math.sin(math.pi * index / total) ** 2))
    frame = av.AudioFrame(format="s16", layout="mono", samples=total)
    frame.sample_rate, frame.pts, frame.time_base = SAMPLES_PER_S, 0, Fraction(1, SAMPLES_PER_S)
    frame.planes[0].update(samples.tobytes())
    return frame
