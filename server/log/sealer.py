"""The sealer: once a second it signs what has come to each show's log since the last seal (see seals.py).

Any number of sealers may run, one in each web worker: a seal is kept by compare-and-set, and a show whose
newest seal is young is left alone. A show is sealed with one key: a sealer that has another one keeps away
and says so. Nothing waits for seals; an entry that came a moment ago has none yet.
"""

import asyncio
import hashlib
import itertools
import time
from collections.abc import Sequence
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.log import reader, seals
from server.log.entries import EntryError
from server.log.seals import Seal, SealError
from server.store.outcome import Refused, StoreError
from server.store.resp import Reply
from server.store.store import Store
from server.telemetry import FloodLog, counter, get_logger

INTERVAL_S: Final = 1.0
YOUNG_MS: Final = 900  # another sealer has just been here
AT_ONCE: Final = 16  # shows sealed side by side: the store is for buyers first
QUIET_ROUNDS: Final = 60  # shows with nothing new are looked at once a minute when they are over
BATCH: Final = seals.COVERED_MAX
SEALS_MAX: Final = 1000  # in one answer
_SEALED: Final = counter("entries_sealed", "Log entries that this process has sealed")


class Sealer:
    """See the module. Run `run()` as a task; the owner cancels it."""

    def __init__(self, store: Store, key: Ed25519PrivateKey) -> None:
        self._store, self._key = store, key
        self._public = seals.encode_key(key.public_key())
        self._over: set[str] = set()
        self._flood = FloodLog(get_logger(__name__))

    async def run(self) -> None:
        """Seal for ever; a store that does not answer is tried again the next time."""
        rounds = 0
        while True:
            try:
                await self.seal_all(also_over=rounds % QUIET_ROUNDS == 0)
            except StoreError as error:
                self._flood.warning("seal_failed", time.monotonic(), error=type(error).__name__)
            rounds += 1
            await asyncio.sleep(INTERVAL_S)

    async def seal_all(self, *, also_over: bool = True) -> None:
        """One round over the directory; shows that are over and sealed only with `also_over`."""
        directory = cast("Sequence[bytes]", await self._store.reads.call("ZRANGE", "ls:shows", 0, -1))
        shows = [show for raw in directory if (show := raw.decode()) not in self._over or also_over]
        for first in range(0, len(shows), AT_ONCE):
            await asyncio.gather(*(self._seal_one(show) for show in shows[first : first + AT_ONCE]))

    async def _seal_one(self, show: str) -> None:
        try:
            await self.seal(show, young_ms=YOUNG_MS)
        except (SealError, EntryError) as error:  # one damaged log keeps no other show from its seal
            self._flood.warning("log_damaged", time.monotonic(), show=show, error=str(error))

    async def seal(self, show: str, *, young_ms: int = 0) -> bool:
        """Seal the show up to its head; leave it when its newest seal is younger than `young_ms`.

        True when everything that the log held at the call is sealed now, by whomever.
        """
        reply = await self._store.read_scripts.run("sealing", show, "", "")
        if isinstance(reply, Refused):
            return False
        _, ts, head, newest, state = cast("tuple[bytes, int, int, bytes, bytes]", tuple(reply))
        last = seals.decode(newest) if newest else Seal(show, "", 0, 0, seals.genesis(show).hex())
        is_over = last.seq >= head and state == b"ended"
        (self._over.add if is_over else self._over.discard)(show)
        if last.seq >= head or ts - last.ts < young_ms:
            return last.seq >= head
        if last.seq and last.key != self._public:
            self._flood.warning("sealed_with_another_key", time.monotonic(), show=show)
            return False
        while last.seq < head:
            rows = await self._read(show, last.seq, min(BATCH, head - last.seq))
            if (seal := await self._seal_after(show, last, rows, ts)) is None:
                return False
            last = seal
        return True

    async def _read(self, show: str, after_seq: int, limit: int) -> list[tuple[int, bytes]]:
        """Entries as (seq, bytes): the sealer looks at none of them from inside."""
        key = f"ls:{{{show}}}:log"
        return _rows(await self._store.reads.call("XRANGE", key, f"({after_seq}-0", "+", "COUNT", limit))

    async def _seal_after(
        self, show: str, last: Seal, rows: Sequence[tuple[int, bytes]], ts: int
    ) -> Seal | None:
        """One more seal, over the entries after `last`; None when somebody else was first."""
        if not rows or [seq for seq, _ in rows] != list(range(last.seq + 1, last.seq + 1 + len(rows))):
            self._flood.warning("log_not_contiguous", time.monotonic(), show=show)
            return None
        raws = [raw for _, raw in rows]
        hashes = list(itertools.accumulate(raws, seals.link, initial=bytes.fromhex(last.hash)))
        epoch = seals.epoch_after(last.epoch, raws)
        unsigned = Seal(show, epoch, rows[-1][0], ts, hashes[-1].hex(), seals.steps(hashes[1:]))
        seal = seals.sign(unsigned, self._key)
        print_of_entry = hashlib.sha1(raws[-1], usedforsecurity=False).hexdigest()
        what = (last.seq, seal.seq, print_of_entry, seals.encode(seal))
        kept = await self._store.scripts.run("seal", show, "", "", *what)
        if isinstance(kept, Refused) or kept[1] != 1:
            return None
        _SEALED.inc(len(rows))
        return seal


async def read_seals(
    store: Store, show: str, after_seq: int, limit: int = SEALS_MAX
) -> list[tuple[int, bytes]]:
    """(seq covered, the seal's bytes) of seals that cover more than `after_seq`, oldest first."""
    key = f"ls:{{{show}}}:seals"
    return _rows(await store.reads.call("XRANGE", key, f"({after_seq}-0", "+", "COUNT", limit))


async def newest_seal(store: Store, show: str, up_to_seq: int | None = None) -> Seal | None:
    """The newest seal, or the newest that covers no more than `up_to_seq`; None: there is none."""
    start = "+" if up_to_seq is None else f"{up_to_seq}-0"
    rows = _rows(await store.reads.call("XREVRANGE", f"ls:{{{show}}}:seals", start, "-", "COUNT", 1))
    return seals.decode(rows[0][1]) if rows else None


async def newest_seal_seq(store: Store, show: str) -> int:
    """Up to which entry the log is sealed; 0: it is not."""
    newest = await newest_seal(store, show)
    return newest.seq if newest else 0


def _rows(reply: Reply) -> list[tuple[int, bytes]]:
    """A reply to XRANGE as (seq, the one field's bytes)."""
    ids = [cast("bytes", row[0]) for row in cast("list[list[object]]", reply)]
    return [(int(at.partition(b"-")[0]), raw) for at, raw in zip(ids, reader.raw_rows(reply), strict=True)]
