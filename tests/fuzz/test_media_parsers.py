"""Whatever bytes a peer sends, the parsers raise ParseError or nothing, and the router raises nothing."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.rtp_source import RtpSource, publisher_config, subscriber_config

from media.errors import ParseError
from media.forward.twcc import ArrivalRecorder
from media.router import Router
from media.rtp import feedback, header, payloads, rtcp, sps

SEEDS = [
    rtcp.write_sender_report(rtcp.SenderReport(1, 2, 3, 4, 5, (rtcp.ReportBlock(1, 2, 3, 4, 5, 6, 7),))),
    rtcp.write_receiver_report(rtcp.ReceiverReport(1, (rtcp.ReportBlock(1, 2, 3, 4, 5, 6, 7),) * 3)),
    rtcp.write_sdes((1, 2), "name"),
    rtcp.write_bye((1, 2)),
    rtcp.write_reference_time(1, 2),
    rtcp.write_delay_since_reference(1, ((1, 2, 3),)),
    feedback.write_nack(1, 2, [1, 2, 30]),
    feedback.write_pli(1, 2),
    feedback.write_fir(1, 2, 3),
    feedback.write_remb(1, 1_000_000, [1, 2]),
    feedback.write_transport(1, 2, feedback.TransportFeedback(3, 4, 5, (1, None, 700, 2))),
    *RtpSource().frame(key=True),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid packet (or several) with bytes changed, cut out or put in."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 2)):
            case 0:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del data[place : place + draw(st.integers(1, 8))]
            case _:
                data[place:place] = draw(st.binary(max_size=8))
    return bytes(data)


JUNK = st.one_of(mutated(), st.binary(max_size=200))


@examples(600)
@given(data=JUNK)
def test_parsers_raise_parse_error_only(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        rtcp.parse(data)
    with contextlib.suppress(ParseError):
        head = header.parse(data)
        assert 12 <= head.payload_start <= head.payload_end <= len(data)
        header.unwrap_rtx(data, head, 1, 2)
        header.extensions(data, head)
    for codec in ("h264", "vp8", "vp9", "av1", "opus"):
        payloads.is_keyframe(codec, data)
        payloads.frame_size(codec, data)
    sps.h264_size(data)


@examples(300)
@given(blob=st.binary(max_size=64), bits=st.integers(0, 2**400))
def test_parameter_sets_of_any_bits(blob: bytes, bits: int) -> None:
    sps.h264_size(b"\x67" + blob)
    sps.h264_size(b"\x67\x64\x00\x1f" + bits.to_bytes(60))


@examples(200)
@given(
    packets=st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.booleans(), JUNK), max_size=30),
    gaps_s=st.lists(st.floats(0, 3), min_size=30, max_size=30),
)
def test_the_router_survives_any_peer(packets: list[tuple[int, bool, bytes]], gaps_s: list[float]) -> None:
    router = Router(lambda: 0xFFFF_FFFF)
    router.add_publisher(1, publisher_config(), 0.0)
    router.add_subscriber(2, subscriber_config(), 0.0)
    now = 0.0
    for packet in RtpSource().frame(key=True):
        router.receive_rtp(1, packet, now)
    for (peer, is_rtcp, data), gap_s in zip(packets, gaps_s, strict=False):
        if is_rtcp:
            router.receive_rtcp(peer, data, now)
        else:
            router.receive_rtp(peer, data, now)
        now += gap_s
        for _ in range(200):
            deadline = router.next_deadline()
            if deadline is None or deadline > now:
                break
            router.handle_deadline(max(now, deadline))
        else:
            raise AssertionError("the deadline does not move on")
        router.drain()
    router.health("show", now)


@examples(200)
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 65_535), st.floats(0, 20)), max_size=60),
    reports=st.sets(st.integers(0, 60)),
)
def test_transport_feedback_can_always_be_written_and_read(
    arrivals: list[tuple[int, float]], reports: set[int]
) -> None:
    recorder = ArrivalRecorder()
    for index, (sequence, now) in enumerate(arrivals):
        recorder.received(sequence, now)
        if index in reports or index == len(arrivals) - 1:
            for report in recorder.reports():
                (fci,), others = rtcp.transport_feedback(feedback.write_transport(0, 0, report))
                assert not others
                assert feedback.read_transport(fci) == report
