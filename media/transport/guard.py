"""The root of every callback that serves all peers: a bug that one meets must not stop the others."""

from collections import Counter
from collections.abc import Callable
from time import monotonic

import structlog

LOG_INTERVAL_S = 1.0
"""A packet that meets a bug may come a thousand times a second; one traceback a second tells as much."""

log = structlog.get_logger("media")


class Guard:
    """Runs callbacks; what they raise is counted in `internal_errors` and logged at most once a second."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._logged_at = float("-inf")

    def run(self, callback: Callable[[], None]) -> None:
        """Call it; never raises an Exception."""
        try:
            callback()
        except Exception:
            self._counters["internal_errors"] += 1
            now = monotonic()
            if now - self._logged_at >= LOG_INTERVAL_S:
                self._logged_at = now
                log.exception("internal_error")
