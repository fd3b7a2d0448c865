"""What the entries about reductions say, as far as a rule looks at it; see `bodies.py`. Pure."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from server.commerce.model_records import CampaignTerms, ShowTerms
from server.commerce.pricing import Kind
from server.verify.shapes import Count, PriceReason

Percent = Annotated[int, msgspec.Meta(ge=1, le=99)]


class Repeat(msgspec.Struct, frozen=True):
    series: str
    n: Annotated[int, msgspec.Meta(ge=1)]
    times: Annotated[int, msgspec.Meta(ge=2, le=100)]
    every_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class FlashPrice(msgspec.Struct, frozen=True):
    id: str
    sku: str
    price_minor: Count
    list_price_minor: Count
    price_version: Count
    starts_at_ms: Count | None
    ends_at_ms: Count | None
    starts_sale_ms: int
    ends_sale_ms: int
    quantity: Count | None
    quantity_left: Count | None
    per_viewer_max: Count | None
    confirmed: bool | None = None  # not told by servers before rule 43
    reference_price_minor: Count | UnsetType | None = UNSET  # nor this before rule 44
    earlier_prices: tuple[tuple[Count, Count], ...] = ()
    repeat: Repeat | None = None


class ShowFlashPrice(msgspec.Struct, frozen=True):
    """One product's price in a reduction of the whole show, of either kind."""

    sku: str
    price_minor: Count
    list_price_minor: Count
    reference_price_minor: Count | None
    earlier_prices: tuple[tuple[Count, Count], ...] = ()


class ShowReduced(msgspec.Struct, frozen=True):
    """A reduction of the whole show, of either kind."""

    id: str
    confirmed: bool
    prices: Annotated[tuple[ShowFlashPrice, ...], msgspec.Meta(min_length=1)]

    @property
    def amounts(self) -> dict[str, int]:
        return {each.sku: each.price_minor for each in self.prices}


class ShowFlash(ShowReduced, frozen=True, kw_only=True):
    percent_off: Percent
    starts_at_ms: Count | None
    ends_at_ms: Count | None
    starts_sale_ms: int
    ends_sale_ms: int

    @property
    def terms(self) -> ShowTerms:
        return ShowTerms(self.id, self.amounts, self.starts_sale_ms, self.ends_sale_ms)


class Campaign(ShowReduced, frozen=True, kw_only=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    percent_off: Percent | None
    starts_at_ms: Count
    ends_at_ms: Count

    @property
    def terms(self) -> CampaignTerms:
        return CampaignTerms(self.id, self.amounts, self.starts_at_ms, self.ends_at_ms)


class PriceAfter(msgspec.Struct, frozen=True):
    sku: str
    price_minor: Count
    price_version: Count
    price_reason: PriceReason
    reference_price_minor: Count | None


class ReductionEnded(msgspec.Struct, frozen=True):
    """Of a reduction of the whole show, of either kind."""

    id: str
    reason: Literal["window", "stopped", "show_ended"]
    prices: tuple[PriceAfter, ...]


class ShowFlashEnded(ReductionEnded, frozen=True):
    kind: ClassVar[Kind] = "show_flash"


class CampaignEnded(ReductionEnded, frozen=True):
    kind: ClassVar[Kind] = "campaign"


class PriceEnded(msgspec.Struct, frozen=True):
    id: str
    sku: str
    price_minor: Count
    price_version: Count
    reason: Literal["window", "stopped", "quantity"]
    price_reason: PriceReason | None = None
    reference_price_minor: Count | UnsetType | None = UNSET
    repeat: Literal["goes_on", "done", "stopped", "show_ended", "withdrawn"] | None = None


class PriceUndone(msgspec.Struct, frozen=True):
    id: str
    sku: str
