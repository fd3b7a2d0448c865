"""Offers in, answers out: what is taken, what is refused, what the router is told."""

import itertools

import pytest
from aiortc.sdp import SessionDescription
from support import offers

from media.forward.model import Codec, Kind
from media.transport.answer import (
    LocalTransport,
    NoCommonCodec,
    PublisherAnswer,
    ViewerAnswer,
    answer_publisher,
    answer_viewer,
    restart_fragment,
)
from media.transport.dtls import Fingerprint, Role
from media.transport.ice import Credentials
from media.transport.sdp import SdpError, parse_fragment, parse_offer

LOCAL = LocalTransport(
    Credentials("ufrag+/1", "pwd-of-at-least-22-chars"),
    Fingerprint("sha-256", ":".join(["CD"] * 32)),
    [("203.0.113.5", 7000), ("2001:db8::5", 7000)],
)


def publisher(sdp: str) -> PublisherAnswer:
    answer = answer_publisher(parse_offer(sdp), LOCAL)
    assert isinstance(answer, PublisherAnswer)
    return answer


def viewer(sdp: str) -> ViewerAnswer:
    numbers = itertools.count(500)
    answer = answer_viewer(parse_offer(sdp), LOCAL, lambda: next(numbers))
    assert isinstance(answer, ViewerAnswer)
    return answer


def section(sdp: str, kind: str) -> list[str]:
    """The lines of the first section of a kind."""
    lines = sdp.split("\r\n")
    start = next(index for index, line in enumerate(lines) if line.startswith(f"m={kind}"))
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("m=")), len(lines))
    return lines[start:end]


def test_a_publisher_is_asked_for_opus_that_can_be_repaired() -> None:
    quiet = offers.chrome().replace("a=fmtp:111 minptime=10;useinbandfec=1\r\n", "")
    assert "useinbandfec" not in quiet
    assert "a=fmtp:111 useinbandfec=1" in section(publisher(quiet).sdp, "audio")


def test_a_publisher_gets_constrained_baseline_h264_and_opus_alone() -> None:
    answer = publisher(offers.chrome())
    video, audio = section(answer.sdp, "video"), section(answer.sdp, "audio")
    assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 109 114"
    assert audio[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111"
    assert f"a=fmtp:109 {offers.H264}" in video
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in audio
    for feedback in ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"):
        assert f"a=rtcp-fb:109 {feedback}" in video
    assert "a=recvonly" in video
    assert f"a=extmap:3 {offers.TWCC}" in video
    assert not any("rtp-stream-id" in line or "abs-send-time" in line for line in video)


def test_the_router_learns_a_publishers_numbers() -> None:
    audio, video = publisher(offers.chrome()).tracks
    assert (audio.kind, audio.mid, audio.ssrcs) == (Kind.AUDIO, "0", (1001,))
    assert video.kind is Kind.VIDEO
    assert video.codecs == {109: Codec("h264", 90000)}
    assert video.rtx == {114: 109}
    assert (video.ssrcs, video.rtx_ssrcs) == ((2001,), {2002: 2001})
    assert video.nack
    assert video.pli
    assert video.transport_cc
    extensions = publisher(offers.chrome()).extensions
    assert (extensions.mid, extensions.transport_cc, extensions.rid) == (4, 3, 0)


def test_the_answer_is_ice_lite_bundled_and_has_every_candidate_once() -> None:
    sdp = publisher(offers.chrome()).sdp
    assert "a=ice-lite" in sdp
    assert "a=group:BUNDLE 0 1" in sdp
    assert sdp.count("a=candidate:") == 2
    assert sdp.count("a=end-of-candidates") == 1
    assert " 203.0.113.5 7000 typ host" in sdp
    assert " 2001:db8::5 7000 typ host" in sdp
    assert sdp.count("a=setup:passive") == 2
    parsed = SessionDescription.parse(sdp)
    assert parsed.media[0].ice is not None
    assert parsed.media[0].ice.usernameFragment == "ufrag+/1"
    assert parsed.media[0].ice_candidates[0].priority > parsed.media[0].ice_candidates[1].priority


def test_vp8_is_the_fallback() -> None:
    sdp = offers.without(offers.chrome(), *[f"a=rtpmap:{n}" for n in (103, 107, 109)])
    sdp = offers.without(sdp, *[f"a={what}:{n}" for n in (103, 107, 109) for what in ("fmtp", "rtcp-fb")])
    assert section(publisher(sdp).sdp, "video")[0] == "m=video 9 UDP/TLS/RTP/SAVPF 96 97"


def test_a_viewer_gets_every_codec_so_that_any_publisher_may_come() -> None:
    answer = viewer(offers.chrome("recvonly"))
    video = section(answer.sdp, "video")
    assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 109 96 98 114 97 99"
    assert "a=sendonly" in video
    assert "a=rtcp-fb:109 nack pli" in video
    assert "a=rtcp-fb:109 transport-cc" in video
    assert [line for line in video if line.startswith("a=extmap")] == [f"a=extmap:3 {offers.TWCC}"]
    assert f"a=extmap:3 {offers.TWCC}" in section(answer.sdp, "audio")
    assert answer.transport_cc == 3
    audio_track, video_track = answer.tracks
    assert audio_track.payload_types == {"opus": 111}
    assert audio_track.rtx_ssrc == 0
    assert video_track.payload_types == {"h264": 109, "vp8": 96, "vp9": 98}
    assert video_track.rtx_payload_types == {"h264": 114, "vp8": 97, "vp9": 99}
    assert f"a=ssrc-group:FID {video_track.ssrc} {video_track.rtx_ssrc}" in video
    assert len({audio_track.ssrc, video_track.ssrc, video_track.rtx_ssrc}) == 3


def test_an_offer_that_is_passive_makes_us_active() -> None:
    answer = publisher(offers.ffmpeg())
    assert parse_offer(offers.ffmpeg()).role is Role.ACTIVE
    assert answer.sdp.count("a=setup:active") == 2
    assert not answer.tracks[1].nack  # it offers no feedback at all


def test_more_sections_than_needed_are_answered_with_port_zero() -> None:
    extra = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n"
    sdp = publisher(offers.chrome().replace("BUNDLE 0 1", "BUNDLE 0 1 2") + extra).sdp
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel" in sdp
    assert "a=group:BUNDLE 0 1\r\n" in sdp


def test_a_section_of_the_wrong_direction_is_not_taken() -> None:
    offer = parse_offer(offers.chrome("recvonly"))
    assert isinstance(answer_publisher(offer, LOCAL), NoCommonCodec)
    assert isinstance(answer_viewer(parse_offer(offers.chrome()), LOCAL, lambda: 1), NoCommonCodec)


def test_no_codec_in_common() -> None:
    sdp = offers.chrome()
    for name in ("VP8", "H264", "VP9", "opus"):
        sdp = sdp.replace(f" {name}/", " H261/")
    assert isinstance(answer_publisher(parse_offer(sdp), LOCAL), NoCommonCodec)


@pytest.mark.parametrize(
    "sdp",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="not sdp"),
        pytest.param("v=0\r\n", id="no media"),
        pytest.param(offers.without(offers.chrome(), "a=ice-ufrag"), id="no ufrag"),
        pytest.param(offers.without(offers.chrome(), "a=fingerprint"), id="no fingerprint"),
        pytest.param(offers.without(offers.chrome(), "a=setup"), id="no setup"),
        pytest.param(offers.without(offers.chrome(), "a=rtcp-mux"), id="no rtcp-mux"),
        pytest.param(offers.without(offers.chrome(), "a=group"), id="no bundle"),
        pytest.param(offers.chrome().replace("a=mid:1", "a=mid:0"), id="one mid twice"),
        pytest.param(offers.chrome().replace("a=mid:1", "a=mid:a b"), id="mid with a space"),
        pytest.param(offers.chrome().replace("SAVPF", "AVP"), id="no dtls"),
        pytest.param(offers.chrome().replace("setup:actpass", "setup:holdconn"), id="holdconn"),
        pytest.param(offers.chrome() + "a=x\r\n" * 1001, id="too long"),
    ],
)
def test_garbage_is_an_sdp_error(sdp: str) -> None:
    with pytest.raises(SdpError):
        parse_offer(sdp)


def test_a_hundred_thousand_attributes_cost_nothing() -> None:
    """The parser behind is quadratic in them."""
    lines = "".join(f"a=ssrc:{number} cname:x\r\n" for number in range(50_000))
    with pytest.raises(SdpError, match="too many lines"):
        parse_offer(offers.chrome() + lines)


def test_a_fragment_with_credentials_asks_for_a_restart() -> None:
    fragment = parse_fragment("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n")
    assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")


def test_candidates_are_read_over() -> None:
    fragment = parse_fragment(
        "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
    )
    assert fragment.ufrag is None


@pytest.mark.parametrize("text", ["", "nonsense", "a=ice-ufrag:x y\r\n", "v=0\r\n", "a=x\r\n" * 201])
def test_broken_fragments(text: str) -> None:
    with pytest.raises(SdpError):
        parse_fragment(text)


def test_a_restart_is_answered_with_new_credentials_and_candidates() -> None:
    text = restart_fragment(publisher(offers.chrome()).accepted, LOCAL)
    assert parse_fragment(text).ufrag == "ufrag+/1"
    assert text.count("a=candidate:") == 2
    assert "a=group:BUNDLE 0 1" in text
    assert "a=mid:0" in text
