"""The AsyncAPI 3.0 document of the viewer WebSocket, generated from the types that it is coded with."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from server.live.limits import FRAME_BYTES_MAX
from server.live.protocol import COMMANDS, SUBPROTOCOL
from server.live.updates import CHAINED, UPDATES

VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{name}"
CLOSE_CODES: Final = {
    1003: "a binary frame",
    1007: "a text frame that is not UTF-8",
    1009: f"a message of more than {FRAME_BYTES_MAX} bytes",
    1012: "the server restarts: reconnect with epoch and seq",
    4001: "the token was revoked or has expired",
    4008: "too slow: reconnect with epoch and seq",
    4009: "too many or too many wrong frames: come back later",
    4503: "banned: do not reconnect",
}


def document() -> dict[str, Any]:
    """The whole document; the same for every server of this version."""
    kinds = [*COMMANDS.values(), *UPDATES.values()]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    payloads = [*COMMANDS, *UPDATES]
    messages = {
        _name(type_, sent=type_ in UPDATES): _message(type_, schema, sent=type_ in UPDATES)
        for type_, schema in zip(payloads, schemas, strict=True)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vendue live updates",
            "version": VERSION,
            "description": _description(),
        },
        "channels": {"show": _channel(messages)},
        "operations": {
            "tellViewer": _operation("send", [_name(type_, sent=True) for type_ in UPDATES]),
            "hearViewer": _operation("receive", [_name(type_, sent=False) for type_ in COMMANDS]),
        },
        "components": {"messages": messages, "schemas": components},
    }


def _channel(messages: Iterable[str]) -> dict[str, Any]:
    query = {
        "type": "object",
        "properties": {"epoch": {"type": "string"}, "seq": {"type": "integer"}},
    }
    return {
        "address": "/ws/{show}",
        "parameters": {"show": {"description": "The show's id."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "query": query}},
    }


def _operation(action: str, messages: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/show"},
        "messages": [{"$ref": f"#/channels/show/messages/{name}"} for name in messages],
    }


def _message(type_: str, schema: dict[str, Any], *, sent: bool) -> dict[str, Any]:
    payload = _envelope(type_, schema) if sent else schema
    return {"name": type_, "contentType": "application/json", "payload": payload}


def _envelope(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """What stands around `data`: the struct `protocol.Update` for this type."""
    integer = {"type": "integer"}
    properties: dict[str, Any] = {
        "type": {"const": type_},
        "show": {"type": "string"},
        "epoch": {"type": "string"},
        "ts": integer,
        "data": data,
    }
    required = [*properties]
    if type_ in CHAINED:
        properties |= {"seq": integer, "prev": integer, "at_ms": integer}
        required += ["seq", "prev", "at_ms"]
    elif type_ == "snapshot":
        properties["seq"] = integer
        required.append("seq")
    elif type_ in ("order", "stock"):
        properties["as_of"] = integer
        required.append("as_of")
    return {"type": "object", "properties": properties, "required": required}


def _name(type_: str, *, sent: bool) -> str:
    """A key for the document: letters only, and no command may have an update's."""
    words = "".join(word.capitalize() for word in type_.split("."))
    return words if sent else f"{words}Command"


def _description() -> str:
    codes = "\n".join(f"- {code}: {meaning}" for code, meaning in CLOSE_CODES.items())
    return (
        f"Connect with the subprotocols `{SUBPROTOCOL}` and `ticket.<ticket>`. With `epoch` and `seq` of the "
        "last public entry that was seen, the server resumes. Every public entry arrives exactly once and in "
        f"order: something was lost iff `prev` is above the last `seq`.\n\nClose codes:\n{codes}"
    )
