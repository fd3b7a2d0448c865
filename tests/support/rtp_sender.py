"""Sends a moving picture as H264 in plain RTP to a local UDP port, in real time: PORT [B_FRAMES]."""

import fractions
import itertools
import sys
import time

import av

FPS = 30


def main(port: int, b_frames: int = 0) -> None:
    """A keyframe a second, parameter sets in the stream."""
    with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.options = {"preset": "ultrafast", "g": str(FPS)}
        if b_frames:
            video.options |= {"profile": "main", "bf": str(b_frames), "b_strategy": "0"}
        else:
            video.options |= {"profile": "baseline", "tune": "zerolatency"}
        started = time.monotonic()
        for number in itertools.count():
            time.sleep(max(0.0, started + number / FPS - time.monotonic()))
            picture = av.VideoFrame(320, 240, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([number * 5 % 256]) * plane.buffer_size)
            picture.pts, picture.time_base = number, fractions.Fraction(1, FPS)
            container.mux(video.encode(picture))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
