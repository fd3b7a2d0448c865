"""A simulcast publisher in virtual time."""

import random

from support.rtp_source import RtpSource, simulcast_config
from support.virtual_viewers import Lab

from media.rtp import feedback

WALL_MS = 1_700_000_000_000.0
FRAME_S = 1 / 30
SIZES = {"q": 100, "h": 300, "f": 1_000}
PUBLISHER = 1
PICTURES = {"q": (320, 180), "h": (640, 360), "f": (1280, 720)}


class Studio:
    """Three layers of one camera: each frame was captured at once, each SSRC has offsets of its own."""

    def __init__(self, lab: Lab, seed: int, payload_type: int) -> None:
        rng = random.Random(seed)
        bits = rng.getrandbits
        self.rng, self.lab = rng, lab
        self.layers = [
            RtpSource(
                ssrc=bits(32),
                sequence=bits(16),
                timestamp=bits(32),
                picture=bits(15),
                rid=rid,
                bytes_per_packet=size,
                size=PICTURES[rid],
                payload_type=payload_type,
            )
            for rid, size in SIZES.items()
        ]
        self.first = {layer.rid: layer.timestamp for layer in self.layers}
        self.rid_of: dict[bytes, str] = {}
        self.began = lab.now
        self.seen = 0
        self.wanted = set(SIZES)
        self.keyframes = dict.fromkeys(SIZES, 0)
        self.off = ""
        self.all_at_once = bool(seed % 2)  # Chromium: whichever layer a keyframe is asked of
        lab.router.add_publisher(PUBLISHER, simulcast_config(), lab.now)

    def frame(self) -> None:
        """Capture one frame and send it in every layer, a millisecond or two after each other."""
        elapsed = self.lab.now - self.began
        for layer in self.rng.sample(self.layers, len(self.layers)):
            layer.timestamp = (self.first[layer.rid] + round(elapsed * 90_000)) & 0xFFFF_FFFF
            key = layer.rid in self.wanted
            packets = layer.frame(key=key)
            if layer.rid == self.off:
                continue
            self.wanted.discard(layer.rid)
            self.keyframes[layer.rid] += key
            for packet in packets:
                self.rid_of[packet[-60:] if len(packet) < 100 else packet[24:60]] = layer.rid
                self.lab.router.receive_rtp(PUBLISHER, packet, self.lab.now)
            self.lab.run(self.lab.now + self.rng.uniform(0.0005, 0.002))

    def report(self) -> None:
        """Sender reports, each up to 0.9 ms wrong."""
        elapsed = self.lab.now - self.began
        for layer in self.layers:
            wrong_ms = self.rng.uniform(-0.9, 0.9)
            timestamp = self.first[layer.rid] + round(elapsed * 90_000)
            report = layer.sender_report(WALL_MS + self.lab.now * 1000 + wrong_ms, timestamp)
            self.lab.router.receive_rtcp(PUBLISHER, report, self.lab.now)

    def react(self) -> None:
        """Send a keyframe of the layers that it was asked for."""
        by_ssrc = {layer.ssrc: layer.rid for layer in self.layers}
        for _, packet in self.lab.rtcp[PUBLISHER][self.seen :]:
            if isinstance(packet, feedback.PictureLoss):
                self.wanted |= set(SIZES) if self.all_at_once else {by_ssrc[packet.ssrc]}
        self.seen = len(self.lab.rtcp[PUBLISHER])
