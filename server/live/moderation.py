"""Moderation: one command, one script, one `moderation` entry; and the audit read back from the log.

The commands are the contract's request bodies; HTTP decodes straight into them (unknown fields refused).
"""

import asyncio
from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta

from server.log.archive import Archive, ArchiveError
from server.log.entries import decode
from server.log.private_entries import told
from server.log.reader import raw_rows
from server.store.outcome import Refused
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal

Reason: TypeAlias = Annotated[str, Meta(min_length=1, max_length=280)]
Subject: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
MessageId: TypeAlias = Annotated[str, Meta(pattern=r"^\d{1,19}-\d{1,19}$")]

AUDIT_MAX = 500
"""Entries in one answer; the next page starts after the last seq."""


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="action"):
    """One act of moderation."""


class Delete(_Command, frozen=True, tag="delete"):
    """Take chat messages away."""

    message_ids: Annotated[tuple[MessageId, ...], Meta(min_length=1, max_length=100)]


class Timeout(_Command, frozen=True, tag="timeout"):
    """No chat for a while."""

    subject: Subject
    seconds: Annotated[int, Meta(ge=10, le=1_209_600)]
    reason: Reason


class Ban(_Command, frozen=True, tag="ban"):
    """Out of the show: WebSocket, video, orders."""

    subject: Subject
    reason: Reason


class Unban(_Command, frozen=True, tag="unban"):
    """In again."""

    subject: Subject


class SlowMode(_Command, frozen=True, tag="slow_mode"):
    """So long between two messages of one viewer; 0 ends it."""

    seconds: Annotated[int, Meta(ge=0, le=120)]


class ChatMode(_Command, frozen=True, tag="chat_mode"):
    """Who may chat, and with what."""

    mode: Literal["all", "buyers", "emotes", "off"]


class PauseSales(_Command, frozen=True, tag="pause_sales"):
    """Nobody buys; the sale clock stands still."""

    reason: Reason


class ResumeSales(_Command, frozen=True, tag="resume_sales"):
    """Buying goes on."""

    reason: Reason


class BlankVideo(_Command, frozen=True, tag="blank_video"):
    """Nobody sees the video."""

    reason: Reason


class ShowVideo(_Command, frozen=True, tag="show_video"):
    """The video is back."""

    reason: Reason


class PinMessage(_Command, frozen=True, tag="pin_message"):
    """Keep one chat message in view."""

    message_id: MessageId


Command: TypeAlias = (
    Delete
    | Timeout
    | Ban
    | Unban
    | SlowMode
    | ChatMode
    | PauseSales
    | ResumeSales
    | BlankVideo
    | ShowVideo
    | PinMessage
)


class Moderated(msgspec.Struct, frozen=True):
    """Done and logged as `seq`."""

    seq: int


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what to whom, and why. `target` is a pid; `detail` the whole entry's body."""

    seq: int
    ts: int
    kind: str
    action: str
    actor: str
    target: str | None
    reason: str | None
    detail: dict[str, Any]


class Moderation:
    """See the module. One per process."""

    def __init__(
        self, store: Store, texts: PrivateText, pids: Pids | None = None, archive: Archive | None = None
    ) -> None:
        self._store, self._texts, self._archive = store, texts, archive
        self._pids = pids or Pids(store)

    async def apply(
        self, show: str, principal: Principal, command: Command, *, idempotency_key: str = ""
    ) -> Moderated | Refused:
        """Carry out `command`. Refusals: unknown_show, forbidden, banned, unknown_message,
        idempotency_conflict.

        The reason is encrypted with the key of whom it is about; where it is about nobody, of who gives it.
        """
        given = msgspec.structs.asdict(command)
        subject = given.get("subject", "")
        pid = await self._pids.resolve(subject) if subject else ""
        about, reason = pid or principal.pid, given.get("reason", "")
        ids = given.get("message_ids") or ((given["message_id"],) if "message_id" in given else ())
        outcome = await self._store.scripts.run(
            "moderate",
            show,
            principal.pid,
            principal.role_on(show),
            cast("str", type(command).__struct_config__.tag),
            pid,
            given.get("seconds", ""),
            given.get("mode", ""),
            await self._texts.encrypt(show, about, "reason", reason, once=idempotency_key),
            " ".join(ids),
            idempotency_key=idempotency_key,
        )
        return outcome if isinstance(outcome, Refused) else Moderated(cast("int", outcome[1]))

    async def audit(self, show: str, since: int = 0) -> list[AuditEntry]:
        """What staff did after seq `since`, oldest first, at most AUDIT_MAX. Erased reasons say so.

        Raises StoreError, or ArchiveError when an entry has left the store for an archive that is not here.
        """
        base = f"ls:{{{show}}}:"
        reads = self._store.reads
        seqs = await reads.call(
            "ZRANGE", base + "audit", f"({since}", "+inf", "BYSCORE", "LIMIT", 0, AUDIT_MAX
        )
        listed = cast("list[bytes]", seqs)
        calls = [reads.call("XRANGE", base + "log", seq, seq) for seq in listed]
        found = [raw_rows(rows) for rows in await asyncio.gather(*calls)]
        gone = [int(seq) for seq, rows in zip(listed, found, strict=True) if not rows]
        if gone and self._archive is None:
            raise ArchiveError(f"entry {gone[0]} of {show} is in an archive that is not here")
        older = await asyncio.to_thread(self._archive.entries, show, gone) if gone and self._archive else []
        raws = [*older, *(raw for rows in found for raw in rows)]
        await self._texts.load({pid for raw in raws for pid in self._texts.missing(raw)})
        entries = sorted((told(self._texts, show, decode(raw)) for raw in raws), key=lambda entry: entry.seq)
        return [
            AuditEntry(
                seq=entry.seq,
                ts=entry.ts,
                kind=entry.kind,
                action=entry.body.get("action", entry.kind),
                actor=entry.actor,
                target=entry.body.get("subject"),
                reason=entry.body.get("reason"),
                detail=entry.body,
            )
            for entry in entries
        ]
