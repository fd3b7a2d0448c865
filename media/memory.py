"""Giving freed memory back to the system.

A storm of joins makes hundreds of OpenSSL connections at once and drops them seconds later (74 KiB each);
glibc keeps such holes for ever unless it is told not to.
"""

import ctypes
from collections.abc import Callable

TRIM_AFTER_SETTLED = 64
"""Handshakes since the last trim that make one worth its cost: about 7 ms for the holes of 300."""


def trimmer() -> Callable[[], None]:
    """A call that returns what the C library holds in vain; it does nothing where that is not glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda: None

    def call() -> None:
        trim(0)

    return call
