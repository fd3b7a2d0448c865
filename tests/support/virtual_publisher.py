"""A browser that publishes into a router, by a virtual clock."""

import random
from collections.abc import Sequence
from typing import Protocol

from support.lossy_path import LossyPath
from support.rtp_source import RtpSource, publisher_config
from support.virtual_viewers import Lab

from media.rtp import feedback

WALL_MS = 1_700_000_000_000.0
FRAME_S = 1 / 30
RTX_SSRC = 0xAAAB


class Stepping(Protocol):
    """Somebody who reads and asks again after every frame."""

    def step(self) -> None: ...


class Publisher:
    """A browser's sending side: repairs what it is NACKed for, sends a keyframe when asked, and reports."""

    def __init__(self, lab: Lab, peer: int, up: LossyPath, seed: int, name: str) -> None:
        rng = random.Random(seed)
        self.lab, self.peer, self.up = lab, peer, up
        self.source = RtpSource(ssrc=rng.getrandbits(31), sequence=rng.getrandbits(16))
        self.first_timestamp = self.source.timestamp = rng.getrandbits(32)
        self.began = lab.now
        self.keyframe_wanted = True
        self.keyframes = 0
        self.rtx = 0
        self.seen = len(lab.rtcp[peer])
        self.captured: dict[bytes, float] = {}
        lab.router.add_publisher(peer, publisher_config(publication=name), lab.now)

    def frame(self) -> None:
        """Capture and send one frame now."""
        key, self.keyframe_wanted = self.keyframe_wanted, False
        self.keyframes += key
        elapsed = self.lab.now - self.began
        self.source.timestamp = (self.first_timestamp + round(elapsed * 90_000)) & 0xFFFF_FFFF
        for packet in self.source.frame(key=key):
            self.captured[packet[20:]] = self.lab.now
            self.up.put(packet, self.lab.now)

    def report(self) -> bytes:
        """A sender report: this instant on both clocks, a millisecond wrong at most."""
        elapsed = self.lab.now - self.began
        timestamp = self.first_timestamp + round(elapsed * 90_000)
        return self.source.sender_report(WALL_MS + self.lab.now * 1000, timestamp)

    def react(self) -> None:
        """Read the feedback that has come down."""
        for now, packet in self.lab.rtcp[self.peer][self.seen :]:
            self.seen += 1
            match packet:
                case feedback.Nack(_, _, sequences):
                    for sequence in sequences:
                        if sequence in self.source.sent:
                            self.rtx += 1
                            self.up.put(
                                self.source.rtx(
                                    sequence, ssrc=RTX_SSRC, payload_type=97, number=self.rtx & 0xFFFF
                                ),
                                now + 0.02,
                            )
                case feedback.PictureLoss():
                    self.keyframe_wanted = True
                case _:
                    pass


def play(lab: Lab, publisher: Publisher, seconds: float, viewers: "Sequence[Stepping]" = ()) -> None:
    """Run the publisher at 30 frames a second; viewers read and ask again after every frame."""
    begin = lab.now
    for index in range(round(seconds * 30)):
        publisher.frame()
        if index % 30 == 5:
            lab.router.receive_rtcp(publisher.peer, publisher.report(), lab.now)
        frame_end = begin + (index + 1) * FRAME_S
        while (at := publisher.up.next_at()) is not None and at <= frame_end:
            lab.run(at)
            for packet in publisher.up.take(lab.now):
                lab.router.receive_rtp(publisher.peer, packet, lab.now)
        lab.run(frame_end)
        publisher.react()
        for viewer in viewers:
            viewer.step()
