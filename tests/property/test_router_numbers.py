"""Whatever happens, no outgoing number of a viewer stands for two contents (one SRTP nonce each)."""

from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.story import EVENTS, LAYER_EVENTS, SimulcastStory, Story

from media.rtp import header, vp8
from media.rtp.sequence import unwrap16

STEPS = st.lists(st.sampled_from(EVENTS), min_size=40, max_size=150)
LAYER_STEPS = st.lists(st.sampled_from(LAYER_EVENTS), min_size=30, max_size=100)
MANY = examples(60)
FEW = examples(25)


@MANY
@given(steps=STEPS, seed=st.integers(0, 2**32 - 1))
def test_no_number_stands_for_two_contents(steps: list[str], seed: int) -> None:
    """`Lab` raises on the first number that is used twice or lies before the first."""
    story = Story(seed)
    story.play(["join", "keyframe", *steps, "show", "join", "keyframe", "frame", "nack"])
    for peer, ssrc in story.viewers.items():
        assert story.lab.video(peer, ssrc + 1), "everybody sees the last keyframe"


@FEW
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


@MANY
@given(steps=LAYER_STEPS, seed=st.integers(0, 2**32 - 1))
def test_no_number_stands_for_two_contents_across_layers(steps: list[str], seed: int) -> None:
    story = SimulcastStory(seed)
    story.play(["join", "keyframe", *steps, "show", "layer_on", "join", "relax", "keyframe", "frame", "nack"])
    for peer, ssrc in story.viewers.items():
        assert story.lab.video(peer, ssrc + 1), "everybody sees the last keyframe"


@FEW
@given(steps=LAYER_STEPS, seed=st.integers(0, 2**32 - 1))
def test_every_layer_looks_the_same_to_all_who_are_sent_it(steps: list[str], seed: int) -> None:
    story = SimulcastStory(seed)
    story.play(["join", "join", "join", "keyframe", *steps, "nack"])
    seen: dict[bytes, tuple[int, bytes]] = {}
    for peer, ssrc in story.viewers.items():
        for packet in story.lab.video(peer, ssrc + 1).values():
            head = header.parse(packet)
            payload = packet[head.payload_start : head.payload_end]
            picture = vp8.picture(payload) if head.payload_type == 104 else None
            content = payload if picture is None else vp8.renumber(payload, picture, 0, 0)
            assert seen.setdefault(content, (head.timestamp, payload)) == (head.timestamp, payload)
