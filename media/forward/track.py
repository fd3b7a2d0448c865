"""A show's audio or video: the layers of its publication on one timeline, and which viewer is sent which.

A publisher without simulcast has one layer, with rid ''. With it, each rid is a layer of its own; the
first that sends leads the timeline, and the others are placed on it by their sender reports, so that one
frame has one timestamp whatever the layer. A viewer changes layers when a keyframe of the new one begins,
and is sent the old one until then.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from media.forward.bandwidth import MIN_BPS
from media.forward.layers import START_BPS, choose, fitting
from media.forward.model import Kind, PeerId
from media.forward.numbering import FIRST_SEQUENCE
from media.forward.pictures import PictureCounter
from media.forward.published_track import PublishedLayer
from media.forward.requests import Request
from media.forward.subscription import Subscription
from media.forward.timeline import OutgoingTimeline, SourceClock
from media.kernel import Acked

MAX_LAYERS = 4
"""Three and the one without a name, for a track's life; streams of more rids have nowhere to go."""
SILENT_S = 0.5
"""A layer of which nothing came for so long while another goes on has been switched off by its encoder."""
SETTLED_S = 0.3
"""So long another one must have gone on: after a pause of them all, one comes back first."""
UNREPORTED_S = 3.0
"""Without sender reports for so long, arrival times place a layer: some frames off is better than never."""
UNHEARD_S = 0.4
"""Feedback that all is well is told four times a second."""
PACE = 2.5
"""A narrow path gets frames at so many times its capacity: a keyframe in slices, and yet in time."""
PACED_S = 10.0
"""Without trouble for so long, a viewer gets its frames at once again."""
TURNS = 5
"""Viewers are looked at in turns; whoever reports is looked at at once."""


class Track:
    """See the module. `subscriptions` are everybody's on this track, whatever layer they are on."""

    def __init__(
        self,
        kind: Kind,
        timeline: OutgoingTimeline,
        emit: Callable[[Request], None],
        on_frame: Callable[[PublishedLayer, list[bytes]], None],
    ) -> None:
        self.kind = kind
        self.timeline = timeline
        self.subscriptions: dict[PeerId, Subscription] = {}
        self.layers: dict[str, PublishedLayer] = {}
        self.rids: tuple[str, ...] = ("",)
        self.blanked = False
        self._emit = emit
        self._on_frame = on_frame
        self._pictures = PictureCounter()
        self._lead: PublishedLayer | None = None
        self._lead_clock: SourceClock | None = None
        self._unplaced_since: dict[str, float] = {}
        self._first = FIRST_SEQUENCE
        """What a new layer counts from: a viewer may still ask for a packet of an earlier one of its name."""
        self._add("")

    def _add(self, rid: str) -> PublishedLayer:
        layer = self.layers[rid] = PublishedLayer(
            self.kind,
            rid,
            timeline=self.timeline,
            pictures=self._pictures,
            emit=self._emit,
            on_frame=self._on_frame,
            place=self._place,
            enter=self._enter,
            first=self._first,
        )
        layer.blank(blanked=self.blanked)
        return layer

    # --- the publisher ------------------------------------------------------------------------------

    def begin(self, rids: Sequence[str]) -> None:
        """Another publisher connects, with these layers (none: the one without a name). What viewers of
        other layers wait for from now on is the first of them.
        """
        self.rids = tuple(rids[: MAX_LAYERS - 1]) or ("",)
        for rid in self.rids:
            if rid not in self.layers:
                self._add(rid)
        for subscription in self.subscriptions.values():
            if subscription.wanted not in self.rids:
                self._move(subscription, self.layers[self.rids[0]])
        for rid in [rid for rid in self.layers if rid and rid not in self.rids]:
            for peer in self.subscriptions:
                self.layers[rid].audience.leave(peer)
            self._first = max(self._first, self.layers.pop(rid).audience.sent_until)

    def layer(self, rid: str) -> PublishedLayer:
        """The layer that a stream with this rid feeds; that of an unknown rid is the first."""
        return self.layers.get(rid) or self.layers[self.rids[0]]

    def detach(self) -> None:
        """The publisher has gone; viewers keep what they have."""
        for layer in self.layers.values():
            layer.detach()
        self._lead = None
        self._unplaced_since.clear()

    def _place(self, layer: PublishedLayer, clock: SourceClock, ticks: int, now: float) -> int | None:
        """See `published_track.Place`."""
        if self.timeline.pinned or self._lead in (None, layer):
            first = self._lead is None
            self._lead, self._lead_clock = layer, clock
            self.timeline.attach(ticks, clock.ticks_per_ms, now * 1000)
            if first:
                self._gather(layer)
            elif not self.timeline.pinned:
                self._unplace_others(layer)
            return 0
        between_ms = self._between_ms(layer, clock, now)
        if between_ms is None:
            return None
        self._unplaced_since.pop(layer.rid, None)
        return round(between_ms * clock.ticks_per_ms)

    def _between_ms(self, layer: PublishedLayer, clock: SourceClock, now: float) -> float | None:
        """How far the layer's RTP time lies before the leading one's: by sender reports (FRAMELOCK's
        alignment), by arrival only where they do not come.
        """
        lead = self._lead_clock
        if lead is None:
            return None
        if clock.c0_ms is not None and lead.c0_ms is not None:
            return clock.c0_ms - lead.c0_ms
        mine, theirs = clock.floor_ms(), lead.floor_ms()
        since = self._unplaced_since.setdefault(layer.rid, now)
        if now - since < UNREPORTED_S or mine is None or theirs is None:
            return None
        return mine - theirs

    def _unplace_others(self, lead: PublishedLayer) -> None:
        for layer in self.layers.values():
            if layer is not lead:
                layer.unplace()

    def _gather(self, layer: PublishedLayer) -> None:
        """Everybody waits for the layer that leads a publication: it is the first that can be sent."""
        for subscription in self.subscriptions.values():
            if subscription.wanted != layer.rid:
                self._move(subscription, layer)

    # --- viewers ------------------------------------------------------------------------------------

    def join(self, subscription: Subscription, now: float) -> None:
        """Send the track to a viewer: the largest layer that a stranger is trusted with."""
        self.subscriptions[subscription.peer] = subscription
        fallback = self._lead.rid if self._lead is not None else self.rids[0]
        rid = choose(self._bitrates_bps(now), START_BPS, None) or fallback
        subscription.rid = subscription.wanted = rid
        self.layers[rid].join(subscription, now)

    def leave(self, peer: PeerId) -> None:
        """A viewer goes; unknown ones are ignored."""
        if self.subscriptions.pop(peer, None) is not None:
            for layer in self.layers.values():
                layer.audience.leave(peer)

    def layer_of(self, subscription: Subscription) -> PublishedLayer:
        """The layer that a viewer is sent, or was last."""
        return self.layer(subscription.rid)

    def _move(self, subscription: Subscription, layer: PublishedLayer) -> None:
        """Stop sending whatever is sent; go on with the next keyframe of this layer."""
        for other in self.layers.values():
            other.audience.leave(subscription.peer)
        subscription.rid = subscription.wanted = layer.rid
        layer.audience.wait(subscription)

    def _switch(self, subscription: Subscription, rid: str) -> None:
        """Change over at the next keyframe of this layer, or stay where a change was on its way."""
        for other in self.layers.values():
            if not other.audience.sends_to(subscription.peer):
                other.audience.leave(subscription.peer)
        subscription.wanted = rid
        layer = self.layers[rid]
        if not layer.audience.sends_to(subscription.peer):
            layer.audience.wait(subscription)
            layer.keyframes.ask()

    def _enter(self, subscription: Subscription, rid: str, timestamp: int) -> bool:
        """See `audience.Enter`: not with a frame that is no newer than what the viewer has."""
        sending = [
            layer.audience
            for layer in self.layers.values()
            if layer.rid != rid and layer.audience.sends_to(subscription.peer)
        ]
        for audience in sending:
            if audience.timestamp is not None and not _newer(timestamp, audience.timestamp):
                return False
        for layer in self.layers.values():
            if layer.audience in sending or layer.rid not in (rid, subscription.wanted):
                layer.audience.leave(subscription.peer)
        return True

    # --- the choice ---------------------------------------------------------------------------------

    def _bitrates_bps(self, now: float) -> dict[str, float]:
        """What each layer that can be sent takes; a larger picture never counts less than a smaller one."""
        layers = [layer for layer in self.sent if layer.place_ticks is not None and layer.bitrate.per_s > 0]
        if any(now - SETTLED_S > layer.resumed_at for layer in layers if not _silent(layer, now)):
            layers = [layer for layer in layers if not _silent(layer, now)]
        if all(layer.size for layer in layers):
            layers.sort(key=lambda layer: math.prod(layer.size or ()))
        else:
            layers.sort(key=lambda layer: layer.bitrate.per_s)
        rates_bps: dict[str, float] = {}
        least = 0.0
        for layer in layers:
            rates_bps[layer.rid] = least = max(layer.bitrate.per_s * 8, least * 1.01)
        return rates_bps

    def review(self, turn: int, now: float) -> None:
        """Look at the viewers whose turn it is."""
        if len(self.rids) == 1 or self.blanked:
            return
        bitrates_bps = self._bitrates_bps(now)
        for peer, subscription in self.subscriptions.items():
            if peer % TURNS == turn % TURNS or subscription.choice.probe is not None:
                self._review(subscription, bitrates_bps, now)

    def measured(self, subscription: Subscription, acked: Acked, now: float) -> bool:
        """Take in transport-wide feedback. True when it shows trouble: the viewer has a pace from now on."""
        estimate = subscription.path.acknowledged(acked, now)
        if estimate.troubled_at == now and estimate.capacity_bps is not None:
            slow = subscription.pace_bps is None
            subscription.pace_bps = max(MIN_BPS, estimate.capacity_bps) * PACE
            if slow:
                for layer in self.layers.values():
                    layer.audience.slow_down(subscription.peer)
            return True
        if subscription.pace_bps and estimate.is_clean() and now - estimate.troubled_at > PACED_S:
            subscription.pace_bps = None
        return False

    def moved(self, subscription: Subscription, now: float) -> None:
        """A viewer is sent to another address. Not heard for a while, it has lost what it was sent meanwhile,
        and its own requests may come seconds later: it goes on with a new keyframe.
        """
        estimate = subscription.path.estimate
        if estimate is not None and now - estimate.updated_at > UNHEARD_S:
            self.layer_of(subscription).keyframes.ask()
        subscription.path.moved(now)
        subscription.pace_bps = None

    def probes(self, seconds: float) -> list[tuple[PeerId, list[bytes]]]:
        """What to send so that viewers who are being probed get their extra rate for so long."""
        found: list[tuple[PeerId, list[bytes]]] = []
        for peer, subscription in self.subscriptions.items():
            probe = subscription.choice.probe
            if probe is None:
                continue
            layer = self.layer_of(subscription)
            until = layer.audience.sent_until if subscription.cursor is None else subscription.cursor
            packets = subscription.probe(layer.cache, until, probe.extra_bps / 8 * seconds)
            if packets:
                found.append((peer, packets))
        return found

    def reported(self, subscription: Subscription, now: float) -> None:
        """A viewer has said something: look at once."""
        if len(self.rids) > 1 and not self.blanked:
            self._review(subscription, self._bitrates_bps(now), now)

    def _fitting(self, subscription: Subscription, bitrates_bps: Mapping[str, float]) -> Mapping[str, float]:
        """Without the layers that are larger than this viewer's picture, as far as sizes are known."""
        sizes = {rid: size for rid in bitrates_bps if (size := self.layers[rid].size)}
        if subscription.view is None or not sizes:
            return bitrates_bps
        subscription.fit = fitting(sizes, subscription.view, subscription.fit)
        most_bps = bitrates_bps[subscription.fit]
        return {rid: rate for rid, rate in bitrates_bps.items() if rate <= most_bps}

    def _review(self, subscription: Subscription, bitrates_bps: Mapping[str, float], now: float) -> None:
        if not bitrates_bps:
            return
        bitrates_bps = self._fitting(subscription, bitrates_bps)
        chosen = subscription.choice.decide(bitrates_bps, subscription.wanted, subscription.path, now)
        if chosen != subscription.wanted:
            self._switch(subscription, chosen)

    # --- all layers ---------------------------------------------------------------------------------

    @property
    def sent(self) -> list[PublishedLayer]:
        """The layers of this publication."""
        return [self.layers[rid] for rid in self.rids]

    def blank(self, *, blanked: bool) -> None:
        """Stop or resume everything."""
        self.blanked = blanked
        for layer in self.layers.values():
            layer.blank(blanked=blanked)

    def ask_keyframe(self, rid: str) -> None:
        """A keyframe of one layer, or of all without a rid."""
        for layer in self.sent:
            if rid in ("", layer.rid):
                layer.keyframes.ask()

    def viewers(self) -> dict[str, int]:
        """How many are sent which layer."""
        return {layer.rid: len(layer.audience.live) + len(layer.audience.replaying) for layer in self.sent}


def _silent(layer: PublishedLayer, now: float) -> bool:
    return now - layer.arrived_at >= SILENT_S


def _newer(timestamp: int, other: int) -> bool:
    return 0 < (timestamp - other) & 0xFFFF_FFFF < 1 << 31
