"""The one module that touches aiortc. Checked on aiortc 1.16.0.

Only `aiortc.sdp` is used: a parser that has met many senders. It signals bad input with whatever exception
its assertions and conversions happen to raise, and two of its look-ups are linear; both end here.
"""

from aiortc.sdp import MediaDescription, SessionDescription

from media.errors import ParseError

CHECKED_ON = "1.16.0"

MAX_LINES = 1000
"""A browser's offer has 100 to 300. The parser is quadratic in some attributes: 1,000 lines cost it 30 ms."""

__all__ = ["CHECKED_ON", "MAX_LINES", "MediaDescription", "SdpError", "SessionDescription", "parse_session"]


class SdpError(ParseError):
    """A session description or fragment that is garbage or lacks what WebRTC needs."""


def parse_session(text: str) -> SessionDescription:
    """Parse a whole session description (RFC 8866); SdpError when that cannot be done."""
    if text.count("\n") > MAX_LINES:
        raise SdpError("too many lines")
    if not text.startswith("v=0"):
        raise SdpError("does not begin with v=0")
    try:
        session = SessionDescription.parse(text)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SdpError("cannot be parsed") from error
    except (StopIteration, RuntimeError) as error:  # an fmtp for a payload type without rtpmap
        raise SdpError("fmtp without rtpmap") from error
    if not session.media:
        raise SdpError("no media section")
    return session
