"""Reading a request's body: never more than its bound, never of a type that is not taken here."""

import re
from typing import Any, Final, TypeVar

import msgspec
from starlette.types import Receive

from server.errors import Problem

JSON_LIMIT: Final = 64 * 1024
SDP_LIMIT: Final = 1024 * 1024

B = TypeVar("B")

_JSON = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;.*)?", re.IGNORECASE)
_FIELD = re.compile(r"(?:field|parameter) `([^`]*)`|at `\$\.?([^`]*)`")


async def read_body(receive: Receive, declared: str | None, limit: int) -> bytes:
    """Return the request's body of at most ``limit`` bytes.

    ``declared`` is the Content-Length header, judged before a byte is read (so a client that waits for ``100
    Continue`` never sends a body that would be refused). Raises Problem ``too_large``; a client that went
    away raises Problem ``bad_request``, which nobody reads.
    """
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False) and len(body) <= limit:
        chunks = [body]
        size = len(body)
        while message.get("more_body", False) and size <= limit:
            message = await receive()
            if message["type"] != "http.request":
                raise Problem("bad_request", "the body ended early")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        body = b"".join(chunks)
    if len(body) > limit:
        raise too_large(limit)
    return body


def too_large(limit: int) -> Problem:
    """Return the refusal of a body above ``limit`` bytes."""
    return Problem("too_large", f"at most {limit} bytes are taken", {"limit_bytes": limit})


def check_json_type(content_type: str | None) -> None:
    """Refuse a body that says it is something else than JSON; one that says nothing is taken for JSON."""
    if content_type is not None and _JSON.fullmatch(content_type.strip()) is None:
        raise Problem("unsupported_media_type", "the body must be application/json")


def check_type(content_type: str | None, wanted: str) -> None:
    """Refuse a body that does not say that it is of the type `wanted`."""
    if (content_type or "").partition(";")[0].strip().lower() != wanted:
        raise Problem("unsupported_media_type", f"the body must be {wanted}")


def decode(decoder: "msgspec.json.Decoder[B]", body: bytes) -> B:
    """Decode a JSON body; raises Problem ``bad_request`` that names the wrong field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise bad_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem("bad_request", "the body is not JSON") from None


def bad_field(message: str) -> Problem:
    """Return ``bad_request`` for msgspec's message, with the field's name as an own member."""
    match = _FIELD.search(message)
    name = (match[1] or match[2]) if match else ""
    extra: dict[str, Any] = {"field": name} if name else {}
    return Problem("bad_request", message, extra)
