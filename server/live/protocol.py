"""The words of the viewer WebSocket: what a viewer may say (commands) and the envelope of what it hears
(updates).

Bytes in, values out, and the reverse; nothing here does I/O, reads a clock or knows who is connected. What
the updates carry is listed in `updates`; how a log entry becomes updates is in `projection`. The AsyncAPI
document is generated from these very types, so it cannot disagree with what the server decodes.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.live.limits import (
    CHAT_TEXT_CHARS_MAX,
    CID_CHARS_MAX,
    FIRST_FRAME_MS_MAX,
    FREEZES_MAX,
    REACTIONS_PER_COMMAND_MAX,
)

SUBPROTOCOL: Final = "vendue.v1"
TICKET_PREFIX: Final = "ticket."

ReactionKind: TypeAlias = Literal["heart", "fire", "clap", "laugh", "wow"]
"""A fixed list: kinds are keys of counters that every viewer receives, so a viewer may not invent them."""

Cid: TypeAlias = Annotated[str, Meta(max_length=CID_CHARS_MAX)]


class Say(msgspec.Struct, frozen=True, tag="chat", tag_field="type"):
    """A chat line. `cid` is the page's own mark; an `error` about this line carries it back."""

    text: Annotated[str, Meta(max_length=4 * CHAT_TEXT_CHARS_MAX)]
    cid: Cid = ""


class React(msgspec.Struct, frozen=True, tag="react", tag_field="type"):
    """`n` taps of one kind, collected by the page."""

    kind: ReactionKind
    n: Annotated[int, Meta(ge=1, le=REACTIONS_PER_COMMAND_MAX)] = 1


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="type"):
    """Asks for the server's time; `t` comes back untouched."""

    t: int | float = 0


class Report(msgspec.Struct, frozen=True, tag="report", tag_field="type"):
    """What a page measured about its video. Untrusted: `clamped` before any use."""

    publication: Annotated[str, Meta(max_length=64)] | None = None
    first_frame_ms: int | float | None = None
    freezes: int | float = 0

    def clamped(self) -> "Measured":
        """The same report inside the bounds that a real page could reach."""
        first_frame_ms = None
        if self.first_frame_ms is not None:
            first_frame_ms = int(min(max(self.first_frame_ms, 0), FIRST_FRAME_MS_MAX))
        freezes = int(min(max(self.freezes, 0), FREEZES_MAX))
        return Measured(self.publication or "", first_frame_ms, freezes)


class Measured(msgspec.Struct, frozen=True):
    """A report with its numbers in bounds; `freezes` since the page's video began."""

    publication: str
    first_frame_ms: int | None
    freezes: int


Command: TypeAlias = Say | React | Ping | Report
COMMANDS: Final[dict[str, type[Command]]] = {"chat": Say, "react": React, "ping": Ping, "report": Report}
_FIELDS: Final = {name: {"type", *kind.__struct_fields__} for name, kind in COMMANDS.items()}


class Decoded(msgspec.Struct, frozen=True):
    """A command, and how many fields of it this server does not know (ignored, but counted)."""

    command: Command
    unknown_fields: int


class Rejected(msgspec.Struct, frozen=True):
    """Why a text frame is no command; becomes an `error` update."""

    code: Literal["bad_json", "bad_message", "unknown_type"]
    message: str
    cid: str = ""


def decode_command(data: bytes | bytearray | memoryview) -> Decoded | Rejected:
    """Decode one text frame. Never raises, whatever the bytes are."""
    try:
        raw: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Rejected("bad_json", "not JSON")
    if not isinstance(raw, dict):
        return Rejected("bad_message", "not a JSON object")
    fields = cast("Mapping[str, Any]", raw)
    cid = _cid(fields)
    name = fields.get("type")
    if not isinstance(name, str):
        return Rejected("bad_message", "no type", cid)
    kind = COMMANDS.get(name)
    if kind is None:
        return Rejected("unknown_type", "unknown type", cid)
    try:
        command = msgspec.convert(fields, kind)
    except msgspec.ValidationError as failure:
        return Rejected("bad_message", str(failure), cid)
    return Decoded(command, len(fields.keys() - _FIELDS[name]))


def _cid(fields: Mapping[str, Any]) -> str:
    cid = fields.get("cid")
    return cid if isinstance(cid, str) and len(cid) <= CID_CHARS_MAX else ""


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of everything the server says. `seq`, `prev` and `at_ms` are on public log entries
    only.
    """

    type: str
    show: str
    epoch: str
    seq: int | UnsetType = UNSET
    prev: int | UnsetType = UNSET
    as_of: int | UnsetType = UNSET
    ts: int
    at_ms: int | UnsetType = UNSET
    data: Any


_encoder = msgspec.json.Encoder()


def encode(update: Update) -> bytes:
    """The JSON text of `update` as UTF-8."""
    return _encoder.encode(update)


_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
"""Control characters and the marks that re-order the text around them, by which a line could imitate another.
"""
_UNSEEN_CATEGORIES: Final = frozenset({"Cf", "Mn", "Me", "Zs"})
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and a symbol that are drawn as nothing
_EMOTE_NAME: Final = re.compile(r":[a-z0-9_]{1,32}:")
_EMOTE_CATEGORIES: Final = frozenset(
    {"So", "Sk", "Mn", "Me", "Cf", "Zs"}
)  # symbols, their modifiers, joiners, space


def clean_text(text: str) -> str:
    """A chat line as others will see it: no control or re-ordering characters, single spaces, nothing at the
    ends; '' when nothing of it could be seen.
    """
    cleaned = " ".join(_INVISIBLE.sub(" ", text).split())
    return cleaned if any(_is_seen(character) for character in cleaned) else ""


def _is_seen(character: str) -> bool:
    return character not in _BLANKS and unicodedata.category(character) not in _UNSEEN_CATEGORIES


def is_only_emotes(text: str) -> bool:
    """True for text of emoji and `:named:` emotes alone."""
    rest = _EMOTE_NAME.sub("", text)
    return all(unicodedata.category(character) in _EMOTE_CATEGORIES for character in rest)
