"""A crowd that comes at once, and one that shouts: what the publisher hears of it. In virtual time."""

import random

import pytest
from support.lossy_path import LossyPath
from support.rtp_source import subscriber_config
from support.virtual_publisher import Publisher, play
from support.virtual_viewers import Lab

from media.rtp import feedback, header

PUBLISHER, VIEWERS, FIRST_SSRC = 1, 300, 0x10_0000


def publisher_of(lab: Lab) -> Publisher:
    publisher = Publisher(lab, PUBLISHER, LossyPath(random.Random(1)), 1, "p1")
    play(lab, publisher, 3)
    return publisher


def keyframes_asked(lab: Lab, since: float) -> list[float]:
    told = lab.rtcp[PUBLISHER]
    return [at for at, packet in told if isinstance(packet, feedback.PictureLoss) and at >= since]


@pytest.mark.parametrize("seconds", [1, 5])
def test_three_hundred_who_join_cost_one_keyframe_request_a_second(seconds: int) -> None:
    lab = Lab(lambda: 7)
    publisher = publisher_of(lab)
    began = lab.now
    for frame in range(30 * seconds):
        for n in range(VIEWERS * frame // (30 * seconds), VIEWERS * (frame + 1) // (30 * seconds)):
            lab.router.add_subscriber(2 + n, subscriber_config(ssrc=FIRST_SSRC + 0x10 * n), lab.now)
        play(lab, publisher, 1 / 30)
    play(lab, publisher, 2)
    assert len(keyframes_asked(lab, began)) <= seconds + 1
    for n in range(VIEWERS):
        first = header.parse(lab.rtp[2 + n][0][1])
        assert lab.rtp[2 + n][0][0] - began <= seconds + 1.5, "everybody sees a picture soon"
        assert first.ssrc == FIRST_SSRC + 0x10 * n + 1


def test_a_flood_of_keyframe_requests_is_merged_and_one_viewer_cannot_shout_for_all() -> None:
    lab = Lab(lambda: 7)
    publisher = publisher_of(lab)
    for n in range(20):
        lab.router.add_subscriber(2 + n, subscriber_config(ssrc=FIRST_SSRC + 0x10 * n), lab.now)
    play(lab, publisher, 2)
    began = lab.now
    for _ in range(30 * 5):
        for n in range(20):
            for _ in range(40 if n == 0 else 1):
                lab.router.receive_rtcp(2 + n, feedback.write_pli(9, FIRST_SSRC + 0x10 * n + 1), lab.now)
        play(lab, publisher, 1 / 30)
    asked = keyframes_asked(lab, began)
    assert 1 <= len(asked) <= 2 * 5 + 1
    assert lab.router.counters()["rtcp_limit"] > 0, "1,200 a second of one peer are not all read"
