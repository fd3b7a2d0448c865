"""Checkpoints: the state that a log leads to, signed; and logs that begin at one."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support import store as stores
from support.proof import KEY, Story, encoded, sealed

from server.log import checkpoints, seals
from server.log.checkpoints import Checkpoint
from server.verify import rules, state
from server.verify.chain import Broken, Sound, verify
from server.verify.replay import Replay

PUBLIC = KEY.public_key()
EVERY = 1


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A log in which everything happens, with a seal after every entry."""

    async def tell() -> list[bytes]:
        async with stores.embedded(tmp_path_factory.mktemp("store")) as (_, url), stores.opened(url) as store:
            return sealed(encoded(await Story(store).tell()), every=EVERY)

    return asyncio.run(tell())


def seal_places(lines: list[bytes]) -> list[int]:
    """After which lines a seal has just come."""
    return [i + 1 for i, line in enumerate(lines) if line.startswith(seals.LINE_START)]


def kind(line: bytes) -> str:
    return msgspec.json.decode(line, type=dict[str, Any])["kind"]


def sound(given: list[bytes]) -> Sound:
    verdict = verify(given, PUBLIC)
    assert isinstance(verdict, Sound), verdict
    return verdict


def checkpoint_line(first: list[bytes], replay: Replay, **changes: Any) -> bytes:
    made = checkpoints.at(seals.decode(first[-1][:-1]), state.digest(replay), KEY)
    if changes:
        made = resigned(msgspec.structs.replace(made, **changes))
    return checkpoints.encode(made) + b"\n"


def resigned(changed: Checkpoint) -> Checkpoint:
    """As the server would have signed it."""
    seal = seals.Seal(changed.show, changed.epoch, changed.seq, changed.ts, changed.hash)
    return checkpoints.at(seal, changed.state, KEY)


def test_a_replay_can_begin_at_every_seal(lines: list[bytes]) -> None:
    """With the state of there it ends as one that began with the log, to the last byte of its state. Shown at
    a seal before each kind of entry, and at the last.
    """
    whole = state.digest(sound(lines).replay)
    places = seal_places(lines)
    assert len(places) > 60
    before = {kind(lines[place]): place for place in places[:-1]}
    assert len(before) > 30
    for place in (*before.values(), places[-1]):
        replay = sound(lines[:place]).replay
        line = state.encode(replay) + b"\n"
        mark = checkpoint_line(lines[:place], replay)
        part = sound([line, mark, *lines[place:]])
        assert part.begins is not None
        assert part.begins.seq == replay.seq
        assert state.digest(part.replay) == whole
        joined = sound([*lines[:place], mark, *lines[place:]])
        assert (joined.begins, state.digest(joined.replay)) == (None, whole)


def test_a_digest_looks_at_every_part_of_the_state(lines: list[bytes]) -> None:
    replay = sound(lines).replay
    whole = msgspec.json.decode(state.encode(replay), type=dict[str, Any])
    told = whole["state"]
    assert set(told) == set(Replay.__dataclass_fields__)
    kept = {name for name in told if told[name]}
    assert kept >= {"show", "life", "epoch", "products", "flashes", "orders", "lots", "bought", "flash_used"}
    for name in kept:
        others = {member: value for member, value in told.items() if member != name}
        line = msgspec.json.encode({**whole, "state": others})
        assert state.digest(state.decode(line)) != state.digest(replay), name


def test_what_is_empty_does_not_change_a_digest() -> None:
    """So a version with new parts says the same of an old log; counts that came back to 0 are no counts."""
    replay, other = Replay(), Replay()
    other.bought["mug", "p_x"] += 2
    assert state.digest(other) != state.digest(replay)
    other.bought["mug", "p_x"] -= 2
    assert state.digest(other) == state.digest(replay)
    assert state.digest(state.decode(state.encode(other))) == state.digest(replay)


def mark_ts(line: bytes) -> int:
    return checkpoints.decode(line[:-1]).ts


def wrong_state(_: Checkpoint) -> dict[str, Any]:
    return {"state": "0" * 64}


CHANGES: list[Callable[[Checkpoint], dict[str, Any]]] = [
    wrong_state,
    lambda made: {"seq": made.seq - 1},
    lambda made: {"seq": made.seq + 1},
    lambda made: {"ts": made.ts + 1},
    lambda _: {"epoch": "e_other"},
    lambda _: {"show": "other"},
    lambda _: {"hash": "0" * 64},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_says_something_else_is_found(
    lines: list[bytes], change: Callable[[Checkpoint], dict[str, Any]]
) -> None:
    """Though it is signed with the right key."""
    place = seal_places(lines)[40]
    replay = sound(lines[:place]).replay
    right = checkpoints.decode(checkpoint_line(lines[:place], replay)[:-1])
    mark = checkpoint_line(lines[:place], replay, **change(right))
    verdict = verify([*lines[:place], mark, *lines[place:]], PUBLIC)
    assert isinstance(verdict, Broken)
    assert (verdict.rule, verdict.seq) == (rules.CHECKPOINTS, replay.seq)
    first = verify([state.encode(replay) + b"\n", mark, *lines[place:]], PUBLIC)
    assert isinstance(first, Broken) or mark_ts(mark) != right.ts  # the time is known from the seal alone


def test_nobody_else_can_make_a_checkpoint(lines: list[bytes]) -> None:
    place = seal_places(lines)[40]
    replay = sound(lines[:place]).replay
    seal = seals.decode(lines[place - 1][:-1])
    mark = checkpoints.encode(checkpoints.at(seal, state.digest(replay), Ed25519PrivateKey.generate()))
    for given in ([*lines[:place], mark + b"\n"], [state.encode(replay) + b"\n", mark + b"\n"]):
        verdict = verify(given, PUBLIC)
        assert isinstance(verdict, Broken)
        assert verdict.rule is rules.CHECKPOINTS


def test_a_state_needs_its_checkpoint_and_its_place(lines: list[bytes]) -> None:
    place = seal_places(lines)[40]
    replay = sound(lines[:place]).replay
    told, mark = state.encode(replay) + b"\n", checkpoint_line(lines[:place], replay)
    wrong = {
        "no checkpoint": ([told, *lines[place:]], rules.CHECKPOINTS),
        "only a state": ([told], rules.SEALED),
        "two states": ([told, told, mark, *lines[place:]], rules.LINES),
        "a state later": ([*lines[:place], told, mark, *lines[place:]], rules.LINES),
        "a checkpoint first": ([mark, *lines[place:]], rules.CHECKPOINTS),
        "a checkpoint between": ([*lines[: place + 1], mark, *lines[place + 1 :]], rules.CHECKPOINTS),
        "entries missing": ([told, mark, *lines[place + 2 :]], rules.CONTIGUOUS),
        "no state": ([b'{"kind":"state","seq":1,"state":{"seq":"x"}}\n', mark], rules.LINES),
    }
    for what, (given, rule) in wrong.items():
        verdict = verify(given, PUBLIC)
        assert isinstance(verdict, Broken), what
        assert verdict.rule is rule, (what, verdict)


def test_a_flipped_byte_in_a_segment_is_found(lines: list[bytes]) -> None:
    place = seal_places(lines)[40]
    replay = sound(lines[:place]).replay
    end = seal_places(lines)[48]
    last = sound(lines[:end]).replay
    segment = [
        state.encode(replay) + b"\n",
        checkpoint_line(lines[:place], replay),
        *lines[place:end],
        checkpoint_line(lines[:end], last),
    ]
    raw = b"".join(segment)
    sound(segment)
    for at in range(0, len(raw), 53):
        changed = bytearray(raw)
        changed[at] ^= 1
        verdict = verify(bytes(changed).splitlines(keepends=True), PUBLIC)
        assert isinstance(verdict, Broken), (at, raw[at - 20 : at + 20])


def test_a_state_has_one_encoding(lines: list[bytes]) -> None:
    """The last digit of its digests has bits that decoding does not look at."""
    raw = state.encode(sound(lines).replay)
    at = raw.index(b'=="')
    twin = raw[: at - 1] + bytes((raw[at - 1] + 1,)) + raw[at:]
    assert state.encode(state.decode(raw)) == raw
    with pytest.raises(state.StateError):
        state.decode(twin)
