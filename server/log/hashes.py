"""Numbers out of a hash as the store keeps it: text by name. Pure."""

from collections.abc import Mapping


def number(fields: Mapping[str, str], name: str) -> int:
    """The number; 0 where there is none."""
    return int(fields.get(name) or 0)


def optional(fields: Mapping[str, str], name: str) -> int | None:
    """The number; None where there is none."""
    value = fields.get(name)
    return int(value) if value else None
