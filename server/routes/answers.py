"""What goes back to a client: an answer, a problem document, and the headers that both carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.responses import Response

from server.errors import PROBLEM_TYPE, Problem
from server.store.outcome import Refused

ENCODER: Final = msgspec.json.Encoder()
JSON_TYPE: Final = "application/json"
API_HEADERS: Final[dict[str, str]] = {
    "Cache-Control": "no-store",  # an answer depends on the bearer and on the moment
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A handler's answer: ``body`` is anything msgspec encodes, or None for no body at all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def respond(answer: Answer) -> Response:
    """Encode an answer."""
    if answer.body is None:
        return Response(status_code=answer.status, headers={**API_HEADERS, **answer.headers})
    return Response(
        ENCODER.encode(answer.body),
        status_code=answer.status,
        headers={**API_HEADERS, **answer.headers},
        media_type=JSON_TYPE,
    )


def problem_headers(problem: Problem) -> dict[str, str]:
    """Return what the status of a refusal asks for beside its document."""
    headers = dict(problem.headers)
    if problem.status == 401:  # RFC 9110 §11.6.1: a 401 names the scheme; RFC 6750 §3.1 the error
        error = "" if problem.code == "token_required" else ' error="invalid_token"'
        headers["WWW-Authenticate"] = f"Bearer{error}"
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    return headers


def respond_problem(problem: Problem) -> Response:
    """Encode a refusal as RFC 9457 ``application/problem+json``."""
    return Response(
        ENCODER.encode(problem.body()),
        status_code=problem.status,
        headers={**API_HEADERS, **problem_headers(problem)},
        media_type=PROBLEM_TYPE,
    )


def problem_of(refused: Refused) -> Problem:
    """Turn a rule's refusal into the problem of the same code."""
    retry = refused.detail.get("retry_after_s")
    return Problem(
        refused.code, extra=refused.detail, retry_after_s=retry if isinstance(retry, int) else None
    )
