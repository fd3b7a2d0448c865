"""Saying a line: the rules that need the store are in `lua/chat.lua`, the rates and the wording of refusals
here.
"""

from typing import Final

import msgspec

from server.live.limits import CHAT_TEXT_CHARS_MAX, KeyedBuckets, Rates
from server.live.protocol import clean_text, is_only_emotes
from server.live.viewers import Pass, display_name
from server.store.outcome import Refused, StoreError
from server.store.store import Store

MESSAGES: Final = {
    "forbidden": "You may not write here",
    "banned": "You are banned from this show",
    "timed_out": "You cannot write for now",
    "chat_off": "Chat is off",
    "buyers_only": "Only buyers may write",
    "emotes_only": "Only emotes may be sent",
    "slow_mode": "Slow mode: wait a little",
    "rate_limited": "Too many messages",
    "empty": "There is nothing in this message",
    "too_long": "This message is too long",
    "store_unavailable": "The message could not be sent",
}


class NotSaid(msgspec.Struct, frozen=True):
    """Why a line was not said, and when to try again if waiting helps."""

    code: str
    retry_after_ms: int = 0

    @property
    def message(self) -> str:
        """The same in words."""
        return MESSAGES.get(self.code, "Not possible now")


class Chat:
    """Says lines on behalf of people. One per process, so that a person's rate holds over all its
    connections.
    """

    def __init__(self, store: Store, rates: Rates) -> None:
        self._store = store
        self._lines = KeyedBuckets(rates.chat_per_s, rates.chat_burst)

    async def say(
        self, holder: Pass, roles: frozenset[str], text: str, *, now: float, exempt: bool
    ) -> str | NotSaid:
        """Say `text`; gives the message id, or why not. `exempt` lifts the rate (staff). Never raises
        StoreError.
        """
        text = clean_text(text)
        if not text:
            return NotSaid("empty")
        if len(text) > CHAT_TEXT_CHARS_MAX:
            return NotSaid("too_long")
        wait_s = 0.0 if exempt else self._lines.take(f"{holder.show} {holder.pid}", now)
        if wait_s > 0:
            return NotSaid("rate_limited", int(wait_s * 1_000) + 1)
        name = holder.name or display_name(holder.pid, roles)
        only_emotes = "1" if is_only_emotes(text) else ""
        try:
            said = await self._store.scripts.run(
                "chat", holder.show, holder.pid, holder.role, text, name, only_emotes
            )
        except StoreError:
            return NotSaid("store_unavailable", 1_000)
        if isinstance(said, Refused):
            retry_after_ms = said.detail.get("retry_after_ms", 0)
            return NotSaid(said.code, retry_after_ms if isinstance(retry_after_ms, int) else 0)
        message_id = said[1]
        return message_id.decode() if isinstance(message_id, bytes) else str(message_id)
