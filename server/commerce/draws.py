"""The rules of a fair draw, in plain Python: a seed that is committed to, and the winners that follow.

The commitment is told before the first entry, the seed after the last one. The winners follow from the seed
and the set of entries alone: when an entry came changes nothing. Anyone can repeat the draw.
What that proves and what it does not: docs/decisions/0029. Pure.
"""

import hmac
from collections.abc import Collection
from hashlib import sha256
from typing import Final

SEED_BYTES: Final = 32
ENTRIES_MAX: Final = 100_000
"""Entries of one draw: ranking them takes about a third of a second."""
UNITS_MAX: Final = 200
"""Units of one draw: giving them away is one script, of about 100 µs each."""
DURATION_S: Final = (5, 3_600)
"""How long one may enter. What viewers see is at most some 300 ms old, so that 5 s are many times as long as
the slowest of them need: nobody is left out for the way that their video takes."""


def seed_of(secret: bytes, show: str, draw: str) -> bytes:
    """The seed of a draw: from the server's secret, so that it is stored nowhere before it is told."""
    return hmac.digest(secret, _framed("vendue-draw-seed-v1", show, draw), "sha256")


def commitment(draw: str, seed: bytes) -> str:
    """What is told of the seed before the first entry: SHA-256 of the draw's id and the seed, hex."""
    return sha256(_framed("vendue-draw-commitment-v1", draw) + _seed(seed)).hexdigest()


def is_revealed(draw: str, committed: str, seed: bytes) -> bool:
    """Whether this is the seed that was committed to for this draw."""
    return len(seed) == SEED_BYTES and hmac.compare_digest(commitment(draw, seed), committed)


def winners(draw: str, seed: bytes, entries: Collection[str], units: int) -> list[str]:
    """Who wins, the first first: the `units` entries of lowest rank, or all when there are fewer.

    A rank is the entry's HMAC-SHA-256 under a key made of the seed and all entries. Raises ValueError for an
    entry that is there twice, more than `ENTRIES_MAX` of them, less than one unit and a seed that is none.
    """
    ordered = sorted(entries)
    if len(set(ordered)) != len(ordered) or len(ordered) > ENTRIES_MAX or units < 1:
        raise ValueError("entries are different, at most ENTRIES_MAX, for one unit or more")
    key = hmac.digest(_seed(seed), _framed("vendue-draw-v1", draw, *ordered), "sha256")
    return sorted(ordered, key=lambda entry: hmac.digest(key, entry.encode(), "sha256"))[:units]


def called(draw: str, seed: bytes, entries: Collection[str], units: int) -> list[str]:
    """Whom the seed calls, the first first: enough for `units` even when some of them may not have one.

    Twice as many and 64 more. Whoever is called and is banned, or has all that they may have, is passed over.
    """
    return winners(draw, seed, entries, 2 * units + 64)


def _seed(seed: bytes) -> bytes:
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes")
    return seed


def _framed(*parts: str) -> bytes:
    """The parts, each after its length in bytes: no two lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
