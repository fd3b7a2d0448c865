"""RTCP as bytes: against hand-written packets and against aiortc's independent implementation."""

from typing import Any

import pytest
from aiortc import rtp as aiortc_rtp

from media.errors import ParseError
from media.rtp import feedback, rtcp

BLOCK = rtcp.ReportBlock(
    ssrc=7,
    fraction_lost=3,
    packets_lost=-2,
    highest_sequence=70_000,
    jitter=5,
    last_sr=0x1234_5678,
    delay_since_last_sr=9,
)


def test_a_compound_keeps_its_order() -> None:
    compound = (
        rtcp.write_sender_report(rtcp.SenderReport(1, 2**63, 3, 4, 5, (BLOCK,)))
        + rtcp.write_sdes((1, 2), "name")
        + feedback.write_pli(1, 2)
        + rtcp.write_bye((1, 2))
    )
    assert rtcp.parse(compound) == [
        rtcp.SenderReport(1, 2**63, 3, 4, 5, (BLOCK,)),
        rtcp.SourceDescription({1: "name", 2: "name"}),
        feedback.PictureLoss(1, 2),
        rtcp.Goodbye((1, 2)),
    ]


def test_aiortc_reads_what_we_write() -> None:
    compound = (
        rtcp.write_receiver_report(rtcp.ReceiverReport(1, (BLOCK,)))
        + rtcp.write_sdes((1,), "vendue")
        + feedback.write_nack(1, 2, [65_535, 0, 16, 17])
        + feedback.write_pli(1, 2)
    )
    parsed: list[Any] = list(aiortc_rtp.RtcpPacket.parse(compound))
    report, sdes, nack, pli = parsed
    assert report.reports[0].packets_lost == -2
    assert report.reports[0].highest_sequence == 70_000
    assert sdes.chunks[0].items == [(1, b"vendue")]
    assert sorted(nack.lost) == [0, 16, 17, 65_535]
    assert pli.fmt == 1


def test_we_read_what_aiortc_writes() -> None:
    nack = aiortc_rtp.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=[7, 8, 23, 24])
    info = aiortc_rtp.RtcpSenderInfo(ntp_timestamp=2**40, rtp_timestamp=8, packet_count=9, octet_count=10)
    report = aiortc_rtp.RtcpSrPacket(ssrc=1, sender_info=info)
    sdes = aiortc_rtp.RtcpSdesPacket(chunks=[aiortc_rtp.RtcpSourceInfo(ssrc=1, items=[(1, b"abc")])])
    remb = aiortc_rtp.RtcpPsfbPacket(
        fmt=15, ssrc=1, media_ssrc=0, fci=aiortc_rtp.pack_remb_fci(4_160_000, [2, 3])
    )
    assert rtcp.parse(bytes(report) + bytes(sdes) + bytes(nack) + bytes(remb)) == [
        rtcp.SenderReport(1, 2**40, 8, 9, 10),
        rtcp.SourceDescription({1: "abc"}),
        feedback.Nack(1, 2, (7, 8, 23, 24)),
        feedback.Remb(1, 4_160_000, (2, 3)),
    ]


def test_extended_reports() -> None:
    compound = rtcp.write_reference_time(1, 2**63 + 5) + rtcp.write_delay_since_reference(
        2, ((1, 0xAAAA_BBBB, 77),)
    )
    assert rtcp.parse(compound) == [
        rtcp.ReferenceTime(1, 2**63 + 5),
        rtcp.DelaySinceReference(2, ((1, 0xAAAA_BBBB, 77),)),
    ]


def test_fir_and_remb_round_trip() -> None:
    compound = feedback.write_fir(1, 2, 300) + feedback.write_remb(1, 2_000_000, [4])
    assert rtcp.parse(compound) == [
        feedback.FullIntra(1, ((2, 300 & 0xFF),)),
        feedback.Remb(1, 2_000_000, (4,)),
    ]


def test_unknown_types_are_skipped() -> None:
    unknown = b"\x80\xcc\x00\x01abcd"
    assert rtcp.parse(unknown + rtcp.write_bye((1,))) == [rtcp.Goodbye((1,))]


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x00\xc8\x00\x00",  # version 0
        b"\x80\xc8\x00\x05" + bytes(20),  # sender report cut off
        b"\x81\xc9\x00\x01" + bytes(4),  # a block is announced, none is there
        b"\x82\xcb\x00\x01" + bytes(4),  # two SSRCs announced, one there
        b"\xa0\xcb\x00\x00",  # padding of nothing
        b"\x81\xcd\x00\x01" + bytes(4),  # feedback without a media SSRC
        rtcp.write_bye((1,)) * 33,
    ],
)
def test_refuses_what_is_not_rtcp(data: bytes) -> None:
    with pytest.raises(ParseError):
        rtcp.parse(data)


def test_transport_feedback_from_the_draft() -> None:
    """A hand-made packet: run of 2 small deltas, vector with a loss and a large negative delta."""
    body = (
        bytes.fromhex("00000001 00000002 0005 0009 0001f4 07")
        + bytes.fromhex("2002")  # run: 2 x small
        + bytes.fromhex("d200")  # vector of two-bit symbols: 1, 0, 2, 0, 0, 0, 0
        + bytes.fromhex("10 ff 04 ff00")
        + bytes(3)
    )
    packet = bytes.fromhex("8fcd") + (len(body) // 4).to_bytes(2) + body
    assert rtcp.parse(packet) == []
    (fci,), others = rtcp.transport_feedback(packet)
    assert not others
    assert feedback.read_transport(fci) == feedback.TransportFeedback(
        5, 500, 7, (16, 16 + 255, 16 + 255 + 4, None, 19, None, None, None, None)
    )


@pytest.mark.parametrize(
    "fci",
    [
        b"",
        bytes(7),
        bytes.fromhex("0005 0001 0001f4 07 0000"),  # an empty run
        bytes.fromhex("0005 0002 0001f4 07 2002 10"),  # a delta is missing
        bytes.fromhex("0005 0001 0001f4 07 6001"),  # a symbol that is none
        bytes.fromhex("0005 0009 0001f4 07 2002"),  # chunks are missing
    ],
)
def test_refuses_what_is_no_transport_feedback(fci: bytes) -> None:
    with pytest.raises(ParseError):
        feedback.read_transport(fci)
