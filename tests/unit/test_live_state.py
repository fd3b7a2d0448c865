"""The pure parts that hold a show's live state: history, stock, chat, counts, rates."""

import pytest

from server.live.chat_feed import ChatFeed, ChatLine
from server.live.crowd_counts import Headcount, LastMinute, Tally, WorkerCounts, decode_counts, encode_counts
from server.live.history import History, Kept
from server.live.limits import (
    CHAT_LINES_PENDING_MAX,
    CHAT_RECENT_LINES,
    HEADCOUNT_TTL_MS,
    STOCK_INTERVAL_MS,
    KeyedBuckets,
    TokenBucket,
    tick_interval_ms,
)
from server.live.stock import Level, PublicStock, StockBoard

# History


def kept(seq: int, prev: int) -> Kept:
    return Kept(seq, prev, b"%d" % seq)


def test_history_gives_what_follows_a_place_and_knows_its_own_reach() -> None:
    history = History(size=3)
    history.start(10, 8)
    assert history.since(10) == []
    assert history.since(8) == []
    assert history.since(7) is None
    for seq, prev in ((12, 8), (13, 12), (20, 13)):
        assert history.add(kept(seq, prev))
    history.advance(25)
    assert (history.head, history.public_head) == (25, 20)
    assert [entry.seq for entry in history.since(8) or []] == [12, 13, 20]
    assert [entry.seq for entry in history.since(12) or []] == [13, 20]
    assert [entry.seq for entry in history.since(19) or []] == [20]
    assert history.since(24) == []
    assert history.add(kept(30, 20))
    assert history.since(8) is None, "the first has fallen out"
    assert [entry.seq for entry in history.since(12) or []] == [13, 20, 30]


@pytest.mark.parametrize(("seq", "prev"), [(6, 4), (5, 5), (4, 3), (7, 6)])
def test_history_takes_only_what_follows(seq: int, prev: int) -> None:
    history = History()
    history.start(5, 5)
    assert not history.add(kept(seq, prev))
    assert (history.head, history.public_head, history.since(5)) == (5, 5, [])


def test_staff_and_the_target_get_more_than_the_effect() -> None:
    entry = Kept(1, 0, b"effect", b"full", b"personal", "p_t")
    assert entry.frame_for("p_t", staff=False) == b"personal"
    assert entry.frame_for("p_t", staff=True) == b"full"
    assert entry.frame_for("p_x", staff=True) == b"full"
    assert entry.frame_for("p_x", staff=False) == b"effect"
    assert Kept(1, 0, b"effect", b"full", b"personal", "").frame_for("", staff=False) == b"effect"


# Stock


def test_stock_is_told_at_most_four_times_a_second_and_as_the_newest() -> None:
    board, told = StockBoard(), list[tuple[int, int]]()
    for now_ms in range(0, 2000, 10):
        board.note(Level("mug", now_ms + 1, 1000 - now_ms // 10, now_ms // 10, 0))
        told += [(now_ms, level.left) for level in board.due(now_ms)]
    assert [now_ms for now_ms, _ in told] == list(range(0, 2000, 250))
    assert told[1] == (250, 975)


def test_sold_out_is_told_at_once_and_flapping_stays_within_four_a_second() -> None:
    board = StockBoard()
    board.note(Level("mug", 1, 1, 0, 0))
    assert len(board.due(0)) == 1
    board.note(Level("mug", 2, 0, 1, 0))
    assert board.next_due_ms() == 0
    assert [level.left for level in board.due(1, only_sold_out=True)] == [0]
    told = 0
    for now_ms in range(2, 10_002):
        board.note(Level("mug", now_ms + 1, now_ms % 2, 1, 0))
        told += len(board.due(now_ms))
    assert told <= 41


def test_stock_of_an_older_entry_is_ignored_and_what_is_told_is_not_told_again() -> None:
    board = StockBoard()
    board.note(Level("mug", 5, 3, 0, 0))
    board.note(Level("mug", 4, 9, 0, 0))
    assert [level.left for level in board.due(0)] == [3]
    board.note(Level("mug", 6, 2, 1, 0))
    board.note(Level("mug", 7, 3, 0, 0))
    assert board.next_due_ms() is None, "back to what viewers know"
    assert [level.as_of for level in board.since(5)] == [7]
    assert board.since(7) == []


def test_stock_that_viewers_know_is_not_due() -> None:
    board = StockBoard()
    board.note(Level("mug", 5, 3, 0, 0), told=True)
    assert board.next_due_ms() is None
    assert len(board.since(4)) == 1


def test_a_line_that_is_as_long_as_before_has_moved_all_the_same() -> None:
    """One joins, and the first has their turn within a quarter of a second: the last is second no more."""
    board, stock = StockBoard(), PublicStock()
    board.note(Level("mug", 1, 0, 1, 0, 1))
    assert [level.waiting for level in stock.news(board.due(0))] == [1]
    board.note(Level("mug", 2, 0, 1, 0, 2))
    board.note(Level("mug", 3, 1, 0, 0, 2))
    board.note(Level("mug", 4, 0, 1, 0, 1))
    assert board.next_due_ms() == STOCK_INTERVAL_MS
    assert [level.as_of for level in stock.news(board.due(STOCK_INTERVAL_MS))] == [4]
    board.note(Level("mug", 5, 0, 1, 0, 1))
    assert board.next_due_ms() is None, "told once"


def test_stock_that_looks_the_same_is_no_news() -> None:
    stock = PublicStock()
    stock.show_as("cup", "hidden")
    stock.show_as("pot", "bucket")

    def news(sku: str, *lefts: int) -> list[int]:
        return [left for left in lefts if stock.news([Level(sku, 100 - left, left, 0, 0)])]

    assert news("cup", 9, 8, 7, 1, 0) == [9, 0], "told again, anybody could count"
    assert news("pot", 90, 80, 3, 2, 0, 1) == [90, 3, 0, 1]
    assert news("mug", 9, 8, 8, 7) == [9, 8, 7]


# Chat


def line(n: int, role: str = "") -> ChatLine:
    return ChatLine(str(n), "p", "Guest", "text", n, role)


def test_a_tick_carries_what_can_be_read_and_counts_the_rest() -> None:
    feed = ChatFeed()
    for n in range(30):
        feed.add(line(n, role="creator" if n == 3 else ""))
    batch = feed.batch(100)
    shown = [shown.id for shown in batch.lines]
    assert shown[0] == "3", "staff lines are never skipped"
    assert shown[-1] == "29", "the newest wins"
    assert len(shown) + batch.skipped == 30
    assert feed.batch(100).skipped == 0


def test_twenty_lines_a_second_over_time() -> None:
    feed, shown = ChatFeed(), 0
    for n in range(1000):
        feed.add(line(n))
        if n % 10 == 9:  # 10 lines in each of 100 ticks of 100 ms
            shown += len(feed.batch(100).lines)
    assert 195 <= shown <= 205


def test_the_waiting_are_bounded() -> None:
    feed = ChatFeed()
    for n in range(CHAT_LINES_PENDING_MAX + 5):
        feed.add(line(n))
    batch = feed.batch(1000)
    assert len(batch.lines) + batch.skipped == CHAT_LINES_PENDING_MAX + 5


def test_deleted_lines_are_gone_whether_told_or_not() -> None:
    feed = ChatFeed()
    feed.add(line(1))
    feed.batch(1000)
    feed.add(line(2))
    feed.delete(frozenset({"1", "2"}))
    assert feed.recent == []
    assert feed.batch(1000).lines == []


def test_newcomers_get_only_lines_that_a_tick_has_carried() -> None:
    feed = ChatFeed()
    feed.add(line(100))
    feed.preload([line(99), line(100)])
    feed.add(line(99))  # read and published at the same moment
    assert [shown.id for shown in feed.recent] == ["99"]
    assert [shown.id for shown in feed.batch(1000).lines] == ["100"]
    for n in range(200, 300):
        feed.add(line(n))
        feed.batch(1000)
    assert len(feed.recent) == CHAT_RECENT_LINES


# Counts


def test_workers_that_fall_silent_stop_counting() -> None:
    count = Headcount()
    count.note("a", 10, 0)
    count.note("b", 5, 3000)
    assert count.total(1, 3000) == 16
    assert count.total(1, HEADCOUNT_TTL_MS) == 6
    assert count.total(1, 3000 + HEADCOUNT_TTL_MS) == 1


def test_counts_travel_between_workers() -> None:
    counts = WorkerCounts("w", 3, {"heart": 2})
    assert decode_counts(encode_counts(counts)) == counts
    assert decode_counts(b"{}") is None
    assert decode_counts(b"\xff") is None


def test_a_tally_is_taken_once() -> None:
    tally = Tally()
    tally.add("heart", 2)
    tally.add("heart", 3)
    assert tally.take() == {"heart": 5}
    assert tally.take() == {}


def test_the_last_minute() -> None:
    minute = LastMinute()
    minute.add(2, 1_000)
    minute.add(3, 1_900)
    minute.add(4, 30_000)
    assert minute.total(60_900) == 9
    assert minute.total(61_000) == 4
    assert minute.total(90_000) == 0


# Rates


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate_per_s=2, burst=3)
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(100.0) == 0.5
    assert bucket.take(100.25) == 0.25
    assert bucket.take(100.5) == 0
    assert bucket.take(100.5) == 0.5
    assert [bucket.take(1000.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(1000.0, cost=99) == 1.5, "never more than a full bucket"


def test_keys_are_separate_and_bounded() -> None:
    buckets = KeyedBuckets(rate_per_s=1, burst=1, keys_max=2)
    assert buckets.take("a", 0) == 0
    assert buckets.take("b", 0) == 0
    assert buckets.take("a", 0) == 1
    assert buckets.take("c", 0) == 0, "b, unused for longest, is forgotten"
    assert buckets.take("a", 0) == 1
    assert buckets.take("b", 0) == 0


@pytest.mark.parametrize(("viewers", "interval_ms"), [(0, 100), (2000, 100), (10_000, 440), (100_000, 1000)])
def test_the_tick_slows_as_the_crowd_grows(viewers: int, interval_ms: int) -> None:
    assert tick_interval_ms(viewers) == interval_ms
