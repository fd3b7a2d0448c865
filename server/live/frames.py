"""WebSocket frames made once and written to many. The format itself is websockets' business (RFC 6455
§5.2).
"""

from websockets.frames import Frame, Opcode

from server.live.history import Kept
from server.live.projection import Told


def text_frame(data: bytes) -> bytes:
    """One unmasked, unfragmented text frame as the bytes for the wire."""
    return Frame(Opcode.TEXT, data).serialize(mask=False)


def keep(told: Told, public: bytes) -> Kept:
    """A public entry with its frames made."""
    full = text_frame(told.full) if told.full is not None else None
    personal = text_frame(told.personal) if told.personal is not None else None
    return Kept(told.seq, told.prev, text_frame(public), full, personal, told.target)
