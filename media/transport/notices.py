"""What the router says about a publication, as the event that the web worker reads (`GET /events`)."""

from typing import Any, Literal

from media.router import ClockMapping, PublisherAway, PublisherBack, PublisherDown, PublisherUp
from media.transport.stages import Stage

Notice = ClockMapping | PublisherUp | PublisherAway | PublisherBack | PublisherDown

_STATES: dict[type[Notice], Literal["up", "away", "down"]] = {
    PublisherUp: "up",
    PublisherBack: "up",
    PublisherAway: "away",
    PublisherDown: "down",
}


def event_of(notice: Notice, stage: Stage | None) -> dict[str, Any]:
    """The event, after writing down in the show's stage what it changes there."""
    event: dict[str, Any] = {"show": notice.show, "publication": notice.publication}
    if isinstance(notice, ClockMapping):
        if stage is not None:
            stage.delay_ms = notice.delay_ms
        return event | {
            "type": "clock",
            "rtp_timestamp": notice.rtp_timestamp,
            "server_ms": notice.server_ms,
            "d_ms": notice.delay_ms,
        }
    state = _STATES[type(notice)]
    if stage is not None:
        stage.state = "" if state == "down" else state
    return event | {
        "type": "publisher",
        "state": state,
        "pid": stage.published_by if stage else "",
        "d_ms": stage.delay_ms if stage else None,
    }
