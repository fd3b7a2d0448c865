"""The web worker's side of the media workers: what is published where, and who may still receive it.

Media workers know no store. Each web worker reads their event streams, and from these keeps the home of
every publication alive in the store, tells viewers the clock of the video, records that a host is away, and
gives the media workers the server's time. All of it is idempotent: any number of web workers do it at once,
and one that restarts learns everything again from the next `state` event.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from server.media_client import MediaAnswer, MediaUnavailable, MediaWorker
from server.media_events import ClockEvent, Event, HostAway, Publications, PublisherEvent, StateEvent
from server.store.outcome import StoreError
from server.telemetry import counter, get_logger, start_task

RECONNECT_S: Final = 0.3
TICK_S: Final = 1.0
HEALTH_TIMEOUT_S: Final = 1.0
RECEIVERS_MAX: Final = 50_000  # tokens whose subscriptions are remembered, to end them on a revocation

log = get_logger(__name__)
EVENTS_LOST = counter("media_events_lost", "Times that a media worker's event stream broke", ["media_worker"])
UNKNOWN_EVENTS = counter("media_events_unknown", "Events of media workers that could not be read")


class Viewers(Protocol):
    """The part of the hub that media events reach."""

    def on_clock(self, show: str, publication: str, rtp_timestamp: int, server_ms: int) -> None:
        """Take a new mapping from frames to server time."""
        ...

    def on_publisher_gone(self, show: str) -> None:
        """Take note that the publication has ended for good."""
        ...


class Homes(Protocol):
    """The part of the shows that media events reach."""

    async def host_away(self, show: str, *, away: bool) -> object:
        """Record that the host's video stopped, or is back; no entry when it is known."""
        ...

    async def renew_home(self, show: str, worker: str, publication: str) -> object:
        """Keep the home of a running publication for another three seconds."""
        ...

    async def is_blanked(self, show: str) -> bool:
        """Tell whether moderators have hidden the show's video."""
        ...


class MediaLink:
    """See the module. `run` owns its tasks and ends when cancelled."""

    def __init__(
        self,
        workers: Sequence[MediaWorker],
        viewers: Viewers,
        homes: Homes,
        now_ms: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers
        self.publications = Publications()
        self._viewers, self._homes = viewers, homes
        self._now_ms, self._now = now_ms, now
        self._decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
        self._synced: dict[str, str] = {}  # show → publication whose blanking the media worker has been told
        self._receivers: OrderedDict[str, set[tuple[str, str]]] = OrderedDict()  # jti → {(show, pid)}
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow all workers until cancelled."""
        tasks = [start_task(self._follow(worker), f"media_events_{worker.index}") for worker in self.workers]
        tasks.append(start_task(self._tick_forever(), "media_tick"))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in [*tasks, *self._errands]:
                task.cancel()
            await asyncio.gather(*tasks, *self._errands, return_exceptions=True)

    # Asking

    def press_ms(self, show: str, pid: str, wall_ms: float, publication: str) -> float | None:
        """Map a page's wall clock to server time by the D of its publication.

        None unless ``pid`` is the one whose live publication this is, or while D is not yet known.
        """
        known = self.publications.by_show.get(show)
        if known is None or known.ended or known.publication != publication or known.pid != pid:
            return None
        return None if known.d_ms is None else wall_ms + known.d_ms

    def home(self, show: str) -> int | None:
        """Return the index of the worker that has the show's publication; None when there is none."""
        known = self.publications.by_show.get(show)
        return None if known is None or known.ended else known.worker

    async def ready(self) -> bool:
        """Tell whether every media worker answers."""
        try:
            answers = await asyncio.gather(
                *(worker.request("GET", "/health", timeout_s=HEALTH_TIMEOUT_S) for worker in self.workers)
            )
        except MediaUnavailable:
            return False
        return all(answer.status == 200 for answer in answers)

    async def request(
        self, worker: int, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> MediaAnswer:
        """Send a request to one worker; raises MediaUnavailable, also when there is no such worker."""
        if not 0 <= worker < len(self.workers):
            raise MediaUnavailable(f"media worker {worker}: not configured")
        return await self.workers[worker].request(method, path, headers, body)

    # Ending

    async def end_subject(self, show: str, pid: str) -> None:
        """End all video of ``pid`` on ``show``, sent and received."""
        await self._all("DELETE", f"/by-tag/{quote(pid, safe='')}?show={quote(show, safe='')}")

    async def end_membership(self, show: str, pid: str) -> None:
        """End what ``pid`` publishes on ``show`` as its member alone."""
        await self._all("DELETE", f"/shows/{quote(show, safe='')}/members/{quote(pid, safe='')}")

    async def end_show(self, show: str) -> None:
        """End all video of ``show``."""
        await self._all("DELETE", f"/shows/{quote(show, safe='')}")

    async def blank(self, show: str, *, blanked: bool) -> None:
        """Hide the show's video from its viewers, or show it again."""
        await self._all(
            "PUT", f"/shows/{quote(show, safe='')}/video", msgspec.json.encode({"blanked": blanked})
        )

    def remember_receiver(self, jti: str, show: str, pid: str) -> None:
        """Note that video of ``show`` was given for the token ``jti``, so that `on_revoked` can end it."""
        self._receivers.setdefault(jti, set()).add((show, pid))
        self._receivers.move_to_end(jti)
        if len(self._receivers) > RECEIVERS_MAX:
            self._receivers.popitem(last=False)

    def on_revoked(self, jti: str) -> None:
        """End the video that was given for a token that has been taken back."""
        for show, pid in self._receivers.pop(jti, ()):
            self._start(self.end_subject(show, pid), "media_end_revoked")

    def on_erased(self, pid: str) -> None:
        """End all video of a person that has been erased."""
        self._start(self._all("DELETE", f"/by-tag/{quote(pid, safe='')}"), "media_end_erased")

    # Following

    async def _follow(self, worker: MediaWorker) -> None:
        while True:
            try:
                async for line in worker.events():
                    if line:
                        self._hear(worker.index, line)
            except MediaUnavailable:
                pass
            EVENTS_LOST.labels(media_worker=str(worker.index)).inc()
            self.publications.lose(worker.index, self._now())
            self._synced.clear()  # a worker that restarted has forgotten what is blanked
            await asyncio.sleep(RECONNECT_S)

    def _hear(self, worker: int, line: bytes) -> None:
        try:
            event = self._decoder.decode(line)
        except msgspec.DecodeError:
            UNKNOWN_EVENTS.inc()
            return
        match event:
            case ClockEvent():
                self.publications.measure(event)
                self._viewers.on_clock(
                    event.show, event.publication, event.rtp_timestamp, round(event.server_ms)
                )
            case StateEvent():
                for show in self.publications.hear_all(worker, event.shows, self._now()):
                    self._viewers.on_publisher_gone(show)
            case PublisherEvent():
                if self.publications.hear(worker, event, self._now()):
                    self._viewers.on_publisher_gone(event.show)

    async def _tick_forever(self) -> None:
        while True:
            started = self._now()
            await asyncio.gather(*(self._send_clock(worker) for worker in self.workers))
            try:
                await self._record()
            except StoreError:
                log.warning("media_state_not_recorded")
            await asyncio.sleep(max(0.1, TICK_S - (self._now() - started)))

    async def _send_clock(self, worker: MediaWorker) -> None:
        offset_ms = self._now_ms() - self._now() * 1000
        body = msgspec.json.encode({"server_minus_monotonic_ms": offset_ms})
        await self._tell(worker, "PUT", "/clock", body)

    async def _record(self) -> None:
        """Renew homes, tell the media workers what is blanked, write who is away. Raises StoreError."""
        for show, known in self.publications.running():
            await self._homes.renew_home(show, str(known.worker), known.publication)
            if self._synced.get(show) != known.publication:
                await self.blank(show, blanked=await self._homes.is_blanked(show))
                self._synced[show] = known.publication
        for decision in self.publications.decide(self._now()):
            await self._write(decision)

    async def _write(self, decision: HostAway) -> None:
        await self._homes.host_away(decision.show, away=decision.away)
        if decision.show in self.publications.by_show:
            self.publications.said(decision, self._now())

    # Telling

    async def _all(self, method: str, path: str, body: bytes = b"") -> None:
        await asyncio.gather(*(self._tell(worker, method, path, body) for worker in self.workers))

    async def _tell(self, worker: MediaWorker, method: str, path: str, body: bytes) -> None:
        """Send what needs no answer.

        A worker that is gone has no video to end, and is told again when back.
        """
        try:
            answer = await worker.request(
                method, path, {"Content-Type": "application/json"} if body else {}, body
            )
        except MediaUnavailable:
            return
        if answer.status >= 400 and answer.status != 404:
            log.warning("media_refused", media_worker=worker.index, method=method, status=answer.status)

    def _start(self, errand: Coroutine[Any, Any, None], name: str) -> None:
        task = start_task(errand, name)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
