"""A show's life: created, started, paused, resumed, ended; its members; the home of its video; the directory.

Every change is one script; what a method gives is what the script decided. `Refused` carries a code of the
contract; exceptions are the store's (StoreError).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal, cast

import msgspec

from server.ids import new_id
from server.live.roles import GRANTABLE, Role
from server.log.clock import CLOCK_KEY, DIRECTORY_KEY
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.resp import Arg, Reply
from server.store.store import Store
from server.store.wire import Wire
from server.telemetry import get_logger
from server.tokens import Principal

Change = Literal["start", "pause", "resume", "end"]

TRANSITIONS: Final[dict[Change, tuple[tuple[str, ...], str]]] = {
    "start": (("scheduled",), "live"),
    "pause": (("live",), "paused"),
    "resume": (("paused",), "live"),
    "end": (("live", "paused"), "ended"),
}
"""What each change needs and what it leads to. Anything else is `illegal_transition`."""

MEMBER_ROLES: Final = frozenset(role.value for role in GRANTABLE - {Role.ADMIN})
MEMBERS_MAX: Final = 1000
HOME_TTL_MS: Final = 3000
MADE_TTL_S: Final = 86_400  # as long as every repeat of a POST is known
DIRECTORY_MAX: Final = 200
_SCAN_COUNT: Final = 1000
_SUMMARY_FIELDS: Final[tuple[str, ...]] = (
    "title",
    "state",
    "owner",
    "currency",
    "starts_at_ms",
    "created_ms",
    "guests",
)

log = get_logger(__name__)


class NewShow(msgspec.Struct, frozen=True, kw_only=True):
    """What a show is made of. `id` empty: one is made up. `sellers` are pids."""

    title: str
    currency: str
    id: str = ""
    guests: Literal["watch", "chat", "buy"] = "chat"
    starts_at_ms: int | None = None
    test_mode: bool = False
    sellers: tuple[str, ...] = ()


class Created(msgspec.Struct, frozen=True):
    """The show exists now, or did already by the same idempotency key."""

    id: str


class Done(msgspec.Struct, frozen=True):
    """It is so now; `seq` is the entry's, or 0 when there was nothing to change."""

    seq: int


class Claimed(msgspec.Struct, frozen=True):
    """The media worker that has the show's home."""

    worker: str


class ShowSummary(msgspec.Struct, frozen=True):
    """A line of the directory."""

    id: str
    title: str
    state: str
    owner: str
    currency: str
    guests: str
    starts_at_ms: int | None
    created_ms: int


class Shows:
    """See the module. One per process."""

    def __init__(self, store: Store, pids: Pids | None = None) -> None:
        self._store = store
        self._pids = pids or Pids(store)

    async def create(
        self, principal: Principal, new: NewShow, *, idempotency_key: str = ""
    ) -> Created | Refused:
        """Make a show whose owner is `principal`. Refusals: forbidden, show_exists, idempotency_conflict."""
        show = new.id or _show_id(principal.pid, idempotency_key)
        claim = f"ls:made:{principal.pid}:{idempotency_key}" if idempotency_key else ""
        made = await self._claim(claim, show) if claim else show
        if made not in ("", show):
            return Refused("idempotency_conflict")
        request = msgspec.json.encode(new)
        offset_ms = cast("bytes | None", await self._store.reads.call("GET", CLOCK_KEY)) or 0
        outcome = await self._store.scripts.run(
            "create",
            show,
            principal.pid,
            principal.role_on(show),
            new.title,
            new.currency,
            new.guests,
            "" if new.starts_at_ms is None else new.starts_at_ms,
            new_id("e"),
            int(new.test_mode),
            ",".join(new.sellers),
            request,
            offset_ms,
            idempotency_key=idempotency_key,
        )
        if isinstance(outcome, Refused):
            if not made:  # the key has made nothing
                await self._store.writes.call("DEL", claim)
            return outcome
        created_ms = cast("int", outcome[2])
        await self._store.writes.call("ZADD", DIRECTORY_KEY, created_ms, show)
        return Created(show)

    async def _claim(self, claim: str, show: str) -> str:
        """What this idempotency key made or is about to make; '' when that is `show`, from now on.

        A show's own slot knows the repeats of its own creation alone, not a key that made another show.
        """
        made = await self._store.writes.call("SET", claim, show, "NX", "GET", "EX", MADE_TTL_S)
        return cast("bytes", made).decode() if made else ""

    async def change(
        self, show: str, principal: Principal, change: Change, *, idempotency_key: str = ""
    ) -> Done | Refused:
        """Start, pause, resume or end. Refusals: unknown_show, forbidden, illegal_transition."""
        needs, leads_to = TRANSITIONS[change]
        return await self._run(
            "life", show, principal, ",".join(needs), leads_to, idempotency_key=idempotency_key
        )

    async def set_member(
        self, show: str, principal: Principal, subject: str, roles: Sequence[str]
    ) -> Done | Refused:
        """Give `subject` (or pid) exactly these roles of MEMBER_ROLES on the show; in force for the next
        request.

        Refusals: unknown_show, forbidden, limit_reached (MEMBERS_MAX), bad_request (a role that cannot be
        given).
        """
        wrong = sorted(set(roles) - MEMBER_ROLES)
        if wrong:
            return Refused("bad_request", {"field": "roles", "unknown": wrong})
        pid = await self._pids.resolve(subject)
        return await self._run("member", show, principal, pid, ",".join(sorted(set(roles))), MEMBERS_MAX)

    async def remove_member(self, show: str, principal: Principal, subject: str) -> Done | Refused:
        """Take all of `subject`'s roles on the show away."""
        return await self.set_member(show, principal, subject, ())

    # The home of the video, and what media reports

    async def claim_home(self, show: str, principal: Principal, worker: str) -> Claimed | Refused:
        """May `principal` publish, and where? Refusals: unknown_show, forbidden, banned, show_closed."""
        outcome = await self._store.scripts.run(
            "claim_home", show, principal.pid, principal.role_on(show), worker, HOME_TTL_MS
        )
        return outcome if isinstance(outcome, Refused) else Claimed(_text(outcome[1]))

    async def renew_home(self, show: str, worker: str, publication: str) -> Claimed | Refused:
        """Keep (or take back, when it is free) the home for HOME_TTL_MS. Gives who has it."""
        outcome = await self._store.scripts.run("renew_home", show, "", "", worker, publication, HOME_TTL_MS)
        return outcome if isinstance(outcome, Refused) else Claimed(_text(outcome[1]))

    async def release_home(self, show: str, worker: str, publication: str) -> None:
        """The publication has ended for good."""
        await self._store.scripts.run("release_home", show, "", "", worker, publication)

    async def host_away(self, show: str, *, away: bool) -> Done | Refused:
        """The host's video stopped (for two seconds), or is back. Nothing is logged when that is known."""
        outcome = await self._store.scripts.run("host_away", show, "", "", int(away))
        return outcome if isinstance(outcome, Refused) else Done(cast("int", outcome[1]))

    async def is_blanked(self, show: str) -> bool:
        """Have moderators hidden the show's video?"""
        return await self._store.reads.call("HGET", f"ls:{{{show}}}:show", "video_blanked") == b"1"

    # The directory

    async def directory(self, limit: int = DIRECTORY_MAX) -> list[ShowSummary]:
        """The newest shows, newest first."""
        newest = cast("list[bytes]", await self._store.reads.call("ZREVRANGE", DIRECTORY_KEY, 0, limit - 1))
        ids = [show.decode() for show in newest]
        calls = [self._store.reads.call("HMGET", f"ls:{{{show}}}:show", *_SUMMARY_FIELDS) for show in ids]
        rows = cast("list[list[bytes | None]]", await asyncio.gather(*calls))
        summaries: list[ShowSummary] = []
        for show, row in zip(ids, rows, strict=True):
            values = [value.decode() if value else "" for value in row]
            fields: dict[str, str] = dict(zip(_SUMMARY_FIELDS, values, strict=True))
            if fields["state"]:
                summaries.append(_summary(show, fields))
        return summaries

    async def repair_directory(self) -> int:
        """Add shows that a crash kept out of the directory. Gives how many; once per start is enough."""
        return sum([await self._repair_from(node) for node in self._store.reads.all()])

    async def _repair_from(self, node: Wire) -> int:
        added, cursor = 0, b"0"
        while True:
            reply = await node.call("SCAN", cursor, "MATCH", "ls:{*}:show", "COUNT", _SCAN_COUNT)
            cursor, keys = cast("tuple[bytes, list[bytes]]", reply)
            for key in keys:
                show = key.decode()[4:-6]
                created = cast("bytes | None", await self._store.reads.call("HGET", key, "created_ms"))
                if created is not None:
                    command: tuple[Arg, ...] = ("ZADD", DIRECTORY_KEY, "NX", created, show)
                    added += cast("int", await self._store.writes.call(*command))
            if cursor == b"0":
                return added

    async def _run(
        self, script: str, show: str, principal: Principal, *args: Arg, idempotency_key: str = ""
    ) -> Done | Refused:
        role = principal.role_on(show)
        outcome = await self._store.scripts.run(
            script, show, principal.pid, role, *args, idempotency_key=idempotency_key
        )
        return outcome if isinstance(outcome, Refused) else Done(cast("int", outcome[1]))


def _show_id(pid: str, idempotency_key: str) -> str:
    """A made-up id: the same for a repeat by the same key, so that a repeat finds what it made."""
    if not idempotency_key:
        return new_id("s")
    digest = hashlib.sha256(f"{len(pid)}:{pid}{idempotency_key}".encode()).hexdigest()
    return f"s_{digest[:22]}"


def _summary(show: str, fields: dict[str, str]) -> ShowSummary:
    return ShowSummary(
        id=show,
        title=fields["title"],
        state=fields["state"],
        owner=fields["owner"],
        currency=fields["currency"],
        guests=fields["guests"],
        starts_at_ms=int(fields["starts_at_ms"]) if fields["starts_at_ms"] else None,
        created_ms=int(fields["created_ms"]),
    )


def _text(reply: Reply) -> str:
    return cast("bytes", cast("Any", reply)).decode()
