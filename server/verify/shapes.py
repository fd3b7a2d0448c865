"""What bodies of several kinds of entries are made of. Pure."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]


class PriceReason(msgspec.Struct, frozen=True):
    rule: str
    id: str | None


class Level(msgspec.Struct, frozen=True):
    sku: str
    left: int
    held: int
    sold: int
