"""Verifying an exported log, line by line: first that it is what was sealed, then that the rules hold. Pure.

Entries wait until the seal that covers them has been checked, so that a changed byte is reported where it is
and not where its consequences show. A file may also begin at a checkpoint: with the state there, whose digest
the checkpoint signs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.log import checkpoints, seals
from server.log import entries as log
from server.log.checkpoints import Checkpoint
from server.log.entries import Entry, EntryError
from server.log.seals import Seal, SealError
from server.verify import bodies, rules, state
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import Rule
from server.verify.state import StateError

WAITING_MAX = 100_000
"""Entries without a seal before one gives up: the server seals a few hundred at most at once."""


@dataclass(frozen=True)
class Broken:
    """The first thing that is wrong: the seq where, the rule, and what."""

    seq: int
    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"seq {self.seq}: rule {self.rule.number} ({self.rule.title}): {self.what}"


@dataclass(frozen=True)
class Sound:
    """Every rule holds, up to the newest seal. `strangers` counts entries of kinds that no rule knows.

    `begins` is the checkpoint that the file begins at, None: at the log's beginning. `replay` is the state.
    """

    newest: Seal | Checkpoint
    seals: int
    strangers: int
    keyed: bool
    begins: Checkpoint | None
    replay: Replay


def verify(
    lines: Iterable[bytes], key: Ed25519PublicKey | None, asked: tuple[Rule, ...] = rules.RULES
) -> Sound | Broken:
    """Judge the lines of an export (each with its newline). Without `key` the first seal's own is used."""
    reading = _Reading(key, asked)
    try:
        for line in lines:
            reading.take(line)
        return reading.end(keyed=key is not None)
    except _Stop as stop:
        return stop.broken


class _Stop(Exception):
    """Ends the reading wherever something wrong is found."""

    def __init__(self, seq: int, rule: Rule, what: str) -> None:
        super().__init__(seq)
        self.broken = Broken(seq, rule, what)


@dataclass
class _Reading:
    key: Ed25519PublicKey | None
    asked: tuple[Rule, ...]
    replay: Replay = field(default_factory=Replay)
    waiting: list[Entry] = field(default_factory=list[Entry])
    newest: Seal | Checkpoint | None = None
    begins: Checkpoint | None = None
    stated: bool = False  # the file has begun with a state, and its checkpoint is to follow
    seals: int = 0
    strangers: int = 0

    @property
    def seq(self) -> int:
        """Of the newest entry read."""
        return self.waiting[-1].seq if self.waiting else self.replay.seq

    def take(self, line: bytes) -> None:
        is_seal = line.startswith(seals.LINE_START) or (b'"signature":"' in line and b'"body":' not in line)
        at = max(1, self.seq) if is_seal else self.seq + 1
        if not line.endswith(b"\n"):
            raise _Stop(at, rules.LINES, "the file ends in the middle of a line")
        try:
            if line.startswith(checkpoints.STATE_START):
                self._take_state(line[:-1])
            elif line.startswith(checkpoints.CHECKPOINT_START):
                self._take_checkpoint(checkpoints.decode(line[:-1]), at)
            elif is_seal:
                self._take_seal(seals.decode(line[:-1]), at)
            else:
                self._take_entry(log.decode(line[:-1]), at)
        except (EntryError, SealError, StateError) as error:
            raise _Stop(at, rules.LINES, str(error)) from None

    def _take_state(self, raw: bytes) -> None:
        if self.newest is not None or self.waiting or self.stated:
            raise _Stop(max(1, self.seq), rules.LINES, "a state stands at the beginning of a file only")
        self.replay, self.stated = state.decode(raw), True

    def _take_checkpoint(self, checkpoint: Checkpoint, at: int) -> None:
        """Right after a seal, or after the state that the file begins with."""
        if self.waiting or checkpoint.seq != self.replay.seq or not (self.newest or self.stated):
            raise _Stop(at, rules.CHECKPOINTS, f"it is of entry {checkpoint.seq} and stands after {self.seq}")
        key = self.key = self.key or seals.decode_key(checkpoint.key)
        if not checkpoints.is_signed_by(checkpoint, key):
            raise _Stop(at, rules.CHECKPOINTS, "it is not signed with the key")
        before, after = self.newest, checkpoint
        if before and (before.show, before.epoch, before.ts, before.hash) != (
            after.show,
            after.epoch,
            after.ts,
            after.hash,
        ):
            raise _Stop(at, rules.CHECKPOINTS, "it is not of the seal before it")
        if checkpoint.state != state.digest(self.replay):
            raise _Stop(at, rules.CHECKPOINTS, "its state is not what the entries lead to")
        if self.stated and before is None:
            self.begins = checkpoint
        self.newest, self.stated = checkpoint, False

    def _take_entry(self, entry: Entry, at: int) -> None:
        if self.stated:
            raise _Stop(
                at, rules.CHECKPOINTS, "no checkpoint vouches for the state that the file begins with"
            )
        if entry.seq != at:
            raise _Stop(at, rules.CONTIGUOUS, f"entry {entry.seq} stands where {at} belongs")
        self.waiting.append(entry)
        if len(self.waiting) > WAITING_MAX:
            raise _Stop(self.waiting[0].seq, rules.SEALED, f"{WAITING_MAX} entries without a seal")

    def _take_seal(self, seal: Seal, at: int) -> None:
        if not self.waiting or seal.seq != at:
            raise _Stop(at, rules.PLACE, f"the seal of entry {seal.seq} stands after entry {self.seq}")
        self._check_signature(seal)  # first: what a seal says of its entries is worth something only then
        show, start = self._start()
        if seal.show != show:
            raise _Stop(at, rules.PLACE, f"it is a seal of show {seal.show!r}, this is {show!r}")
        self._check_chain(seal, start)
        epoch = seals.epoch_after(
            self.newest.epoch if self.newest else "", (entry.raw for entry in self.waiting)
        )
        if seal.epoch != epoch:
            raise _Stop(at, rules.PLACE, f"it is of epoch {seal.epoch!r}, the log is in {epoch!r}")
        for entry in self.waiting:
            self._judge(entry)
            if entry.ts > seal.ts and rules.rules_show.time_goes_on in self.asked:
                raise _Stop(entry.seq, rules.rules_show.time_goes_on, f"ts {entry.ts} is after its seal's")
        self.waiting, self.newest = [], seal
        self.seals += 1

    def _start(self) -> tuple[str, bytes]:
        """The show, and the hash before the first entry that waits."""
        if self.newest is not None:
            return self.newest.show, bytes.fromhex(self.newest.hash)
        show = self.waiting[0].body.get("id")
        if not isinstance(show, str):
            raise _Stop(1, rules.rules_show.begins_with_the_show, "the first entry names no show")
        return show, seals.genesis(show)

    def _check_chain(self, seal: Seal, chained: bytes) -> None:
        if len(seal.steps) != seals.STEP_DIGITS * len(self.waiting):
            raise _Stop(seal.seq, rules.CHAIN, f"the seal has not one step for each of {len(self.waiting)}")
        for index, entry in enumerate(self.waiting):
            chained = seals.link(chained, entry.raw)
            at = index * seals.STEP_DIGITS
            if seal.steps[at : at + seals.STEP_DIGITS] != seals.steps([chained]):
                raise _Stop(entry.seq, rules.CHAIN, "this entry is not what was sealed")
        if chained.hex() != seal.hash:
            raise _Stop(seal.seq, rules.CHAIN, "the seal's hash is not that of the entries")

    def _check_signature(self, seal: Seal) -> None:
        key = self.key = self.key or seals.decode_key(seal.key)
        if not seals.is_signed_by(seal, key):
            other = seal.key != seals.encode_key(key)
            what = "it names another key" if other else "the signature is wrong"
            raise _Stop(seal.seq, rules.SIGNATURES, what)

    def _judge(self, entry: Entry) -> None:
        try:
            body = bodies.read(entry)
        except msgspec.ValidationError as error:
            raise _Stop(entry.seq, rules.SHAPE, str(error)) from None
        self.strangers += not bodies.is_known(entry.kind)
        step = Step(entry, body, self.replay.sale_ms(entry.ts))
        for rule in self.asked:
            if rule.check and (what := rule.check(step, self.replay)):
                raise _Stop(entry.seq, rule, what)
        self.replay.apply(step)

    def end(self, *, keyed: bool) -> Sound:
        """What is left to say at the end of the file."""
        if self.waiting or self.newest is None:
            raise _Stop(self.replay.seq + 1, rules.SEALED, "no seal covers this entry")
        return Sound(self.newest, self.seals, self.strangers, keyed, self.begins, self.replay)
