"""The ICE-lite agent: who passes the gate, and what is answered."""

import hmac
import zlib
from collections.abc import Callable

import pytest

from media.errors import ParseError
from media.transport import ice
from media.transport.ice import IceAgent, IceSession

SOURCE = ("192.0.2.7", 40000)
TRANSACTION = bytes(range(12))


def check(
    session: IceSession,
    *,
    ufrag: str | None = None,
    pwd: str | None = None,
    attributes: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A browser's connectivity check."""
    credentials = session.credentials
    username = f"{ufrag or credentials.ufrag}:theirs".encode()
    return ice.build(
        ice.BINDING_REQUEST,
        TRANSACTION,
        [(ice.USERNAME, username), (0x0024, b"\x6e\x00\x1e\xff"), (0x802A, bytes(8)), *attributes],
        (pwd or credentials.pwd).encode(),
    )


def test_a_check_with_the_password_is_answered_and_names_its_session() -> None:
    agent = IceAgent()
    session = agent.add(7)
    checked = agent.receive(check(session), SOURCE)
    assert checked is not None
    assert (checked.key, checked.moves, checked.accepted) == (7, False, True)
    answer = ice.parse(checked.answer)
    assert answer.kind == ice.BINDING_SUCCESS
    assert answer.transaction_id == TRANSACTION
    assert ice.verify_integrity(answer, checked.answer, session.credentials.pwd.encode())
    # RFC 8489 §14.2: port and address are masked with the magic cookie
    assert answer.attributes[ice.XOR_MAPPED_ADDRESS] == bytes.fromhex("0001") + (40000 ^ 0x2112).to_bytes(
        2, "big"
    ) + bytes(a ^ b for a, b in zip(bytes([192, 0, 2, 7]), bytes.fromhex("2112a442"), strict=True))


def test_an_ipv6_source_is_masked_with_cookie_and_transaction() -> None:
    value = ice.xor_mapped_address(("::1", 9, 0, 0), TRANSACTION)
    mask = bytes.fromhex("2112a442") + TRANSACTION
    assert value[1] == 2
    assert bytes(a ^ b for a, b in zip(value[4:], mask, strict=True)) == bytes(15) + b"\x01"


def test_ipv4_on_a_socket_for_both_families_is_told_as_ipv4() -> None:
    mapped = ice.xor_mapped_address(("::ffff:192.0.2.7", 40000, 0, 0), TRANSACTION)
    assert mapped == ice.xor_mapped_address(SOURCE, TRANSACTION)


def test_use_candidate_nominates() -> None:
    agent = IceAgent()
    checked = agent.receive(check(agent.add(1), attributes=((ice.USE_CANDIDATE, b""),)), SOURCE)
    assert checked is not None
    assert checked.moves


def test_the_message_integrity_follows_rfc_8489() -> None:
    """Computed here by hand: HMAC-SHA1 over everything before it, the length reaching to its own end."""
    agent = IceAgent()
    session = agent.add(1)
    data = check(session)
    message = ice.parse(data)
    assert message.integrity_offset is not None
    length = message.integrity_offset + 24 - 20
    covered = data[:2] + length.to_bytes(2, "big") + data[4 : message.integrity_offset]
    expected = hmac.new(session.credentials.pwd.encode(), covered, "sha1").digest()
    assert message.attributes[ice.MESSAGE_INTEGRITY] == expected
    assert int.from_bytes(data[-4:], "big") == zlib.crc32(data[:-8]) ^ 0x5354554E


def bare(session: IceSession, kind: int, pwd: str | None) -> bytes:
    username = (ice.USERNAME, f"{session.credentials.ufrag}:x".encode())
    return ice.build(kind, TRANSACTION, [username], None if pwd is None else pwd.encode())


STRANGERS: dict[str, Callable[[IceSession], bytes]] = {
    "guessed ufrag": lambda one: check(one, ufrag="guessed1"),
    "guessed password": lambda one: check(one, pwd="guessed-password-123456"),
    "no integrity": lambda one: bare(one, ice.BINDING_REQUEST, None),
    "not a request": lambda one: bare(one, ice.BINDING_SUCCESS, one.credentials.pwd),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_get_no_answer(name: str) -> None:
    agent = IceAgent()
    assert agent.receive(STRANGERS[name](agent.add(1)), SOURCE) is None


def test_an_attribute_after_the_integrity_does_not_count() -> None:
    """Somebody on the path cannot add USE-CANDIDATE to a check that it saw."""
    agent = IceAgent()
    session = agent.add(1)
    data = check(session)[:-8] + bytes.fromhex("00250000")
    data = data[:2] + (len(data) + 8 - 20).to_bytes(2, "big") + data[4:]
    crc = zlib.crc32(data) ^ 0x5354554E
    checked = agent.receive(data + bytes.fromhex("80280004") + crc.to_bytes(4, "big"), SOURCE)
    assert checked is not None
    assert not checked.moves


def test_a_role_conflict_is_answered_487_and_moves_nothing() -> None:
    agent = IceAgent()
    checked = agent.receive(check(agent.add(1), attributes=((ice.ICE_CONTROLLED, bytes(8)),)), SOURCE)
    assert checked is not None
    assert not checked.accepted
    answer = ice.parse(checked.answer)
    assert answer.kind == ice.BINDING_ERROR
    assert answer.attributes[ice.ERROR_CODE][2:4] == bytes([4, 87])


def test_a_removed_session_is_a_stranger() -> None:
    agent = IceAgent()
    session = agent.add(1)
    data = check(session)
    agent.remove(session)
    assert agent.receive(data, SOURCE) is None


NOMINATES = ((ice.USE_CANDIDATE, b""),)


def test_restart_keeps_the_old_credentials_until_a_pair_under_the_new_ones_is_nominated() -> None:
    agent = IceAgent()
    session = agent.add(1)
    old = check(session, attributes=NOMINATES)
    agent.restart(session)
    for _ in range(2):
        assert agent.receive(check(session), SOURCE) is not None
        still = agent.receive(old, SOURCE)
        assert still is not None
        assert still.moves
    assert agent.receive(check(session, attributes=NOMINATES), SOURCE) is not None
    assert agent.receive(old, SOURCE) is None
    assert agent.receive(check(session), SOURCE) is not None


def test_the_first_check_after_a_restart_moves_and_the_next_waits_to_be_nominated() -> None:
    """Chromium nominates a pair of a new address up to four seconds later."""
    agent = IceAgent()
    session = agent.add(1)
    for _ in range(2):
        agent.restart(session)
        moves = [checked.moves for _ in range(3) if (checked := agent.receive(check(session), SOURCE))]
        assert moves == [True, False, False]


def test_two_restarts_leave_nothing_behind() -> None:
    agent = IceAgent()
    session = agent.add(1)
    first = check(session)
    agent.restart(session)
    agent.restart(session)
    assert agent.receive(first, SOURCE) is None
    agent.remove(session)
    assert agent.receive(check(session), SOURCE) is None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "short": lambda data: data[:19],
    "cut": lambda data: data[:-4],
    "long": lambda data: data + b"\x00",
    "no cookie": lambda data: data[:4] + b"\x00" + data[5:],
    "not stun": lambda data: b"\x80" + data[1:],
    "fingerprint": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "no fingerprint": lambda data: data[:2] + (len(data) - 28).to_bytes(2, "big") + data[4:-8],
    "attribute too long": lambda data: data[:22] + b"\xff\xff" + data[24:],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_broken_messages_are_parse_errors(name: str) -> None:
    data = check(IceAgent().add(1))
    with pytest.raises(ParseError):
        ice.parse(DAMAGES[name](data))
