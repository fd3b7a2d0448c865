"""Whatever happens, no outgoing number of a viewer stands for two contents (one SRTP nonce each)."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rtp_source import RtpSource, publisher_config, subscriber_config
from support.virtual_viewers import Lab

from media.rtp import feedback, header
from media.rtp.sequence import unwrap16

STEPS = st.lists(
    st.sampled_from(
        [
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
        ]
    ),
    min_size=40,
    max_size=150,
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, seed=st.integers(0, 2**32 - 1))
def test_no_number_stands_for_two_contents(steps: list[str], seed: int) -> None:
    """`Lab` raises on the first number that is used twice or lies before the first."""
    story = Story(seed)
    story.play(["join", "keyframe", *steps, "show", "join", "keyframe", "frame", "nack"])
    for peer, ssrc in story.viewers.items():
        assert story.lab.video(peer, ssrc + 1), "everybody sees the last keyframe"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, seed=st.integers(0, 2**32 - 1))
def test_timestamps_are_the_same_for_all_and_rtx_repeats_the_original(steps: list[str], seed: int) -> None:
    story = Story(seed)
    story.play(["join", "join", "join", "keyframe", *steps, "nack"])
    when: dict[bytes, int] = {}
    for peer, ssrc in story.viewers.items():
        media = story.lab.video(peer, ssrc + 1)
        for packet in media.values():
            head = header.parse(packet)
            payload = packet[head.payload_start : head.payload_end]
            assert when.setdefault(payload, head.timestamp) == head.timestamp
        for packet in story.lab.video(peer, ssrc + 2).values():
            original = header.unwrap_rtx(packet, header.parse(packet), ssrc + 1, 0)
            assert original is not None
            number = unwrap16(int.from_bytes(original[2:4]), max(media))
            assert media[number][4:8] == original[4:8]
            head = header.parse(media[number])
            assert media[number][head.payload_start : head.payload_end] == original[12:]
