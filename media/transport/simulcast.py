"""Simulcast in session descriptions (RFC 8853, RFC 8851): which layers a section offers, and the answer.

aiortc's parser knows neither attribute, so they are read from the text.
"""

import re
from collections.abc import Sequence

MAX_RIDS = 3
"""Further layers are left out of the answer; the sender then does not send them."""

_RID = re.compile(r"a=rid:([A-Za-z0-9_-]{1,16}) send(?: .*)?")


def offered_rids(text: str) -> list[tuple[str, ...]]:
    """The layers that each media section offers to send, in the order of its `a=simulcast`; of
    alternatives the first. Empty for a section without simulcast.
    """
    sections = re.split(r"^m=", text.replace("\r\n", "\n"), flags=re.MULTILINE)[1:]
    return [_rids(section.split("\n")) for section in sections]


def _rids(lines: Sequence[str]) -> tuple[str, ...]:
    known = {found[1] for line in lines if (found := _RID.fullmatch(line))}
    for line in lines:
        if line.startswith("a=simulcast:"):
            words = line.removeprefix("a=simulcast:").split()
            pairs = dict(zip(words[::2], words[1::2], strict=False))
            choices = [group.split(",")[0].removeprefix("~") for group in pairs.get("send", "").split(";")]
            return tuple(dict.fromkeys(rid for rid in choices if rid in known))[:MAX_RIDS]
    return ()


def answer_lines(rids: Sequence[str]) -> list[str]:
    """The attributes (without `a=`) that take these layers."""
    return [*(f"rid:{rid} recv" for rid in rids), f"simulcast:recv {';'.join(rids)}"] if rids else []
