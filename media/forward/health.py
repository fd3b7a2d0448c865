"""A show's health as the contract's JSON has it, from what the tracks and subscriptions have counted."""

from collections.abc import Iterable
from statistics import median

from media.forward.egress import Egress
from media.forward.ingress import Ingress
from media.forward.model import Kind, LayerHealth, PublisherHealth, ShowHealth, ViewersHealth
from media.forward.published_track import PublishedLayer
from media.forward.track import Track


def of(ingress: Ingress | None, tracks: dict[Kind, Track], egresses: list[Egress]) -> ShowHealth:
    """`ingress` None: nobody publishes."""
    publisher = None if ingress is None else _publisher(ingress, tracks)
    return ShowHealth(publisher, _viewers(tracks[Kind.VIDEO], egresses))


def _publisher(ingress: Ingress, tracks: dict[Kind, Track]) -> PublisherHealth:
    layers = tracks[Kind.VIDEO].sent
    video = max(layers, key=lambda layer: layer.bitrate.per_s)
    losses = [source.reception.fraction_lost for source in ingress.sources.values()]
    rtt_s = ingress.rtt_s if ingress.rtt_s is not None else video.nack.rtt_s
    interval_s = video.keyframe_interval_s
    return PublisherHealth(
        bitrate_bps=int(sum(layer.bitrate.per_s for track in tracks.values() for layer in track.sent) * 8),
        loss=max(losses, default=0.0),
        rtt_ms=None if rtt_s is None else rtt_s * 1000,
        fps=round(video.frames.per_s, 1),
        keyframe_interval_ms=None if interval_s is None else interval_s * 1000,
        codec="" if video.codec is None else video.codec.name,
        layers=tuple(map(_layer, layers)),
        b_frames=any(layer.b_frames for layer in layers),
    )


def _layer(layer: PublishedLayer) -> LayerHealth:
    width, height = layer.size or (None, None)
    return LayerHealth(layer.rid, width, height, int(layer.bitrate.per_s * 8))


def _viewers(video: Track, egresses: list[Egress]) -> ViewersHealth:
    paths = [subscription.path for egress in egresses for subscription in egress.subscriptions.values()]
    rtts_ms = [path.rtt_s * 1000 for path in paths if path.rtt_s is not None]
    losses = [path.loss for path in paths if path.loss is not None]
    return ViewersHealth(
        count=len(egresses),
        rtt_ms_p50=_median(rtts_ms),
        loss_p50=_median(losses),
        layers=video.viewers(),
    )


def _median(values: Iterable[float]) -> float | None:
    ordered = list(values)
    return median(ordered) if ordered else None
