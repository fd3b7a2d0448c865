"""Who publishes which show: one pid at a time, its newer publication in place of its older one.

Pure rules: no sockets, no clock. A show stays its publisher's for `PUBLISHER_RETURN_S` after the last sign of
a transport that died; ending on purpose gives it free at once.
"""

from dataclasses import dataclass, field
from typing import Literal

PUBLISHER_RETURN_S = 30.0
"""As long as the router keeps a lost publisher's timeline."""


@dataclass(slots=True)
class Stage:
    """A show's publisher. `current` and `pending` name resources: connected, and on its way to replace it."""

    pid: str
    """Who holds the show."""
    published_by: str = ""
    publication: str = ""
    """Pid and id of the newest publication that was connected."""
    current: str | None = None
    pending: str | None = None
    left_at: float | None = None
    """The last sign of the last transport; None while there is one, or when it was ended on purpose."""
    state: Literal["", "up", "away"] = ""
    """What the router last said of a publication here; empty before the first packet and after the last."""
    delay_ms: float | None = None

    def held(self, now: float) -> bool:
        """Whether another pid has to wait."""
        if self.current is not None or self.pending is not None:
            return True
        return self.left_at is not None and now - self.left_at < PUBLISHER_RETURN_S


@dataclass(slots=True)
class Stages:
    """The stages of all shows of a worker."""

    _by_show: dict[str, Stage] = field(default_factory=dict[str, Stage])

    def find(self, show: str) -> Stage | None:
        """The stage of a show that somebody publishes or has just published."""
        return self._by_show.get(show)

    def may_publish(self, show: str, pid: str, now: float) -> bool:
        """False is the contract's 409."""
        stage = self._by_show.get(show)
        return stage is None or stage.pid == pid or not stage.held(now)

    def begin(self, show: str, pid: str, resource: str) -> str | None:
        """A publish was accepted; returns a pending resource of the same pid that it makes obsolete."""
        stage = self._by_show.get(show)
        if stage is None:
            stage = self._by_show[show] = Stage(pid)
        obsolete, stage.pending = stage.pending, resource
        stage.pid = pid
        return obsolete

    def connected(self, show: str, resource: str, pid: str, publication: str) -> str | None:
        """The pending publication has its keys; returns the resource that it replaces."""
        stage = self._by_show.get(show)
        if stage is None:
            return None
        replaced, stage.current = stage.current, resource
        stage.published_by, stage.publication = pid, publication
        if stage.pending == resource:
            stage.pending = None
        stage.left_at = None
        return replaced if replaced != resource else None

    def gone(self, show: str, resource: str, heard_at: float, *, on_purpose: bool) -> None:
        """A publisher's resource ended, whose last sign was at `heard_at`: a killed page is found out late.
        Its show stays reserved unless that was on purpose.
        """
        stage = self._by_show.get(show)
        if stage is None or resource not in (stage.current, stage.pending):
            return
        was_current = stage.current == resource
        if was_current:
            stage.current = None
        else:
            stage.pending = None
        if was_current and stage.pending is None:
            stage.left_at = None if on_purpose else heard_at

    def remove(self, show: str) -> None:
        """Forget a show."""
        self._by_show.pop(show, None)

    def live(self, now: float) -> list[tuple[str, Stage]]:
        """The shows with a live publication; forgets the stages that nobody holds any more."""
        for show in [
            show for show, stage in self._by_show.items() if not stage.state and not stage.held(now)
        ]:
            del self._by_show[show]
        return [(show, stage) for show, stage in self._by_show.items() if stage.state]
