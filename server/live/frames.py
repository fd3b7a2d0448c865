"""WebSocket frames made once and written to many. The format itself is websockets' business (RFC 6455
§5.2).
"""

from websockets.frames import Frame, Opcode


def text_frame(data: bytes) -> bytes:
    """One unmasked, unfragmented text frame as the bytes for the wire."""
    return Frame(Opcode.TEXT, data).serialize(mask=False)
