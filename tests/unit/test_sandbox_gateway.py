"""The test gateway keeps its word: one key, one outcome, whoever asks and however often."""

import pytest

from server.commerce.payments.gateway import Authorised, Charge, Declined, GatewayUnknown, Pending
from server.commerce.payments.sandbox import SLOW_MS, SandboxGateway


class Memory:
    """Records of two gateways at once."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def put(self, key: str, record: bytes) -> None:
        self.kept[key] = record

    async def put_first(self, key: str, record: bytes) -> bool:
        return self.kept.setdefault(key, record) is record


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def charge(token: str, amount_minor: int = 500) -> Charge:
    return Charge("o_1:1", token, amount_minor, "EUR", "show")


async def test_documented_tokens() -> None:
    assert await SandboxGateway(Memory()).authorise(charge("tok_ok")) == Authorised("test_o_1:1")
    assert await SandboxGateway(Memory()).authorise(charge("tok_declined")) == Declined("card declined")
    assert await SandboxGateway(Memory()).authorise(charge("anything")) == Declined("unknown token")
    with pytest.raises(GatewayUnknown):
        await SandboxGateway(Memory()).authorise(charge("tok_error"))


async def test_no_answer_turns_out_to_be_a_refusal() -> None:
    memory = Memory()
    with pytest.raises(GatewayUnknown):
        await SandboxGateway(memory).authorise(charge("tok_error"))
    assert await SandboxGateway(memory).conclude("o_1:1") == Declined("the bank gave no answer")


async def test_another_process_sees_a_slow_attempt_end() -> None:
    memory, clock = Memory(), Clock()
    first = SandboxGateway(memory, clock)
    waiting = first.authorise(charge("tok_slow"))
    waiting.send(None)  # runs until it sleeps
    other = SandboxGateway(memory, clock)
    assert await other.conclude("o_1:1") == Pending()
    clock.now_ms += SLOW_MS
    assert await other.conclude("o_1:1") == Authorised("test_o_1:1")
    waiting.close()


async def test_an_attempt_that_never_arrived_is_closed() -> None:
    gateway = SandboxGateway(Memory())
    assert await gateway.conclude("o_1:1") == Declined("never arrived")
    assert await gateway.authorise(charge("tok_ok")) == Declined("never arrived")


async def test_one_key_one_outcome() -> None:
    gateway = SandboxGateway(Memory())
    assert await gateway.authorise(charge("tok_ok")) == await gateway.authorise(charge("tok_declined"))
    with pytest.raises(ValueError, match="another amount"):
        await gateway.authorise(charge("tok_ok", 501))


async def test_what_was_reserved_is_taken_once_or_let_go() -> None:
    memory = Memory()
    gateway = SandboxGateway(memory)
    await gateway.authorise(charge("tok_ok"))
    assert await gateway.capture("o_1:1")
    taken = dict(memory.kept)
    assert await gateway.capture("o_1:1")
    assert memory.kept == taken
    await gateway.void("o_1:1")  # taken in spite of all: it goes back
    assert await gateway.conclude("o_1:1") == Authorised("test_o_1:1")
    other = SandboxGateway(Memory())
    await other.authorise(charge("tok_ok"))
    await other.void("o_1:1")
    assert not await other.capture("o_1:1")
    assert await other.conclude("o_1:1") == Declined("voided")


async def test_who_waits_too_long_is_given_up() -> None:
    memory, clock = Memory(), Clock()
    gateway = SandboxGateway(memory, clock)
    waiting = gateway.authorise(charge("tok_slow"))
    waiting.send(None)
    assert await gateway.conclude("o_1:1", give_up=True) == Declined("never arrived")
    clock.now_ms += SLOW_MS
    assert await gateway.conclude("o_1:1") == Declined("never arrived")
    waiting.close()


async def test_only_what_was_taken_goes_back() -> None:
    memory = Memory()
    gateway = SandboxGateway(memory)
    with pytest.raises(ValueError, match="nothing was charged"):
        await gateway.refund("o_1:1", "r1", 500)
    await gateway.authorise(charge("tok_ok"))
    with pytest.raises(GatewayUnknown):
        await gateway.refund("o_1:1", "r1", 200)  # a part of what is only reserved
    await gateway.capture("o_1:1")
    await gateway.refund("o_1:1", "r1", 200)
    once = dict(memory.kept)
    await gateway.refund("o_1:1", "r1", 200)
    assert memory.kept == once
    with pytest.raises(ValueError, match="more than was taken"):
        await gateway.refund("o_1:1", "r2", 301)
    assert memory.kept == once
