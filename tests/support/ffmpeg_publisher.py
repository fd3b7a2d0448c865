"""Publishes a test picture and a tone with FFmpeg's own `whip` muxer: URL TOKEN SECONDS [OPTION=VALUE]….

A process of its own: the muxer blocks while it waits for the server, which runs in the test's loop.
"""

import fractions
import sys
import time

import av

FPS = 30


def main(url: str, token: str, seconds: float, *given: str) -> None:
    """Real time, H264 baseline and Opus, a keyframe a second."""
    options = {"authorization": token, **dict(one.split("=", 1) for one in given)}
    with av.open(url, "w", format="whip", options=options) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.options = {"profile": "baseline", "tune": "zerolatency", "preset": "ultrafast", "g": str(FPS)}
        audio = container.add_stream("libopus", rate=48000)
        audio.layout = "stereo"
        started = time.monotonic()
        for number in range(round(seconds * FPS)):
            time.sleep(max(0.0, started + number / FPS - time.monotonic()))
            picture = av.VideoFrame(320, 240, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([number * 5 % 256]) * plane.buffer_size)
            picture.pts, picture.time_base = number, fractions.Fraction(1, FPS)
            container.mux(video.encode(picture))
            sound = av.AudioFrame("s16", "stereo", 48000 // FPS)
            sound.planes[0].update(bytes(range(64)) * (sound.planes[0].buffer_size // 64))
            sound.pts, sound.sample_rate = number * (48000 // FPS), 48000
            sound.time_base = fractions.Fraction(1, 48000)
            container.mux(audio.encode(sound))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:])
