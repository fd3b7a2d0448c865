"""When a frame was captured: c0, D and the outgoing timeline (FRAMELOCK's recipe)."""

import itertools

import pytest

from media.forward.timeline import OutgoingTimeline, PublisherClock, SourceClock, ms_to_ntp, ntp_to_ms

WALL_MS = 1_700_000_000_000.0


def test_ntp_round_trip() -> None:
    assert ntp_to_ms(ms_to_ntp(WALL_MS + 0.25)) == pytest.approx(WALL_MS + 0.25, abs=0.001)


def test_c0_is_the_mean_of_the_sender_reports() -> None:
    clock = SourceClock(90_000)
    for index, error_ms in enumerate((0.9, -0.9, 0.3, -0.3)):
        clock.report(ms_to_ntp(WALL_MS + 1_000 * index + error_ms), 90_000 * index)
    assert clock.c0_ms == pytest.approx(WALL_MS, abs=0.01)


def test_a_sender_report_without_a_time_is_ignored() -> None:
    clock = SourceClock(90_000)
    clock.report(0, 5)
    assert clock.c0_ms is None


def test_a_clock_that_was_set_begins_again() -> None:
    clock = SourceClock(90_000)
    clock.report(ms_to_ntp(WALL_MS), 0)
    clock.report(ms_to_ntp(WALL_MS + 60_000), 90_000)
    assert clock.c0_ms == pytest.approx(WALL_MS + 59_000, abs=0.01)


def test_delay_is_the_smallest_of_the_window_and_moves_slowly() -> None:
    source, clock = SourceClock(90_000), PublisherClock()
    source.report(ms_to_ntp(WALL_MS), 0)
    delays: list[float] = []
    for frame in range(30 * 40):
        capture_ms = frame * 1000 / 30
        network_ms = 40 + (frame * 7919 % 100)  # 40–139 ms of jitter
        if frame > 30 * 15:
            network_ms += 5  # the path grows by 5 ms
        source.arrived(frame * 3_000, capture_ms + network_ms)
        clock.update([source], (capture_ms + network_ms) / 1000)
        assert clock.delay_ms is not None
        delays.append(clock.delay_ms + WALL_MS)
    assert delays[30 * 4] == pytest.approx(40, abs=1.5)
    assert delays[30 * 15] == pytest.approx(40, abs=1.5)
    assert delays[-1] == pytest.approx(45, abs=1.5)
    late = delays[30 * 4 :]
    assert max(abs(b - a) for a, b in itertools.pairwise(late)) < 0.2  # 1 ms a second, in jumps


def test_the_delay_is_one_for_all_sources() -> None:
    video, audio, clock = SourceClock(90_000), SourceClock(48_000), PublisherClock()
    video.report(ms_to_ntp(WALL_MS), 0)
    audio.report(ms_to_ntp(WALL_MS + 10), 0)
    video.arrived(0, 80.0)
    audio.arrived(0, 50.0)
    clock.update([video, audio], 0.1)
    video_ms, audio_ms = clock.capture_offset_ms(video), clock.capture_offset_ms(audio)
    assert video_ms is not None
    assert audio_ms is not None
    assert audio_ms - video_ms == pytest.approx(10, abs=0.01)


def test_without_sender_reports_the_smallest_arrival_stands_in() -> None:
    source, clock = SourceClock(90_000), PublisherClock()
    assert clock.capture_offset_ms(source) is None
    source.arrived(0, 1_050.0)
    source.arrived(3_000, 1_060.0)
    clock.update([source], 1.1)
    assert clock.delay_ms is None
    assert clock.capture_offset_ms(source) == pytest.approx(1_060 - 1_000 / 30)


def test_an_encoder_that_begins_again_is_noticed() -> None:
    source = SourceClock(90_000)
    assert not source.arrived(source.unwrap(9_000_000), 1_000.0)
    assert not source.arrived(source.unwrap(9_003_000), 1_034.0)
    assert source.arrived(source.unwrap(5_000), 1_067.0)


def test_a_returning_publisher_continues_the_timeline() -> None:
    timeline = OutgoingTimeline(1_000)
    timeline.attach(50_000, 90.0, 0.0)
    assert timeline.out(50_000) == 1_000
    timeline.align(-50_000 / 90, 90.0)  # RTP 50,000 was captured at 0 ms
    assert timeline.at(100.0) == 10_000
    assert timeline.mono_ms(10_000) == pytest.approx(100.0)
    assert timeline.out(59_000) == 10_000
    timeline.attach(7, 90.0, 5_000.0)
    assert timeline.out(7) == 1_000 + 450_000


def test_the_timeline_never_runs_back() -> None:
    timeline = OutgoingTimeline(0)
    timeline.attach(0, 90.0, 0.0)
    timeline.out(90_000)
    timeline.align(-5_000.0, 90.0)
    timeline.attach(0, 90.0, -4_900.0)  # by the clock: 9,000, which was passed long ago
    assert timeline.out(0) > 90_000
