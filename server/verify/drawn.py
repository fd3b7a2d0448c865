"""What a replay keeps of a draw. Pure."""

from dataclasses import dataclass, field

from server.verify.bodies import DrawBody, DrawCancelled, DrawClosed, DrawDrawn, DrawEntered, DrawOpened


@dataclass
class Draw:
    """A draw as its entries have told it; `state` as in a `DrawView`."""

    sku: str
    units: int
    price_minor: int
    commitment: str
    ends_sale_ms: int
    state: str = "open"
    entries: set[str] = field(default_factory=set[str])


@dataclass
class Draws:
    """All draws of a show."""

    known: dict[str, Draw] = field(default_factory=dict[str, Draw])
    drawn: str = ""
    """The draw whose winners have just been told."""
    winners: tuple[str, ...] = ()
    """Those of them who have no order yet: the next entries are theirs."""

    def apply(self, body: DrawBody, pid: str) -> None:
        match body:
            case DrawOpened():
                terms = body.sku, body.units, body.price_minor, body.commitment, body.ends_sale_ms
                self.known[body.id] = Draw(*terms)
            case DrawEntered():
                self.known[body.id].entries.add(pid)
            case DrawClosed():
                self.known[body.id].state = "closed"
            case DrawDrawn(id=draw, winners=winners):
                self._end(draw)
                self.drawn, self.winners = draw, winners
            case DrawCancelled(id=draw):
                self._end(draw)

    def _end(self, draw: str) -> None:
        """Who entered does not matter any more."""
        self.known[draw].state, self.known[draw].entries = "over", set()
