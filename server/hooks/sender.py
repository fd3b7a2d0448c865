"""The sender follows every log that somebody wants to hear of, and tells each endpoint in the log's order.

How far an endpoint was told is kept in the store; whoever has its lease sends, any web worker may. At least
once: a sender that dies after a message was taken and before that was noted sends it again, under the same
`webhook-id`. A message that fails holds back those behind it until it is given up (`message.is_dead`).
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from server.hooks import message
from server.hooks.address import AddressError, resolve
from server.hooks.message import Hook
from server.hooks.registry import DeadLetter, Hooks
from server.log.entries import Entry
from server.log.private_entries import read_entries
from server.store.outcome import Refused, StoreError
from server.store.private_text import PrivateText
from server.store.store import Store
from server.telemetry import FloodLog, counter, end_tasks, get_logger, start_task

if TYPE_CHECKING:
    import httpx

LOOK_S: Final = 0.5
POST_S: Final = 15.0  # Standard Webhooks recommends 15 to 30 s
LEASE_MS: Final = 60_000  # four times as long: a sender that waits is not overtaken
PAGE: Final = 100  # entries read at a time
AT_ONCE: Final = 32  # endpoints served side by side by one worker; the rest wait for the next look
DEAD_MAX: Final = 1_000  # dead letters kept of each endpoint
_REFUSED_STATUS: Final = 400  # an address where nothing is sent counts as the endpoint's no

_SENT: Final = counter("webhooks_sent", "Tries to send a webhook by what came of them", ["outcome"])


class Failure(NamedTuple):
    """Why a try failed; `status` is None when nobody answered."""

    status: int | None
    reason: str


class _Turn(NamedTuple):
    """One lease: where it begins."""

    show: str
    hook: Hook
    seq: int
    tries: int
    owner: str
    now_ms: int


class Sender:
    """See the module. Run `run()` as a task, then `close`."""

    def __init__(
        self,
        store: Store,
        hooks: Hooks,
        texts: PrivateText,
        worker: str,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._hooks, self._texts = store, hooks, texts
        self._worker, self._wall_s = worker, wall_s
        self._running: dict[tuple[str, str], asyncio.Task[None | None]] = {}
        self._client: httpx.AsyncClient | None = None
        self._flood = FloodLog(get_logger(__name__))

    async def run(self) -> None:
        """Send for ever; a store that does not answer is tried again the next time."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                self._flood.warning("webhooks_not_sent", time.monotonic(), error=type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Start on what is due and nobody has the lease of."""
        for show in await self._hooks.shows():
            for hook in await self._hooks.of(show):
                key = (show, hook.name)
                if key in self._running or len(self._running) >= AT_ONCE:
                    continue
                turn = await self._claim(show, hook)
                if turn is not None:
                    task = start_task(self._take(turn), f"webhook {hook.name}")
                    self._running[key] = task
                    task.add_done_callback(lambda _, key=key: self._running.pop(key, None))

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def close(self) -> None:
        """Stop; another sender goes on when the leases are over."""
        await end_tasks(*self._running.values())
        if self._client is not None:
            await self._client.aclose()

    async def _claim(self, show: str, hook: Hook) -> _Turn | None:
        reply = await self._store.scripts.run("hook_claim", show, "", "", hook.name, self._worker, LEASE_MS)
        if isinstance(reply, Refused) or reply[1] == 0:
            return None
        _, _, seq, tries, owner, now_ms = cast("list[Any]", reply)
        return _Turn(show, hook, seq, tries, owner.decode(), now_ms)

    async def _take(self, turn: _Turn) -> None:
        """Send a page of entries, as far as it goes."""
        entries = await read_entries(self._store, self._texts, turn.show, turn.seq, PAGE)
        at, tries = turn.seq, turn.tries
        if entries and entries[0].seq > at + 1:  # trimmed from the store, after they were archived
            last = entries[0].seq - 1
            dead = DeadLetter(at + 1, "", "archived before it could be sent", turn.now_ms, last)
            if not await self._step(turn, at, last, dead=dead):
                return
            at, tries = last, 0
        noted = at
        for entry in entries:
            if not message.wants(turn.hook, entry, turn.owner):
                at = entry.seq
                continue
            failure = await self._post(turn.hook, turn.show, entry)
            tries += 1
            if failure is None:
                at, tries = entry.seq, 0
                if not await self._step(turn, noted, at):
                    return
            elif message.is_dead(failure.status, tries, turn.now_ms - entry.ts):
                at, tries = entry.seq, 0
                dead = DeadLetter(entry.seq, entry.kind, failure.reason, turn.now_ms)
                if not await self._step(turn, noted, at, error=failure.reason, dead=dead):
                    return
            else:
                await self._wait(turn, noted, at, tries, failure)
                return
            noted = at
        await self._step(turn, noted, at, lease_ms=0)

    async def _wait(self, turn: _Turn, noted: int, at: int, tries: int, failure: Failure) -> None:
        wait_ms = message.retry_in_ms(tries, random.random())  # noqa: S311 - to spread load, not a secret
        gone = failure.status == message.GONE
        await self._step(
            turn, noted, at, tries=tries, wait_ms=wait_ms, error=failure.reason, gone=gone, lease_ms=0
        )

    async def _step(
        self,
        turn: _Turn,
        before: int,
        now: int,
        *,
        tries: int = 0,
        wait_ms: int = 0,
        error: str = "",
        dead: DeadLetter | None = None,
        gone: bool = False,
        lease_ms: int = LEASE_MS,
    ) -> bool:
        """Note where this turn has come to; false when it is not ours any more."""
        letter = msgspec.json.encode(dead) if dead else ""
        if dead:
            _SENT.labels(outcome="dead").inc()
        asked = (turn.hook.name, self._worker, before, now, tries, wait_ms, error, letter)
        reply = await self._store.scripts.run(
            "hook_step", turn.show, "", "", *asked, "1" if gone else "", lease_ms, DEAD_MAX
        )
        return not isinstance(reply, Refused) and reply[1] == 1

    async def _post(self, hook: Hook, show: str, entry: Entry) -> Failure | None:
        """One try. None: it was taken."""
        body = message.body_of(show, entry)
        headers = message.headers_of(hook, message.message_id(show, entry), body, int(self._wall_s()))
        try:
            async with asyncio.timeout(POST_S):
                status = await self._send(hook.url, headers, body)
        except AddressError as error:
            private = "private" in str(error)
            failure = Failure(_REFUSED_STATUS if private else None, str(error))
        except TimeoutError:
            failure = Failure(None, "no answer in time")
        except OSError as error:
            failure = Failure(None, str(error) or type(error).__name__)
        else:
            failure = None if 200 <= status < 300 else Failure(status, f"answered {status}")
        _SENT.labels(outcome="taken" if failure is None else "failed").inc()
        return failure

    async def _send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """POST to a checked address; nothing of the answer is read but its status. Raises OSError."""
        import httpx  # noqa: PLC0415 - 12 MB for those who have endpoints

        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        address = await resolve(host, port, allow_private=self._hooks.allow_private)
        if self._client is None:
            limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
            self._client = httpx.AsyncClient(timeout=POST_S, trust_env=False, limits=limits)
        at = httpx.URL(url).copy_with(host=address, port=port)
        sent = {**headers, "host": parts.netloc, "user-agent": "vendue-webhooks/1"}
        request = self._client.build_request(
            "POST", at, headers=sent, content=body, extensions={"sni_hostname": host}
        )
        try:
            answer = await self._client.send(request, stream=True, follow_redirects=False)
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from error
        await answer.aclose()
        return answer.status_code
