"""A show to which everything happens: publishers, holes, viewers, NACKs, in an order that a test decides."""

import random

from support.rtp_source import RtpSource, publisher_config, simulcast_config, subscriber_config
from support.virtual_viewers import Lab

from media.rtp import feedback, rtcp

EVENTS = (
    "frame",
    "frame",
    "frame",
    "keyframe",
    "lose",
    "reorder",
    "duplicate",
    "late",
    "lose_while_waiting",
    "join_at_a_hole",
    "join",
    "leave",
    "nack",
    "nack_any",
    "publisher",
    "codec",
    "gone",
    "blank",
    "show",
    "restart",
    "pli",
    "wait",
)
"""What `Story` can do; frames are what happens most."""
LAYER_EVENTS = (
    *EVENTS,
    "squeeze",
    "squeeze",
    "loss",
    "relax",
    "layer_off",
    "layer_on",
    "layers",
    "one_layer",
    "view",
)


class Story:
    """Plays steps on a show with a few viewers, half of them without RTX."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lab = Lab(lambda: self.random.choice((0, self.random.getrandbits(32))), self._lag_s)
        self.router = self.lab.router
        self.peer = 0
        self.viewers: dict[int, int] = {}
        self.withheld: list[bytes] = []
        self.publisher = 0
        self.source = RtpSource()
        self.do_publisher()

    def _lag_s(self) -> float:
        return self.random.choice((0.0, 0.0, 0.006))

    def next_peer(self) -> int:
        self.peer += 1
        return self.peer

    def send(self, packets: list[bytes]) -> None:
        for packet in packets:
            self.router.receive_rtp(self.publisher, packet, self.lab.now)
        self.lab.run(self.lab.now + self.random.choice((0.0, 0.001, 0.01, 0.033)))

    def do_publisher(self) -> None:
        self.publisher = self.next_peer()
        if self.random.random() < 0.5:
            self.withheld.clear()
        bits = self.random.getrandbits
        self.source = RtpSource(ssrc=bits(32), sequence=bits(16), timestamp=bits(32))
        self.router.add_publisher(
            self.publisher, publisher_config(publication=str(self.publisher)), self.lab.now
        )

    def do_gone(self) -> None:
        self.router.remove_peer(self.publisher, self.lab.now)
        self.lab.run(self.lab.now + self.random.choice((0.1, 3.0, 40.0)))
        self.do_publisher()

    def do_restart(self) -> None:
        """The same SSRC begins elsewhere in its numbers and its time."""
        self.source.sequence = self.random.getrandbits(16)
        self.source.timestamp = self.random.getrandbits(32)

    def do_codec(self) -> None:
        self.source.payload_type = 194 - self.source.payload_type  # 96 or 98

    def do_frame(self) -> None:
        self.send(self.source.frame())

    def do_keyframe(self) -> None:
        self.send(self.source.frame(key=True))

    def do_lose(self) -> None:
        packets = self.source.frame()
        self.withheld.append(packets.pop(self.random.randrange(len(packets))))
        self.send(packets)

    def do_late(self) -> None:
        if self.withheld:
            self.send([self.withheld.pop(self.random.randrange(len(self.withheld)))])

    def do_lose_while_waiting(self) -> None:
        """A hole between two stretches of a viewer must stay one."""
        self.do_codec()
        self.do_lose()
        self.do_lose()
        self.do_keyframe()
        self.do_late()

    def do_join_at_a_hole(self) -> None:
        """The hole is filled while the viewer catches up, and frames are not whole."""
        self.do_keyframe()
        self.do_lose()
        self.do_frame()
        self.do_join()
        if self.withheld:
            self.router.receive_rtp(self.publisher, self.withheld.pop(), self.lab.now)
        for packet in self.source.frame()[:-1]:
            self.router.receive_rtp(self.publisher, packet, self.lab.now)
        self.lab.run(self.lab.now + 0.02)

    def do_reorder(self) -> None:
        packets = self.source.frame() + self.source.frame()
        self.random.shuffle(packets)
        self.send(packets)

    def do_duplicate(self) -> None:
        packets = self.source.frame()
        self.send(packets + packets[:2])

    def do_join(self) -> None:
        peer = self.next_peer()
        self.viewers[peer] = ssrc = 0x1000 * peer
        self.router.add_subscriber(peer, subscriber_config(ssrc=ssrc, rtx=peer % 2 == 0), self.lab.now)

    def do_leave(self) -> None:
        if self.viewers:
            peer = self.random.choice(list(self.viewers))
            del self.viewers[peer]
            self.router.remove_peer(peer, self.lab.now)

    def do_nack(self) -> None:
        for peer, ssrc in self.viewers.items():
            sent = list(self.lab.video(peer, ssrc + 1))
            if sent:
                asked = [self.random.choice(sent[-50:]) & 0xFFFF for _ in range(5)]
                self._nack(peer, ssrc, asked)

    def do_nack_any(self) -> None:
        for peer, ssrc in self.viewers.items():
            self._nack(peer, ssrc, [self.random.getrandbits(16) for _ in range(20)])

    def _nack(self, peer: int, ssrc: int, asked: list[int]) -> None:
        packet = feedback.write_nack(9, ssrc + 1, sorted(asked))
        self.router.receive_rtcp(peer, packet, self.lab.now)
        self.lab.run(self.lab.now + 0.03)

    def do_pli(self) -> None:
        for peer, ssrc in self.viewers.items():
            self.router.receive_rtcp(peer, feedback.write_pli(9, ssrc + 1), self.lab.now)

    def do_blank(self) -> None:
        self.router.set_blanked("show", blanked=True, now=self.lab.now)

    def do_show(self) -> None:
        self.router.set_blanked("show", blanked=False, now=self.lab.now)

    def do_wait(self) -> None:
        self.lab.run(self.lab.now + self.random.choice((0.002, 0.1, 1.0)))

    def play(self, steps: list[str]) -> None:
        for step in steps:
            getattr(self, f"do_{step}")()
            self.lab.collect()
        self.lab.run(self.lab.now + 0.5)


class SimulcastStory(Story):
    """The publisher sends three layers, of which each viewer is sent one."""

    layers: tuple[RtpSource, ...] = ()
    off = ""
    simulcast = True

    def do_publisher(self) -> None:
        if not self.simulcast:
            self.layers = ()
            super().do_publisher()
            return
        self.publisher = self.next_peer()
        self.withheld.clear()
        bits = self.random.getrandbits
        self.layers = tuple(
            RtpSource(
                ssrc=bits(32),
                sequence=bits(16),
                timestamp=bits(32),
                rid=rid,
                bytes_per_packet=size,
                picture=bits(15),
                size=(size, size),
                payload_type=self.source.payload_type,
            )
            for rid, size in (("q", 100), ("h", 300), ("f", 1_000))
        )
        self.source = self.layers[2]
        self.router.add_publisher(
            self.publisher, simulcast_config(publication=str(self.publisher)), self.lab.now
        )

    def do_layers(self) -> None:
        self.simulcast = True
        self.do_publisher()

    def do_one_layer(self) -> None:
        self.simulcast = False
        self.do_publisher()

    def do_layer_off(self) -> None:
        self.off = self.random.choice("qhf")

    def do_layer_on(self) -> None:
        self.off = ""

    def do_codec(self) -> None:
        super().do_codec()
        for layer in self.layers:
            layer.payload_type = self.source.payload_type

    def do_frame(self) -> None:
        self._all(key=False)

    def do_keyframe(self) -> None:
        self._all(key=True)

    def _all(self, *, key: bool) -> None:
        if not self.layers:
            self.send(self.source.frame(key=key))
        for layer in self.layers:
            packets = layer.frame(key=key)
            if layer.rid != self.off:
                self.send(packets)
            if self.random.random() < 0.2:
                report = layer.sender_report(1.7e12 + self.lab.now * 1000, layer.timestamp)
                self.router.receive_rtcp(self.publisher, report, self.lab.now)

    def _say(self, bitrate_bps: int) -> None:
        for peer, ssrc in self.viewers.items():
            if self.random.random() < 0.7:
                packet = feedback.write_remb(9, bitrate_bps, [ssrc + 1])
                self.router.receive_rtcp(peer, packet, self.lab.now)

    def do_squeeze(self) -> None:
        """Viewers claim to have hardly any bandwidth; a second passes."""
        for _ in range(4):
            self.do_frame()
            self.lab.run(self.lab.now + 0.3)
        self._say(self.random.choice((50_000, 10_000, 200_000)))
        self.do_keyframe()

    def do_loss(self) -> None:
        """Viewers report that they lose much."""
        for peer, ssrc in self.viewers.items():
            block = rtcp.ReportBlock(ssrc + 1, self.random.choice((0, 30, 90)), 0, 0, 0, 0, 0)
            report = rtcp.write_receiver_report(rtcp.ReceiverReport(9, (block,)))
            self.router.receive_rtcp(peer, report, self.lab.now)

    def do_view(self) -> None:
        """Viewers draw their picture larger or smaller."""
        for peer in self.viewers:
            view = self.random.choice((None, (100.0, 100.0), (250.0, 900.0), (4_000.0, 4_000.0)))
            self.router.set_view(peer, view, self.lab.now)

    def do_relax(self) -> None:
        """Six good seconds."""
        for _ in range(15):
            self._say(20_000_000)
            self.do_frame()
            self.lab.run(self.lab.now + 0.4)
        self.do_keyframe()
