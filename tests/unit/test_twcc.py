"""Transport-wide feedback: what is said about arrivals, losses, reordering and jumps."""

from media.forward.twcc import MAX_STATUSES, ArrivalRecorder
from media.rtp import feedback, rtcp
from media.rtp.feedback import TransportFeedback, read_transport


def arrivals(reports: list[TransportFeedback]) -> dict[int, int | None]:
    """Sequence number (16 bit) → arrival in ticks of 250 µs, through the bytes on the wire."""
    found: dict[int, int | None] = {}
    for report in reports:
        (fci,), _ = rtcp.transport_feedback(feedback.write_transport(1, 2, report))
        assert read_transport(fci) == report
        for index, ticks in enumerate(report.arrivals):
            place = (report.base + index) & 0xFFFF
            found[place] = None if ticks is None else report.reference * 256 + ticks
    return found


def test_losses_and_the_wrap() -> None:
    recorder = ArrivalRecorder()
    for sequence, now in ((65_534, 10.0), (65_535, 10.001), (1, 10.01)):
        recorder.received(sequence, now)
    assert arrivals(recorder.reports()) == {65_534: 40_000, 65_535: 40_004, 0: None, 1: 40_040}
    assert recorder.reports() == []


def test_a_loss_between_two_reports_is_reported() -> None:
    recorder = ArrivalRecorder()
    recorder.received(1, 1.0)
    recorder.reports()
    recorder.received(4, 1.1)
    assert arrivals(recorder.reports()) == {2: None, 3: None, 4: 4_400}


def test_a_late_packet_is_reported_after_all() -> None:
    recorder = ArrivalRecorder()
    recorder.received(1, 1.0)
    recorder.received(3, 1.0)
    recorder.reports()
    recorder.received(2, 1.2)
    assert arrivals(recorder.reports()) == {2: 4_800}


def test_a_duplicate_keeps_the_first_arrival() -> None:
    recorder = ArrivalRecorder()
    recorder.received(1, 1.0)
    recorder.received(1, 2.0)
    assert arrivals(recorder.reports()) == {1: 4_000}


def test_a_long_pause_begins_another_report() -> None:
    recorder = ArrivalRecorder()
    recorder.received(1, 1.0)
    recorder.received(2, 11.0)
    reports = recorder.reports()
    assert len(reports) == 2
    assert arrivals(reports) == {1: 4_000, 2: 44_000}


def test_a_jump_is_not_reported_as_thousands_of_losses() -> None:
    recorder = ArrivalRecorder()
    recorder.received(1, 1.0)
    recorder.received(20_000, 1.0)
    recorder.reports()
    recorder.received(30_000, 1.1)
    assert arrivals(recorder.reports()) == {30_000: 4_400}


def test_reports_fit_a_datagram_and_are_counted() -> None:
    recorder = ArrivalRecorder()
    for sequence in range(1_500):
        recorder.received(sequence, 1.0 + (sequence % 7) * 0.2)
    reports = recorder.reports()
    assert [report.count for report in reports] == list(range(len(reports)))
    for report in reports:
        assert len(report.arrivals) <= MAX_STATUSES
        assert len(feedback.write_transport(1, 2, report)) < 1_200
    assert len(arrivals(reports)) == 1_500
