"""What the store answers when it does not do what was asked: refusals as values, faults as exceptions."""

from typing import Any

import msgspec


class Refused(msgspec.Struct, frozen=True):
    """A rule said no and nothing was written. `code` is one of the contract's problem codes."""

    code: str
    detail: dict[str, Any] = {}


class StoreError(Exception):
    """The store did not do its part; the base of the others."""


class StoreBusy(StoreError):
    """Too many commands are waiting: this one was not sent, so nothing happened."""


class StoreUnavailable(StoreError):
    """No answer. With `maybe_applied` the outcome is unknown: ask again with the same idempotency key."""

    def __init__(self, message: str, *, maybe_applied: bool) -> None:
        super().__init__(f"{message} ({'outcome unknown' if maybe_applied else 'not sent'})")
        self.maybe_applied = maybe_applied


class StoreDegraded(StoreError):
    """Too few replicas have it (`redis.wait_replicas`). As with StoreUnavailable: when `maybe_applied`, ask
    again with the same idempotency key.
    """

    def __init__(self, message: str, *, maybe_applied: bool) -> None:
        super().__init__(f"{message} ({'outcome unknown' if maybe_applied else 'not sent'})")
        self.maybe_applied = maybe_applied


class StoreReplyError(StoreError):
    """The server answered with an error: our bug, a wrong password, a full disk. `code` is its first word."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.partition(" ")[0]
