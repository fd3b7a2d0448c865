"""The exceptions of the media package. Each one means that a peer sent something that cannot be understood."""


class ParseError(Exception):
    """Bytes from the network that do not follow their format. The message never contains the bytes themselves."""
