"""Log entries: what a script wrote, byte for byte, and what it says. Pure.

An entry's bytes are made once, by the prelude, and are never encoded again: the seal's hash is over them.
Reading gives `Entry`, which keeps those bytes in `raw`.
"""

from typing import Any, Final, Literal

import msgspec

PUBLIC: Final = "public"
STAFF: Final = "staff"
_SUBJECT: Final = "subject:"
_SEQ_MAX: Final = 2**53 - 1


class EntryError(ValueError):
    """These bytes are not a log entry."""


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One entry. `ts` is when the store took it, `at_ms` the frame that it applies at (both server ms).

    `prev_public` is the seq of the public entry before this one; for an entry that is not public, the newest
    public one. `actor` is a pid, or empty when the server itself acted.
    """

    seq: int
    prev_public: int
    audience: str
    ts: int
    at_ms: int
    kind: str
    actor: str
    body: dict[str, Any]
    raw: bytes = b""

    @property
    def is_public(self) -> bool:
        """Part of the chain that every viewer gets."""
        return self.audience == PUBLIC

    @property
    def is_staff(self) -> bool:
        """For those who may read what staff reads."""
        return self.audience == STAFF

    @property
    def subject(self) -> str | None:
        """The one pid that the entry is for, or None."""
        return self.audience[len(_SUBJECT) :] if self.audience.startswith(_SUBJECT) else None


_decoder = msgspec.json.Decoder(Entry)


def decode(raw: bytes) -> Entry:
    """The entry that `raw` says. Raises EntryError for anything that the prelude could not have written."""
    try:
        entry = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EntryError(f"not a log entry: {error}") from None
    if entry.raw or not 1 <= entry.seq <= _SEQ_MAX or not 0 <= entry.prev_public < entry.seq:
        raise EntryError("not a log entry: its seq is impossible")
    if not (entry.is_public or entry.is_staff or entry.subject):
        raise EntryError(f"not a log entry: audience {entry.audience!r}")
    entry.raw = raw
    return entry


def check_chain(entries: list[Entry], after_seq: int, public_before: int) -> Literal["ok"] | int:
    """`ok`, or the first seq that does not follow: seqs are contiguous and `prev_public` is true."""
    seq, public = after_seq, public_before
    for entry in entries:
        if entry.seq != seq + 1 or entry.prev_public != public:
            return entry.seq
        seq = entry.seq
        if entry.is_public:
            public = entry.seq
    return "ok"
