"""Simulcast offers and what is answered to them."""

import pytest
from support.offers import chrome

from media.transport.answer import LocalTransport, PublisherAnswer, answer_publisher
from media.transport.dtls import Fingerprint
from media.transport.ice import Credentials
from media.transport.sdp import parse_offer
from media.transport.simulcast import answer_lines, offered_rids

LOCAL = LocalTransport(Credentials("ufrag", "p" * 24), Fingerprint("sha-256", "AB"), [("192.0.2.1", 9000)])
RIDS = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\n"
REPAIRED = "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"


def answer(offer: str) -> PublisherAnswer:
    answered = answer_publisher(parse_offer(offer), LOCAL)
    assert isinstance(answered, PublisherAnswer)
    return answered


def test_layers_are_answered_in_their_order() -> None:
    answered = answer(chrome() + REPAIRED + RIDS + "a=simulcast:send q;h;f\r\n")
    video = answered.sdp[answered.sdp.index("m=video") :]
    for line in ("a=rid:q recv", "a=rid:h recv", "a=rid:f recv", "a=simulcast:recv q;h;f"):
        assert f"{line}\r\n" in video
    assert answered.tracks[1].rids == ("q", "h", "f")
    assert (answered.extensions.rid, answered.extensions.repaired_rid) == (10, 11)
    assert answered.tracks[0].rids == ()


def test_without_the_header_extension_there_is_no_simulcast() -> None:
    offer = chrome().replace("a=extmap:10 urn", "a=extmap:10 no") + RIDS + "a=simulcast:send q;h;f\r\n"
    answered = answer(offer)
    assert answered.tracks[1].rids == ()
    assert "simulcast" not in answered.sdp


@pytest.mark.parametrize(
    ("line", "rids"),
    [
        ("send q;h;f", ("q", "h", "f")),
        ("send ~f,h;q recv x", ("f", "q")),
        ("recv q;h", ()),
        ("send", ()),
        ("send q;q;h", ("q", "h")),
        ("send q;unknown;;h", ("q", "h")),
        ("", ()),
    ],
)
def test_what_is_offered(line: str, rids: tuple[str, ...]) -> None:
    text = f"v=0\r\nm=audio 9\r\nm=video 9\r\n{RIDS}a=simulcast:{line}\r\n"
    assert offered_rids(text) == [(), rids]


def test_more_than_three_layers_are_not_taken() -> None:
    rids = "".join(f"a=rid:{rid} send\n" for rid in "abcde")
    assert offered_rids(f"v=0\nm=video 9\n{rids}a=simulcast:send a;b;c;d;e") == [("a", "b", "c")]


def test_no_layers_no_lines() -> None:
    assert answer_lines(()) == []
