"""A WHIP or WHEP resource, and the outcomes of asking the relay for one."""

import secrets
from dataclasses import dataclass, field

from media.transport.answer import PublisherAnswer, ViewerAnswer
from media.transport.peer import Peer


def new_etag() -> str:
    """A strong entity tag for one generation of ICE credentials (RFC 9725 §4.3.1)."""
    return f'"{secrets.token_urlsafe(9)}"'


@dataclass(eq=False, slots=True)
class Resource:
    """What stands behind a URL: its show, whose it is, its transport and what was agreed."""

    name: str
    show: str
    pid: str
    peer: Peer
    answer: PublisherAnswer | ViewerAnswer
    publication: str = ""
    """Empty for a viewer."""
    by_membership: bool = False
    """The publisher may publish as a member of the show alone, so its publication ends with that role."""
    client: str = ""
    """From where a viewer came, as the web worker names it; empty: not counted."""
    view: tuple[float, float] | None = None
    """The box in pixels that a viewer's picture lies in, as far as its page has told."""
    etag: str = field(default_factory=new_etag)


@dataclass(frozen=True, slots=True)
class Created:
    """201 with the answer's text, which the resource does not keep."""

    resource: Resource
    sdp: str


@dataclass(frozen=True, slots=True)
class AlreadyPublishing:
    """409: somebody else is publishing this show."""


@dataclass(frozen=True, slots=True)
class Full:
    """503: as many publishers or viewers as the worker takes."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """200: new ICE credentials in a fragment, under a new ETag."""

    etag: str
    fragment: str


@dataclass(slots=True)
class Resources:
    """Every way to find a resource."""

    by_name: dict[str, Resource] = field(default_factory=dict[str, Resource])
    by_peer: dict[int, Resource] = field(default_factory=dict[int, Resource])
    publishers: int = 0

    @property
    def viewers(self) -> int:
        """Subscribers, connected or on their way."""
        return len(self.by_name) - self.publishers

    def add(self, resource: Resource) -> None:
        """Make it findable."""
        self.by_name[resource.name] = self.by_peer[resource.peer.key] = resource
        self.publishers += bool(resource.publication)

    def discard(self, resource: Resource) -> bool:
        """Take it out; False when it was out already."""
        if self.by_name.pop(resource.name, None) is None:
            return False
        del self.by_peer[resource.peer.key]
        self.publishers -= bool(resource.publication)
        return True

    def views_of(self, client: str) -> int:
        """How many viewers came from there."""
        return sum(one.client == client for one in self.by_name.values())

    def matching(self, show: str | None, pid: str | None) -> list[Resource]:
        """Those of a show, of a pid, or of both."""
        return [one for one in self.by_name.values() if show in (None, one.show) and pid in (None, one.pid)]
