"""What a media worker does: joins UDP port, router and fan-out, and owns publications and viewers.

Calls come from the signalling (`publish`, `subscribe`, `restart`, `end`, …) and from the mux, on one event
loop. Who may publish at all was decided before; who may publish at once is `media.transport.stages`'.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import structlog

from media.config import MediaConfig
from media.kernel import Fanout
from media.kernel.choice import open_fanout
from media.router import (
    PublisherConfig,
    Router,
    ShowHealth,
    SubscriberConfig,
)
from media.transport.answer import (
    CNAME,
    LocalTransport,
    NoCommonCodec,
    PublisherAnswer,
    ViewerAnswer,
    answer_publisher,
    answer_viewer,
    restart_fragment,
)
from media.transport.dtls import DtlsContext
from media.transport.mux import Mux
from media.transport.notices import Notice, event_of
from media.transport.peer import Peer
from media.transport.pump import Pump
from media.transport.resource import (
    AlreadyPublishing,
    Created,
    Full,
    Resource,
    Resources,
    Restarted,
    new_etag,
)
from media.transport.sdp import Offer, parse_fragment, parse_offer
from media.transport.stages import Stages
from media.transport.tcp import TcpPassages

log = structlog.get_logger("media")

Emit = Callable[[dict[str, Any]], None]


def _random_u32() -> int:
    return secrets.randbits(32)


class Relay:
    """One worker's media. `emit` takes the events that the web worker follows."""

    def __init__(
        self,
        config: MediaConfig,
        sock: socket.socket,
        hosts: Sequence[str],
        emit: Emit,
        tcp: TcpPassages | None = None,
    ) -> None:
        port: int = sock.getsockname()[1]
        self._config = config
        self._emit = emit
        self._context = DtlsContext()
        self._addresses = [(host, port) for host in hosts]
        self._tcp_addresses = [(host, tcp.port) for host in hosts] if tcp else []
        self._tcp_counters: Mapping[str, int] = tcp.counters if tcp else {}
        self._mux = Mux(sock, self._context, self)
        self._fanout: Fanout = open_fanout(sock)
        self._router = Router(_random_u32)
        self._resources = Resources()
        self._stages = Stages()
        self._pump = Pump(self._router, self._fanout, self._mux.guard, self._notify)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to serve the UDP port."""
        self._pump.start(loop)
        self._mux.start(loop)

    def stop(self) -> None:
        """Close every peer. The socket is the caller's."""
        for resource in self._resources.matching(None, None):
            self._end(resource, on_purpose=True)
        self._mux.stop()
        self._pump.stop()

    # --- signalling ---------------------------------------------------------------------------------------

    def publish(
        self, show: str, pid: str, sdp: str, *, by_membership: bool = False
    ) -> Created | AlreadyPublishing | Full | NoCommonCodec:
        """Take a WHIP offer (RFC 9725 §4.2). SdpError when it is garbage.

        The same pid's earlier publication goes on until the new one has its keys, so a reload shows no gap.
        """
        offer = parse_offer(sdp)
        if not self._stages.may_publish(show, pid, monotonic()):
            return AlreadyPublishing()
        if self._resources.publishers >= self._config.max_publishers:
            return Full()
        made = self._create(
            show, pid, offer, lambda local: answer_publisher(offer, local), f"pub_{secrets.token_urlsafe(12)}"
        )
        if isinstance(made, Created):
            made.resource.by_membership = by_membership
            self._end_named(self._stages.begin(show, pid, made.resource.name))
        return made

    def subscribe(self, show: str, pid: str, sdp: str, *, client: str = "") -> Created | Full | NoCommonCodec:
        """Take a WHEP offer. SdpError when it is garbage. Nobody needs to publish yet.

        Of a pid that watches too often at once the oldest view ends; a `client` (empty: not counted) with too
        many views gets no more.
        """
        offer = parse_offer(sdp)
        views = [one for one in self._resources.matching(None, pid) if not one.publication]
        oldest = views[0] if len(views) >= self._config.max_views_per_pid else None
        if oldest is None and self._resources.viewers >= self._config.max_subscribers:
            return Full()
        instead = oldest is not None and oldest.client == client
        if client and self._resources.views_of(client) - instead >= self._config.max_views_per_client:
            return Full()
        if oldest is not None:
            self._end(oldest, on_purpose=True)
        made = self._create(show, pid, offer, lambda local: answer_viewer(offer, local, _random_u32))
        if isinstance(made, Created):
            made.resource.client = client
        return made

    def resource(self, name: str) -> Resource | None:
        """The resource of that name, if it still exists."""
        return self._resources.by_name.get(name)

    def trickle(self, fragment: str) -> None:
        """Check a fragment and ignore it: a lite agent never calls, so the peer's candidates are no use."""
        parse_fragment(fragment)

    def restart(self, resource: Resource, fragment: str) -> Restarted | None:
        """ICE restart (RFC 9725 §4.3.3); None when the fragment has no credentials, SdpError when garbage."""
        parsed = parse_fragment(fragment)
        if parsed.ufrag is None or parsed.pwd is None:
            return None
        self._mux.restart_ice(resource.peer)
        resource.etag = new_etag()
        return Restarted(
            resource.etag, restart_fragment(resource.answer.accepted, self._local(resource.peer))
        )

    def set_view(self, resource: Resource, view: tuple[float, float] | None) -> None:
        """The box in pixels that a viewer's picture lies in; remembered until it is connected."""
        resource.view = view
        if resource.peer.slot is not None:
            self._router.set_view(resource.peer.slot, view, monotonic())
            self._pump.flush()

    def end(self, resource: Resource) -> None:
        """DELETE: a publisher that ends on purpose gives the show free at once."""
        self._end(resource, on_purpose=True)

    def end_tag(self, pid: str, show: str | None) -> int:
        """End everything of a pid, in one show or in all; returns how many there were."""
        found = self._resources.matching(show, pid)
        for resource in found:
            self._end(resource, on_purpose=True)
        return len(found)

    def end_membership(self, pid: str, show: str) -> int:
        """End what a pid publishes as a member of the show alone; returns how many there were."""
        found = [one for one in self._resources.matching(show, pid) if one.by_membership]
        for resource in found:
            self._end(resource, on_purpose=True)
        return len(found)

    def end_show(self, show: str) -> int:
        """End everything of a show; returns how many peers there were."""
        found = self._resources.matching(show, None)
        for resource in found:
            self._end(resource, on_purpose=True)
        self._router.remove_show(show, monotonic())
        self._pump.flush()
        self._stages.remove(show)
        return len(found)

    def set_clock(self, server_minus_monotonic_ms: float) -> None:
        """Server time minus this machine's monotonic clock, in ms."""
        self._router.set_clock(server_minus_monotonic_ms, monotonic())
        self._pump.flush()

    def set_blanked(self, show: str, *, blanked: bool) -> None:
        """Hide or show a show's video."""
        self._router.set_blanked(show, blanked=blanked, now=monotonic())
        self._pump.flush()

    # --- what can be asked --------------------------------------------------------------------------------

    def health(self, show: str) -> tuple[str, ShowHealth]:
        """The id of the show's newest publication ('' without one) and the contract's health of the show."""
        stage = self._stages.find(show)
        return (stage.publication if stage else ""), self._router.health(show, monotonic())

    def counters(self) -> Mapping[str, int]:
        """Totals of mux, router and fan-out."""
        return {**self._mux.counters, **self._tcp_counters, **self._router.counters(), **self._pump.totals}

    def gauges(self) -> Mapping[str, int]:
        """What is there now."""
        return {"publishers": self._resources.publishers, "viewers": self._resources.viewers}

    def publications(self) -> list[dict[str, Any]]:
        """The shows that have a live publication, for the 1 Hz state event."""
        return [
            {
                "show": show,
                "publication": stage.publication,
                "pid": stage.published_by,
                "state": stage.state,
                "d_ms": stage.delay_ms,
            }
            for show, stage in self._stages.live(monotonic())
        ]

    # --- the mux's calls ----------------------------------------------------------------------------------

    def on_connected(self, peer: Peer) -> None:
        """Keys are there: give the peer a slot and tell the router what it is."""
        resource, keys = self._resources.by_peer[peer.key], peer.dtls.keys
        if keys is None or peer.address is None:
            return
        now = monotonic()
        answer = resource.answer
        transport_cc = answer.transport_cc if isinstance(answer, ViewerAnswer) else 0
        slot = peer.slot = self._fanout.add_slot(
            keys.profile.libsrtp_profile, keys.send, peer.address, transport_cc, keys.receive
        )
        if isinstance(answer, ViewerAnswer):
            config = SubscriberConfig(resource.show, answer.tracks, CNAME, transport_cc)
            self._router.add_subscriber(slot, config, now)
            if resource.view is not None:
                self._router.set_view(slot, resource.view, now)
        else:
            config = PublisherConfig(resource.show, resource.publication, answer.tracks, answer.extensions)
            self._router.add_publisher(slot, config, now)
            self._end_named(
                self._stages.connected(resource.show, resource.name, resource.pid, resource.publication)
            )
        self._pump.flush()

    def on_moved(self, peer: Peer) -> None:
        """ICE chose another pair."""
        if peer.slot is not None and peer.address is not None:
            self._fanout.set_address(peer.slot, peer.address)
            self._router.moved(peer.slot, monotonic())
            self._pump.flush()

    def on_closed(self, peer: Peer, why: str) -> None:
        """The peer went by itself."""
        resource = self._resources.by_peer.get(peer.key)
        if resource is not None:
            # viewers leave in crowds: they are told by the counters
            tell = log.info if resource.publication else log.debug
            tell("peer_gone", show=resource.show, publisher=bool(resource.publication), why=why)
            self._end(resource, on_purpose=False)

    def on_rtp(self, peer: Peer, packet: bytes, now: float) -> None:
        """Media from a publisher."""
        if peer.slot is not None:
            self._router.receive_rtp(peer.slot, packet, now)

    def on_srtcp(self, peer: Peer, datagram: bytes, now: float) -> None:
        """Reports and feedback from anybody."""
        if peer.slot is None:
            return
        compound = self._fanout.open_rtcp(peer.slot, datagram, int(now * 1e6))
        if compound is not None:
            self._router.receive_rtcp(peer.slot, compound, now)

    def on_batch_end(self) -> None:
        """A batch has been read: send what it led to."""
        self._pump.flush()

    # --- inside -------------------------------------------------------------------------------------------

    def _create(
        self,
        show: str,
        pid: str,
        offer: Offer,
        answer: Callable[[LocalTransport], PublisherAnswer | ViewerAnswer | NoCommonCodec],
        publication: str = "",
    ) -> Created | NoCommonCodec:
        peer = self._mux.add(offer.role, offer.fingerprints)
        answered = answer(self._local(peer))
        if isinstance(answered, NoCommonCodec):
            self._mux.remove(peer)
            return answered
        name = f"{self._config.index}.{secrets.token_urlsafe(18)}"
        resource = Resource(name, show, pid, peer, replace(answered, sdp=""), publication)
        self._resources.add(resource)
        return Created(resource, answered.sdp)

    def _local(self, peer: Peer) -> LocalTransport:
        return LocalTransport(
            peer.ice.credentials, self._context.fingerprint, self._addresses, self._tcp_addresses
        )

    def _end_named(self, name: str | None) -> None:
        resource = None if name is None else self._resources.by_name.get(name)
        if resource is not None:
            self._end(resource, on_purpose=True)

    def _end(self, resource: Resource, *, on_purpose: bool) -> None:
        """Take a resource out of every table; the router keeps a publisher's timeline for its return."""
        if not self._resources.discard(resource):
            return
        self._mux.remove(resource.peer)
        now = monotonic()
        if resource.publication:
            self._stages.gone(resource.show, resource.name, resource.peer.checked_at, on_purpose=on_purpose)
        slot = resource.peer.slot
        if slot is not None:
            self._router.remove_peer(slot, now)
            self._pump.flush()
            self._fanout.remove_slot(slot)

    def _notify(self, notice: Notice) -> None:
        self._emit(event_of(notice, self._stages.find(notice.show)))
