"""A small blocking HTTP client for the demo's own calls to the server's public API.

The demo and the synthetic creator use nothing but the public interface, as any other program would. Calls
block: run them with `asyncio.to_thread`.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

TIMEOUT_S: Final = 10.0


class Unreachable(Exception):
    """No answer: nothing listens, the connection broke, or it took longer than TIMEOUT_S."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)


def reachable_host(bound: str) -> str:
    """The address to reach a server by that is bound to `bound` on this machine."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Calls with a fresh token each, so that a long demo does not outlive one."""

    host: str
    port: int
    token: Callable[[], str]

    def call(self, method: str, path: str, body: object = None, *, key: str = "") -> Answer:
        """Send `body` as JSON (None: no body). Raises Unreachable."""
        headers = {"Idempotency-Key": key} if key else {}
        if body is None:
            return self.send(method, path, b"", headers)
        return self.send(
            method, path, json.dumps(body).encode(), {"Content-Type": "application/json"} | headers
        )

    def send(self, method: str, path: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        """Send raw `data`. Raises Unreachable."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, data, {"Authorization": f"Bearer {self.token()}", **headers})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{method} {path}: {error}") from error
        finally:
            connection.close()
