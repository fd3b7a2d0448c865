"""Slots and what nodes say of them. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/"""

import pytest

from server.store.cluster import SLOTS, View, read_view, slot_of
from server.store.topology import Target

ASKED = Target(host="asked", port=7)
NODE = Target(password="p")


@pytest.mark.parametrize(
    ("key", "slot"),
    [(b"123456789", 0x31C3 % SLOTS), (b"foo", 12182), (b"{user1000}.following", 3443), (b"", 0)],
)
def test_slots_are_those_of_the_specification(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


def test_the_tag_alone_counts_unless_it_is_empty() -> None:
    assert slot_of(b"ls:{show}:log") == slot_of(b"ls:{show}:feed") == slot_of(b"show")
    assert slot_of(b"a{}b") != slot_of(b"")
    assert slot_of(b"a{b") != slot_of(b"b")


def test_primaries_with_slots_count_and_nothing_else() -> None:
    primary = "id 10.0.0.1:6379@16379,host myself,master - 0 0 7 connected 0-99 101 [5->-other]"
    view = View(7, Target(host="10.0.0.1", port=6379, password="p"), ((0, 99), (101, 101)))
    assert read_view(primary, ASKED, NODE) == view
    assert read_view("id :6380@1 master - 0 0 1 connected 5", ASKED, NODE) == View(
        1, Target(host="asked", port=6380, password="p"), ((5, 5),)
    )
    assert read_view("id 10.0.0.1:1@2 slave prime 0 0 7 connected", ASKED, NODE) is None
    assert read_view("id 10.0.0.1:1@2 master - 0 0 7 connected", ASKED, NODE) is None
    assert read_view("id :0@0 master,noaddr - 0 0 7 disconnected 1-5", ASKED, NODE) is None
