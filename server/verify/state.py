"""The state of a sale as bytes: the digest that a checkpoint signs, and what a segment begins with. Pure.

A digest must outlive versions of this program: members that are empty (null, false, 0, "", or without
content) are left out of it, so a later version that knows more says the same of an older log. Maps keep the
order in which their members came about, which the log decides; sets and counts are sorted, and counts of 0
left out.
"""

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UnsetType

from server.verify.replay import Replay

_PAIR: Final = " "  # joins the two names of a count; none has one


class StateError(ValueError):
    """These bytes are not a state."""


class _Line(msgspec.Struct, frozen=True, tag_field="kind", tag="state", forbid_unknown_fields=True):
    seq: int
    state: dict[str, Any]


def digest(replay: Replay) -> str:
    """SHA-256 of the state's canonical JSON, in hex."""
    return hashlib.sha256(msgspec.json.encode(_plain(replay, full=False))).hexdigest()


def encode(replay: Replay) -> bytes:
    """The state as a line (without its end), to begin a segment with."""
    return msgspec.json.encode(_Line(replay.seq, _plain(replay, full=True)))


def decode(raw: bytes) -> Replay:
    """Read `encode`'s answer. Raises StateError. Whether it is true is for a checkpoint's digest to say."""
    try:
        line = msgspec.json.decode(raw, type=_Line)
        replay = Replay(
            **{name: _read(hint, line.state[name]) for name, hint in _HINTS.items() if name in line.state}
        )
        if not _says(_plain(replay, full=True), line.state):
            raise StateError("a value has two encodings")  # base64: digits that decoding does not look at
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise StateError(f"not a state: {error}") from None
    return replay


def _says(plain: Any, line: Any) -> bool:
    """Whether the state's JSON has all that a line has (an older line may have less)."""
    if isinstance(line, dict):
        members = cast("dict[str, Any]", line)
        return all(name in plain and _says(plain[name], value) for name, value in members.items())
    if isinstance(line, list):
        values = cast("list[Any]", line)
        return len(plain) == len(values) and all(map(_says, plain, values))
    return bool(plain == line)


_HINTS: Final[dict[str, Any]] = get_type_hints(Replay)


def _read(hint: Any, value: Any) -> Any:
    if get_origin(hint) is not Counter:
        return msgspec.convert(value, hint)
    counted = msgspec.convert(value, dict[str, int])
    is_pair = get_origin(get_args(hint)[0]) is tuple
    return Counter({tuple(name.split(_PAIR)) if is_pair else name: n for name, n in counted.items()})


def _plain(value: Any, *, full: bool) -> Any:
    """`value` as JSON knows it; without `full` the empty members of records are left out."""
    match value:
        case None | bool() | int() | str():
            return value
        case UnsetType():
            return None
        case bytes():
            return b64encode(value).decode()
        case Counter():
            counted = cast("Counter[Any]", value)
            return {name: n for name, n in sorted((_name(key), n) for key, n in counted.items()) if n}
        case Mapping():
            members = cast("Mapping[Any, Any]", value)
            return {_name(key): _plain(member, full=full) for key, member in members.items()}
        case set() | frozenset():
            return sorted(cast("set[str]", value))
        case list() | tuple():
            return [_plain(each, full=full) for each in cast("list[Any]", value)]
        case _:
            return _record(value, full=full)


def _record(value: Any, *, full: bool) -> dict[str, Any]:
    names = [each.name for each in fields(value)] if is_dataclass(value) else value.__struct_fields__
    plain = {name: _plain(getattr(value, name), full=full) for name in names}
    return plain if full else {name: member for name, member in plain.items() if member}


def _name(key: Any) -> str:
    return key if isinstance(key, str) else _PAIR.join(key)
