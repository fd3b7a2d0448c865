"""The errors of the relay's pure parts. Whoever feeds bytes from a peer catches `ParseError` and
counts it.
"""


class ParseError(ValueError):
    """The bytes are not what the format says. The peer's fault; no parser here raises anything else."""
