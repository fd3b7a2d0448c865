"""What a viewer's commands do: `ping` is answered, `react` is summed, `chat` goes to the store, `report` is
passed on.

Rates are judged here; a refusal is an `error` update with the page's own `cid`. Handling never waits: a chat
line is a task of its own, one at a time for each connection.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from server.live.chat import Chat, NotSaid
from server.live.crowd import Crowd
from server.live.limits import KeyedBuckets, Rates
from server.live.protocol import Command, Measured, Ping, React, Report, Say
from server.live.roles import Action, permits
from server.live.updates import Failure, Pong
from server.live.viewers import Viewer
from server.telemetry import counter, histogram, start_task

CHATS_IN_FLIGHT_MAX: Final = 1_000
COMMANDS = counter("ws_commands", "Commands from viewers", ["type"])
FREEZES = counter("video_freezes", "Freezes of the video that pages reported")
FIRST_FRAME = histogram(
    "video_first_frame_seconds",
    "From opening a page whose show is on air to its first frame, as pages reported",
    (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60),
)
REFUSED = counter("ws_commands_refused", "Commands that were refused", ["code"])

OnReport = Callable[[str, str, Measured], None]


class Commands:
    """Carries out commands for all viewers of this process. `on_report(show, pid, report)` gets clamped
    reports.
    """

    def __init__(
        self,
        chat: Chat,
        rates: Rates,
        *,
        now_ms: Callable[[], int],
        now: Callable[[], float],
        on_report: OnReport,
    ) -> None:
        self._chat = chat
        self._now_ms = now_ms
        self._now = now
        self._on_report = on_report
        self._reactions = KeyedBuckets(rates.reactions_per_s, rates.reactions_burst)
        self._saying: dict[Viewer, asyncio.Task[None]] = {}

    def handle(self, crowd: Crowd, viewer: Viewer, command: Command) -> None:
        """Carry out one command."""
        COMMANDS.labels(type=command.__struct_config__.tag).inc()
        match command:
            case Ping(t=t):
                viewer.write(crowd.frame("pong", Pong(t, self._now_ms())))
            case React():
                self._react(crowd, viewer, command)
            case Say():
                self._say(crowd, viewer, command)
            case Report():
                self._report(crowd, viewer, command.clamped())

    async def close(self) -> None:
        """End what is on its way."""
        saying = list(self._saying.values())
        for task in saying:
            task.cancel()
        await asyncio.gather(*saying, return_exceptions=True)

    def _react(self, crowd: Crowd, viewer: Viewer, command: React) -> None:
        if not permits(Action.REACT, viewer.roles):
            self.refuse(crowd, viewer, "forbidden", "Watching only")
            return
        wait_s = 0.0
        if not viewer.exempt:
            wait_s = self._reactions.take(viewer.holder.pid, self._now(), command.n)
        if wait_s > 0:
            self.refuse(
                crowd, viewer, "rate_limited", "Too many reactions", retry_after_ms=int(wait_s * 1_000) + 1
            )
            return
        crowd.taps.add(command.kind, command.n)

    def _report(self, crowd: Crowd, viewer: Viewer, report: Measured) -> None:
        """`freezes` counts from the start of the page's video; a smaller number is a new start. The
        first frame of a connection counts once.
        """
        known = viewer.freezes_reported
        new = report.freezes - (known if report.freezes >= known else 0)
        crowd.freezes.add(new, self._now_ms())
        FREEZES.inc(new)
        viewer.freezes_reported = report.freezes
        if report.first_frame_ms is not None and not viewer.first_frame_reported:
            viewer.first_frame_reported = True
            FIRST_FRAME.observe(report.first_frame_ms / 1000)
        self._on_report(crowd.show, viewer.holder.pid, report)

    def _say(self, crowd: Crowd, viewer: Viewer, command: Say) -> None:
        if not viewer.holder.pid or not permits(Action.CHAT, viewer.roles):
            self._not_said(crowd, viewer, command.cid, NotSaid("forbidden"))
        elif viewer in self._saying or len(self._saying) >= CHATS_IN_FLIGHT_MAX:
            self._not_said(crowd, viewer, command.cid, NotSaid("rate_limited", 200))
        else:
            self._saying[viewer] = start_task(self._say_it(crowd, viewer, command), "chat line")

    async def _say_it(self, crowd: Crowd, viewer: Viewer, command: Say) -> None:
        try:
            exempt = viewer.exempt or permits(Action.MODERATE_CHAT, viewer.roles)
            said = await self._chat.say(
                viewer.holder, viewer.roles, command.text, now=self._now(), exempt=exempt
            )
        finally:
            self._saying.pop(viewer, None)
        if isinstance(said, NotSaid):
            self._not_said(crowd, viewer, command.cid, said)

    def _not_said(self, crowd: Crowd, viewer: Viewer, cid: str, why: NotSaid) -> None:
        self.refuse(crowd, viewer, why.code, why.message, cid=cid, retry_after_ms=why.retry_after_ms)

    def refuse(
        self, crowd: Crowd, viewer: Viewer, code: str, message: str, *, cid: str = "", retry_after_ms: int = 0
    ) -> None:
        """Tell one viewer that something was not done."""
        REFUSED.labels(code=code).inc()
        if viewer.closing:
            return
        viewer.write(crowd.frame("error", Failure(code, message, cid, retry_after_ms)))
