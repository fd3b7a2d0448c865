"""Which layer of a track a viewer should get. One decision, pure; switching happens on keyframes only."""

from collections.abc import Mapping


def choose(bitrates_bps: Mapping[str, float], allowed_bps: float, current: str | None) -> str | None:
    """The largest layer (rid) that fits, else the smallest; None when there is none.

    A step up needs 20 % of room, so that a layer at the edge does not swing.
    """
    if not bitrates_bps:
        return None
    ordered = sorted(bitrates_bps, key=lambda rid: bitrates_bps[rid])
    held_bps = bitrates_bps.get(current, 0.0) if current is not None else float("inf")
    best = ordered[0]
    for rid in ordered:
        room = 1.2 if bitrates_bps[rid] > held_bps else 1.0
        if bitrates_bps[rid] * room <= allowed_bps:
            best = rid
    return best
