"""Verifying one entry out of a sealed log: that it stood there, not what the rules say of it. Pure."""

from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.log import entries, seals
from server.log.entries import Entry, EntryError
from server.log.seals import Excerpt, Seal, SealError
from server.verify import rules
from server.verify.chain import Broken

_HASH_DIGITS = 64


@dataclass(frozen=True)
class Attested:
    """The entry stood in the log when the seal was made."""

    entry: Entry
    seal: Seal
    keyed: bool


def verify_excerpt(raw: bytes, key: Ed25519PublicKey | None) -> Attested | Broken:
    """Judge an excerpt (the JSON that the server answers). Without `key` the seal's own is used."""
    try:
        said = msgspec.json.decode(raw, type=Excerpt)
        entry = entries.decode(said.entry.encode())
    except (msgspec.DecodeError, UnicodeDecodeError, EntryError) as error:
        return Broken(0, rules.LINES, str(error))
    if said.seal is None or said.before is None:
        return Broken(entry.seq, rules.SEALED, "no seal covers this entry yet: ask again in a second")
    try:
        seal = seals.decode(said.seal.encode())
        signer = key or seals.decode_key(seal.key)
        before = bytes.fromhex(said.before)
    except (SealError, ValueError) as error:
        return Broken(entry.seq, rules.LINES, str(error))
    if not seals.is_signed_by(seal, signer):
        return Broken(entry.seq, rules.SIGNATURES, "the seal is not signed with this key")
    from_the_end = (seal.seq - entry.seq + 1) * seals.STEP_DIGITS
    at = len(seal.steps) - from_the_end
    if seal.seq < entry.seq or at < 0 or len(said.before) != _HASH_DIGITS:
        return Broken(entry.seq, rules.PLACE, f"the seal of entry {seal.seq} does not cover it")
    if seal.steps[at : at + seals.STEP_DIGITS] != seals.steps([seals.link(before, entry.raw)]):
        return Broken(entry.seq, rules.CHAIN, "this entry is not what was sealed")
    return Attested(entry, seal, key is not None)
