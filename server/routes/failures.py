"""What goes wrong while a request is handled, as an answer: here alone exceptions become problems."""

from typing import Final

from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.errors import Problem
from server.log.archive import ArchiveError
from server.routes.answers import respond_problem
from server.store.outcome import StoreBusy, StoreDegraded, StoreError, StoreReplyError
from server.telemetry import counter, get_logger

STORE_RETRY_AFTER_S: Final = 1
CANNOT_WRITE: Final = {
    "MISCONF": "its disk is full or broken",
    "OOM": "its memory is full",
    "NOREPLICAS": "it takes no writes: its disk is full, or too few replicas keep up",
}
"""How a server says that it takes no writes now: nothing was written."""

log = get_logger(__name__)
FAILURES = counter("requests_failed", "Requests answered 5xx, by problem code", ["code"])


def problem_for(failure: Exception) -> Problem:
    """Return the problem that ``failure`` is to its client.

    What nobody expected is logged and is `internal`.
    """
    match failure:
        case Problem():
            problem = failure
        case StoreError() | RedisError():
            problem = _store_problem(failure)
        case ArchiveError():
            log.error("archive_not_readable", error=str(failure))
            problem = Problem("archive_unavailable")
        case HTTPException(status_code=404):
            problem = Problem("not_found")
        case HTTPException(status_code=405):
            problem = Problem("method_not_allowed", headers=dict(failure.headers or {}))
        case ClientDisconnect():
            problem = Problem("bad_request", "the body ended early")
        case _:
            log.error("request_failed", exc_info=failure)
            problem = Problem("internal")
    if problem.status >= 500:
        FAILURES.labels(code=problem.code).inc()
    return problem


def _store_problem(failure: StoreError | RedisError) -> Problem:
    match failure:
        case StoreBusy():
            code, detail = "store_unavailable", "too many commands are waiting"
        case StoreDegraded():
            code, detail = "store_degraded", f"{failure}: repeat with the same Idempotency-Key"
        case StoreReplyError(code=code) if code in CANNOT_WRITE:
            log.error("store_cannot_write", error=code)
            code, detail = "store_degraded", CANNOT_WRITE[code]
        case _:
            log.warning("store_failed", error=type(failure).__name__)
            detail = "the outcome may be unknown: repeat with the same Idempotency-Key"
            code = "store_unavailable"
    return Problem(code, detail, retry_after_s=STORE_RETRY_AFTER_S)


async def answer_failure(failure: Exception, scope: Scope, receive: Receive, send: Send) -> int:
    """Answer an ASGI request with what ``failure`` means; return the status."""
    response = respond_problem(problem_for(failure))
    await response(scope, receive, send)
    return response.status_code


async def on_failure(_request: Request, failure: Exception) -> Response:
    """Handle an exception in Starlette's form."""
    return respond_problem(problem_for(failure))
