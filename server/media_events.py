"""What the media workers report, and what follows from it. Pure: events and time in, decisions out.

A host counts as away when its packets have been missing for two seconds, whatever the reason: a lost link, a
closed page, a media worker that died, a media worker that this process cannot hear.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec

AWAY_AFTER_S: Final = 2.0
REASSERT_S: Final = 5.0
"""How often "the host is there" is said again: who heard otherwise may die before correcting it."""

State = Literal["up", "away", "down"]


class Published(msgspec.Struct):
    """One publication: whose, in which state, and ``d_ms``, the D of its clock (FRAMELOCK), once measured."""

    show: str
    publication: str
    pid: str
    state: State = "up"
    d_ms: float | None = None


class PublisherEvent(Published, tag="publisher", tag_field="type"):
    """A publication appeared, lost its packets, came back, or ended for good."""


class ClockEvent(msgspec.Struct, tag="clock", tag_field="type"):
    """The frame with this RTP timestamp belongs to this server time."""

    show: str
    publication: str
    rtp_timestamp: int
    server_ms: float
    d_ms: float | None = None


class StateEvent(msgspec.Struct, tag="state", tag_field="type"):
    """All publications of a media worker, once a second."""

    shows: list[Published]


Event = PublisherEvent | ClockEvent | StateEvent


class HostAway(NamedTuple):
    """A decision: record that the host of ``show`` is away, or is there."""

    show: str
    away: bool


@dataclass(slots=True)
class Publication:
    """A publication as last heard of.

    ``missing_since`` is in seconds of `now`, None while its packets come.
    """

    worker: int
    publication: str
    pid: str
    d_ms: float | None = None
    missing_since: float | None = None
    ended: bool = False


@dataclass(slots=True)
class _Said:
    away: bool
    at: float


@dataclass(slots=True)
class Publications:
    """Every publication that the media workers have told of.

    ``now`` is monotonic seconds and never runs back.
    """

    by_show: dict[str, Publication] = field(default_factory=dict[str, Publication])
    _said: dict[str, _Said] = field(default_factory=dict[str, _Said])

    def hear(self, worker: int, heard: Published, now: float) -> bool:
        """Take one report; True when a publication that ran has now ended for good."""
        known = self.by_show.get(heard.show)
        if heard.state == "down":
            return self._end(known, worker, heard.publication, now)
        if known is None or known.publication != heard.publication:
            known = self.by_show[heard.show] = Publication(worker, heard.publication, heard.pid)
        known.worker, known.pid, known.d_ms, known.ended = worker, heard.pid, heard.d_ms, False
        if heard.state == "up":
            known.missing_since = None
        elif known.missing_since is None:
            known.missing_since = now
        return False

    def hear_all(self, worker: int, heard: list[Published], now: float) -> list[str]:
        """Take a worker's whole list.

        Return the shows whose publication is not in it any more and so has ended.
        """
        for published in heard:
            self.hear(worker, published, now)
        listed = {published.show for published in heard}
        missing = [
            show
            for show, known in self.by_show.items()
            if known.worker == worker and not known.ended and show not in listed
        ]
        return [
            show
            for show in missing
            if self._end(self.by_show[show], worker, self.by_show[show].publication, now)
        ]

    def measure(self, clock: ClockEvent) -> None:
        """Take the D that a clock event carries."""
        known = self.by_show.get(clock.show)
        if known is not None and known.publication == clock.publication and clock.d_ms is not None:
            known.d_ms = clock.d_ms

    def lose(self, worker: int, now: float) -> None:
        """Note that ``worker`` cannot be heard: what it published is missing until it is heard of again."""
        for known in self.by_show.values():
            if known.worker == worker and known.missing_since is None:
                known.missing_since = now

    def running(self) -> list[tuple[str, Publication]]:
        """Return what has not ended."""
        return [(show, known) for show, known in self.by_show.items() if not known.ended]

    def decide(self, now: float) -> list[HostAway]:
        """Return what has to be recorded; report back with `said` once it is."""
        decisions: list[HostAway] = []
        for show, known in self.by_show.items():
            said = self._said.get(show)
            if known.missing_since is None:
                if said is None or said.away or now - said.at >= REASSERT_S:
                    decisions.append(HostAway(show, away=False))
            elif now - known.missing_since >= AWAY_AFTER_S and (said is None or not said.away):
                decisions.append(HostAway(show, away=True))
        return decisions

    def said(self, decision: HostAway, now: float) -> None:
        """Note that a decision is recorded; an ended publication is then forgotten."""
        if decision.away and self.by_show[decision.show].ended:
            del self.by_show[decision.show]
            self._said.pop(decision.show, None)
        else:
            self._said[decision.show] = _Said(decision.away, now)

    @staticmethod
    def _end(known: Publication | None, worker: int, publication: str, now: float) -> bool:
        """End ``publication`` if it is still the one that runs: a replaced one ends without a trace."""
        if known is None or known.ended or known.worker != worker or known.publication != publication:
            return False
        known.ended = True
        if known.missing_since is None:
            known.missing_since = now
        return True
