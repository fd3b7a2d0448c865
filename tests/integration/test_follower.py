"""Following a log on a real store: in order, once, gaps filled, lost entries noticed, through a crash of the
store.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
from support.sale import SECRET
from support.store import embedded, opened, patiently, set_show, show_hash

from server.live.moderation import Moderation, SlowMode
from server.live.shows import NewShow, Shows
from server.log import reader
from server.log.entries import Entry, check_chain
from server.log.follower import Follower
from server.log.state import ShowSnapshot
from server.store.outcome import StoreError
from server.store.private_text import PrivateText
from server.store.resp import Reply
from server.store.store import Store
from server.tokens import Principal

CREATOR = Principal("c", "p_" + "c" * 22, "creator", None, "jti", 2**33)
POLL_S = 0.05


class Seen:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}
        self.others: list[tuple[str, str, bytes]] = []
        self.resets: list[ShowSnapshot] = []

    def on_entries(self, show: str, entries: list[Entry]) -> None:
        self.entries.setdefault(show, []).extend(entries)

    def on_other(self, show: str, tag: str, data: bytes) -> None:
        self.others.append((show, tag, data))

    def on_reset(self, show: str, snapshot: ShowSnapshot) -> None:
        self.resets.append(snapshot)
        self.entries[show] = []

    def seqs(self, show: str = "s1") -> list[int]:
        return [entry.seq for entry in self.entries.get(show, [])]


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not check():
            await asyncio.sleep(0.01)


async def make_show(store: Store, show: str = "s1") -> None:
    await Shows(store).create(CREATOR, NewShow(title="T", currency="EUR", id=show))


async def write(store: Store, count: int = 1, show: str = "s1") -> None:
    """Append `count` public entries."""
    moderation = Moderation(store, PrivateText(store, SECRET))
    for _ in range(count):
        await moderation.apply(show, CREATOR, SlowMode(5))


async def write_unpublished(store: Store, count: int = 1) -> None:
    """Entries as the script writes them, whose publication was lost."""
    fields = await show_hash(store, "s1")
    first = int(fields["seq"]) + 1
    calls: list[asyncio.Future[Reply]] = []
    for seq in range(first, first + count):
        raw = (
            f'{{"seq":{seq},"prev_public":{seq - 1},"audience":"public","ts":1,"at_ms":1,'
            f'"kind":"moderation","actor":"","body":{{}}}}'
        )
        calls.append(store.writes.call("XADD", "ls:{s1}:log", f"{seq}-0", "e", raw))
    await asyncio.gather(*calls)
    await set_show(store, "s1", seq=first + count - 1, prev_public=first + count - 1)


Saved = dict[bytes, bytes]


async def save(store: Store) -> Saved:
    """The show as a late replica has it."""
    keys = cast("list[bytes]", await store.reads.call("KEYS", "ls:{s1}:*"))
    return {key: cast("bytes", await store.reads.call("DUMP", key)) for key in keys}


async def fail_over_to(store: Store, saved: Saved) -> None:
    """The show is at once as it was saved."""
    commands = [("RESTORE", key, 0, dump, "REPLACE") for key, dump in saved.items()]
    await asyncio.gather(*(store.writes.call(*command) for command in [("MULTI",), *commands, ("EXEC",)]))


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def follower(store: Store, seen: Seen) -> AsyncIterator[Follower]:
    await make_show(store)
    follower = Follower(store, seen, poll_s=POLL_S)
    await follower.start()
    yield follower
    await follower.close()


async def test_entries_arrive_in_order_and_once(store: Store, follower: Follower, seen: Seen) -> None:
    await write(store, 3)
    snapshot = await follower.follow("s1")
    assert snapshot is not None
    assert snapshot.seq == 4
    await write(store, 200)
    await until(lambda: len(seen.seqs()) == 200)
    assert seen.seqs() == list(range(5, 205))
    assert check_chain(seen.entries["s1"], snapshot.seq, snapshot.public_seq) == "ok"
    assert seen.resets == []


async def test_an_unknown_show_is_not_followed(follower: Follower) -> None:
    assert await follower.follow("nowhere") is None


async def test_shows_do_not_mix_and_stop_when_told(store: Store, follower: Follower, seen: Seen) -> None:
    await make_show(store, "s2")
    await follower.follow("s1")
    await follower.follow("s2")
    await asyncio.gather(write(store, 3, "s1"), write(store, 2, "s2"))
    await until(lambda: seen.seqs("s1") == [2, 3, 4] and seen.seqs("s2") == [2, 3])
    follower.unfollow("s1")
    await write(store, 1, "s1")
    await write(store, 1, "s2")
    await until(lambda: seen.seqs("s2") == [2, 3, 4])
    await asyncio.sleep(POLL_S * 3)
    assert seen.seqs("s1") == [2, 3, 4]


async def test_other_messages_go_to_the_sink_with_their_tag(
    store: Store, follower: Follower, seen: Seen
) -> None:
    await follower.follow("s1")
    await store.writes.call("SPUBLISH", "ls:{s1}:feed", 'C{"text":"hi"}')
    await store.writes.call("SPUBLISH", "ls:{s1}:feed", "Lnot an entry")
    await store.writes.call("SPUBLISH", "ls:{s1}:feed", "")
    await store.writes.call("SPUBLISH", "ls:{s1}:feed", "V{}")
    await until(lambda: len(seen.others) >= 2)
    assert ("s1", "C", b'{"text":"hi"}') in seen.others
    assert ("s1", "V", b"{}") in seen.others
    assert seen.seqs() == []


async def test_a_lost_tail_is_found_by_the_poll(store: Store, follower: Follower, seen: Seen) -> None:
    await follower.follow("s1")
    await write_unpublished(store, 2)
    await until(lambda: seen.seqs() == [2, 3])


async def test_a_gap_is_filled_before_what_came_after_it(
    store: Store, follower: Follower, seen: Seen
) -> None:
    await follower.follow("s1")
    await write_unpublished(store, 5)
    await write(store, 2)
    await until(lambda: len(seen.seqs()) == 7)
    assert seen.seqs() == list(range(2, 9))


async def test_more_missing_entries_than_one_answer_holds(
    store: Store, follower: Follower, seen: Seen
) -> None:
    await follower.follow("s1")
    await write_unpublished(store, reader.ENTRIES_MAX + 50)
    await until(lambda: len(seen.seqs()) == reader.ENTRIES_MAX + 50)
    assert seen.seqs() == list(range(2, reader.ENTRIES_MAX + 52))


async def test_a_head_below_what_was_seen_starts_a_new_epoch(
    store: Store, follower: Follower, seen: Seen
) -> None:
    first = await follower.follow("s1")
    await write(store, 2)
    saved = await save(store)
    await write(store, 3)
    await until(lambda: seen.seqs() == [2, 3, 4, 5, 6])
    await fail_over_to(store, saved)
    await until(lambda: len(seen.resets) == 1)
    assert first is not None
    assert seen.resets[0].epoch != first.epoch
    [entry] = [entry for entry in await reader.entries(store, "s1", 0) if entry.kind == "epoch"]
    assert (entry.seq, entry.body["previous"], entry.body["seen_seq"]) == (4, first.epoch, 6)
    await write(store, 2)
    await until(lambda: seen.seqs()[-2:] == [5, 6])


async def test_other_bytes_at_a_seq_that_was_seen_start_a_new_epoch(
    store: Store, follower: Follower, seen: Seen
) -> None:
    before = await save(store)
    await write_unpublished(store)
    other_entry_2 = await save(store)
    await fail_over_to(store, before)
    first = await follower.follow("s1")
    await write(store)
    await until(lambda: seen.seqs() == [2])
    await fail_over_to(store, other_entry_2)
    await until(lambda: len(seen.resets) == 1)
    assert first is not None
    assert seen.resets[0].epoch != first.epoch


async def test_what_overtakes_the_lost_entries_is_not_applied_on_top_of_them(
    store: Store, seen: Seen
) -> None:
    """The poll would come too late: it would find the bytes of an entry that came after them."""
    follower = Follower(store, seen, poll_s=60)
    await follower.start()
    await make_show(store)
    await follower.follow("s1")
    await write(store, 2)
    saved = await save(store)
    await write(store, 2)
    await until(lambda: seen.seqs() == [2, 3, 4, 5])
    await fail_over_to(store, saved)
    await write(store, 4)
    await until(lambda: len(seen.resets) == 1)
    assert seen.resets[0].seq == 8  # 4' to 7', and the new epoch
    assert seen.seqs() == []
    await follower.close()


async def test_after_a_reconnection_nothing_is_applied_unchecked(store: Store, seen: Seen) -> None:
    follower = Follower(store, seen, poll_s=60)
    await follower.start()
    await make_show(store)
    await follower.follow("s1")
    await write(store, 2)
    saved = await save(store)
    await write(store, 2)
    await until(lambda: seen.seqs() == [2, 3, 4, 5])
    calls = [store.writes.call("CLIENT", "KILL", "TYPE", "pubsub"), store.writes.call("CLIENT", "PAUSE", 50)]
    await asyncio.gather(*calls, fail_over_to(store, saved), write(store, 4))
    await until(lambda: len(seen.resets) == 1)
    await write(store, 1)
    newest = int((await show_hash(store, "s1"))["seq"])
    await until(lambda: newest in seen.seqs())
    assert len(seen.resets) == 1
    assert seen.seqs() == list(range(seen.resets[0].seq + 1, newest + 1))
    await follower.close()


async def test_all_workers_end_in_one_new_epoch(store: Store, follower: Follower, seen: Seen) -> None:
    others = [Seen() for _ in range(3)]
    followers = [Follower(store, other, poll_s=POLL_S) for other in others]
    for each in [follower, *followers]:
        if each is not follower:
            await each.start()
        await each.follow("s1")
    await write(store)
    saved = await save(store)
    await write(store, 3)
    await until(lambda: all(sink.seqs() == [2, 3, 4, 5] for sink in [seen, *others]))
    await fail_over_to(store, saved)
    await until(lambda: all(sink.resets for sink in [seen, *others]))
    epoch = (await show_hash(store, "s1"))["epoch"]
    assert {sink.resets[-1].epoch for sink in [seen, *others]} == {epoch}
    epochs = [entry for entry in await reader.entries(store, "s1", 0) if entry.kind == "epoch"]
    assert len(epochs) == 1
    for each in followers:
        await each.close()


async def test_a_crash_of_the_store_loses_and_repeats_nothing(tmp_path: Path) -> None:
    seen = Seen()
    async with embedded(tmp_path) as (server, url), opened(url) as store:
        await make_show(store)
        follower = Follower(store, seen, poll_s=POLL_S)
        await follower.start()
        snapshot = await follower.follow("s1")
        assert snapshot is not None

        async def keep_writing() -> None:
            for _ in range(400):
                try:
                    await write(store)
                except StoreError:
                    await asyncio.sleep(0.02)

        writer = asyncio.create_task(keep_writing())
        await until(lambda: len(seen.seqs()) > 50)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await writer
        head = await patiently(lambda: reader.head(store, "s1"))
        assert head is not None
        await until(lambda: bool(seen.seqs()) and seen.seqs()[-1] >= head.seq)
        assert seen.seqs() == list(range(2, head.seq + 1))
        assert check_chain(seen.entries["s1"], snapshot.seq, snapshot.public_seq) == "ok"
        assert seen.resets == []
        await follower.close()
