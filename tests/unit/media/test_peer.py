"""A peer's addresses and its consent."""

import pytest

from media.transport.dtls import DtlsContext, DtlsEndpoint, Role
from media.transport.ice import IceAgent
from media.transport.peer import CONSENT_TIMEOUT_S, MAX_ADDRESSES, Peer

HOME, AWAY = ("192.0.2.1", 1000), ("192.0.2.2", 2000)


@pytest.fixture(scope="module")
def context() -> DtlsContext:
    return DtlsContext()


@pytest.fixture
def peer(context: DtlsContext) -> Peer:
    ice = IceAgent().add(1)
    return Peer(1, ice, DtlsEndpoint(context, Role.PASSIVE, []), checked_at=100.0, created_at=100.0)


def test_the_first_proved_address_is_used_until_one_is_nominated(peer: Peer) -> None:
    peer.prove(HOME, moves=False, now=101.0)
    peer.prove(AWAY, moves=False, now=102.0)
    assert peer.address == HOME
    peer.prove(AWAY, moves=True, now=103.0)
    assert peer.address == AWAY
    peer.prove(HOME, moves=False, now=104.0)
    assert peer.address == AWAY


def test_addresses_are_bounded_and_the_one_in_use_is_never_given_up(peer: Peer) -> None:
    peer.prove(HOME, moves=True, now=101.0)
    dropped = [
        address
        for port in range(3 * MAX_ADDRESSES)
        for address in peer.prove(("192.0.2.9", port), moves=False, now=102.0)
    ]
    assert len(peer.addresses) == MAX_ADDRESSES
    assert HOME in peer.addresses
    assert dropped[0] == ("192.0.2.9", 0)
    assert len(dropped) == 3 * MAX_ADDRESSES + 1 - MAX_ADDRESSES


def test_consent_runs_out_thirty_seconds_after_the_last_check(peer: Peer) -> None:
    peer.prove(HOME, moves=True, now=110.0)
    peer.inbound = object()  # pyright: ignore[reportAttributeAccessIssue] - connected
    assert not peer.expired(110.0 + CONSENT_TIMEOUT_S)
    assert peer.expired(110.1 + CONSENT_TIMEOUT_S)


def test_checks_alone_do_not_keep_a_peer_that_never_finishes_its_handshake(peer: Peer) -> None:
    for second in range(60):
        peer.prove(HOME, moves=True, now=100.0 + second)
    assert peer.expired(101.0 + CONSENT_TIMEOUT_S)
