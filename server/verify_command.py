"""What `vendue verify` does around the pure core: reads the file and the key, prints the verdict.

Needs no settings, no store and no network: the file and the public key are all there is to it.
"""

import contextlib
import itertools
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from server.log.checkpoints import Checkpoint
from server.log.seals import EXCERPT_START, Seal, SealError, decode_key
from server.verify.chain import Broken, Sound, verify
from server.verify.excerpt import Attested, verify_excerpt

HOLDS: Final = 0
BROKEN: Final = 1
UNUSABLE: Final = 2
UNVERIFIED: Final = 3


def verify_file(name: str, key: str | None) -> int:
    """Verify the export in file `name` ("-": standard input) and print the verdict. Returns the exit code."""
    try:
        public = None if key is None else read_key(key)
        with contextlib.ExitStack() as stack:
            lines = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            first = lines.readline()
            if first.startswith(EXCERPT_START):
                return _print_excerpt(verify_excerpt((first + lines.read()).strip(), public))
            verdict = verify(itertools.chain([first] if first else [], lines), public)
    except (OSError, SealError) as error:
        print(f"vendue: {error}", file=sys.stderr)
        return UNUSABLE
    return _print(verdict)


def read_key(given: str) -> Ed25519PublicKey:
    """The public key in a PEM file, or given itself as PEM or base64. Raises SealError, OSError."""
    is_pem = given.lstrip().startswith("-----BEGIN")
    if not is_pem and not Path(given).is_file():
        return decode_key(given)
    try:
        key = load_pem_public_key(given.encode() if is_pem else Path(given).read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SealError("--key is not an Ed25519 public key in PEM")
    return key


def _print_excerpt(verdict: Attested | Broken) -> int:
    match verdict:
        case Broken():
            print(f"vendue: {verdict}", file=sys.stderr)
            return BROKEN
        case Attested(entry=entry, seal=seal):
            print(f"{seal.show}: entry {entry.seq} ({entry.kind}) stands in the sealed log")
            return HOLDS if verdict.keyed else _unverified(seal)


def _unverified(seal: Seal | Checkpoint) -> int:
    print(f"key unverified: signed with {seal.key}, which only --key can confirm")
    return UNVERIFIED


def _print(verdict: Sound | Broken) -> int:
    match verdict:
        case Broken():
            print(f"vendue: {verdict}", file=sys.stderr)
            return BROKEN
        case Sound(newest=newest):
            at = datetime.fromtimestamp(newest.ts / 1000, UTC).isoformat(timespec="milliseconds")
            first = verdict.begins.seq + 1 if verdict.begins else 1
            print(
                f"{newest.show}: {newest.seq - first + 1} entries, {verdict.seals} seals, every rule holds\n"
                f"sealed up to entry {newest.seq} at {at}, hash {newest.hash}"
            )
            if verdict.begins:
                print(f"what came before entry {first} is not in this file: its state is taken as signed")
            if verdict.strangers:
                print(f"{verdict.strangers} entries are of kinds that this version has no rules for")
            return HOLDS if verdict.keyed else _unverified(newest)
