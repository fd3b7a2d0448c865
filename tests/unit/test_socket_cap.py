"""How many connections one worker holds."""

from server.live.socket_cap import SocketCap


def test_an_address_and_the_whole_worker_have_bounds() -> None:
    cap = SocketCap(total_max=3, per_address_max=2)
    assert [cap.take("a"), cap.take("a"), cap.take("a")] == [True, True, False]
    assert cap.take("b")
    assert not cap.take("c"), "the worker is full"
    assert cap.total == 3
    cap.give_back("a")
    assert cap.take("c")
    cap.give_back("a")
    assert cap.take("a")


def test_an_exempt_address_is_bounded_by_the_worker_alone() -> None:
    cap = SocketCap(total_max=3, per_address_max=1, exempts=lambda address: address == "127.0.0.1")
    assert [cap.take("127.0.0.1") for _ in range(4)] == [True, True, True, False]


def test_what_an_address_is_can_be_chosen() -> None:
    assert SocketCap().address_of(("1.2.3.4", 5), "9.9.9.9") == "1.2.3.4"
    assert SocketCap().address_of(None, None) == ""
    behind = SocketCap(address_of=lambda _, forwarded: forwarded or "")
    assert behind.address_of(("1.2.3.4", 5), "9.9.9.9") == "9.9.9.9"
