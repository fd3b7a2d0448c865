"""Cross-origin rules of WHIP and WHEP (Fetch standard, RFC 9725 §4.2): configured origins only."""

from collections.abc import Iterable
from typing import Final

ALLOWED_HEADERS: Final = "Authorization, Content-Type, If-Match"
EXPOSED_HEADERS: Final = "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, Vendue-Publication"
MAX_AGE_S: Final = 600


class Cors:
    """Knows the origins that may signal from elsewhere; ``*`` lets every origin (tokens are no cookies)."""

    def __init__(self, allowed_origins: Iterable[str]) -> None:
        self._allowed = frozenset(allowed_origins)

    def headers(self, origin: str | None) -> dict[str, str]:
        """Return what every answer to a request from ``origin`` carries."""
        if not self._allowed:
            return {}
        if origin is None or not ("*" in self._allowed or origin in self._allowed):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }

    def preflight(self, origin: str | None, methods: str) -> dict[str, str]:
        """Return what the answer to OPTIONS carries beside `headers`."""
        headers = self.headers(origin)
        if "Access-Control-Allow-Origin" in headers:
            headers["Access-Control-Allow-Methods"] = methods
            headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            headers["Access-Control-Max-Age"] = str(MAX_AGE_S)
        return headers
