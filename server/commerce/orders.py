"""What the sale answers about an order: its shape, and the outcomes of what a buyer or seller asked for.

An order is written as JSON in one place (`lua/_sale.lua`), goes into the log in that form, and is handed on
as those bytes: a purchase decodes nothing. `OrderView` is the same shape as a type, for documents and for
those who look inside.
"""

import msgspec
from msgspec import UNSET, UnsetType

from server.log.price_views import PriceReason


class OrderLine(msgspec.Struct, frozen=True):
    """One product of an order, at the price fixed when it was held."""

    sku: str
    quantity: int
    unit_price_minor: int
    price_version: int
    flash: str | None
    price_reason: PriceReason | UnsetType = UNSET
    """Missing in an order that an older server took."""
    lot: str | UnsetType = UNSET
    """The lot where it was won, in an order that an auction made."""
    draw: str | UnsetType = UNSET
    """The draw in which it was won."""
    coupon: str | UnsetType = UNSET
    """The code of the coupon that it was bought with."""
    waited: int | UnsetType = UNSET
    """The seq at which its buyer joined the waitlist, in an order that was made when their turn had come."""
    commission_bps: int | UnsetType = UNSET
    """In an order of several lines."""


class RefundedUnits(msgspec.Struct, frozen=True):
    """Units of one line that came back with a refund."""

    sku: str
    quantity: int


class Refund(msgspec.Struct, frozen=True):
    """Money that goes back since `due_at_ms`; `done_at_ms` is null until the gateway has confirmed it.

    `quantity` units came back with it: to the shelf, or (not `restock`) to be written off. Of an order of
    several lines `lines` says which.
    """

    id: str
    amount_minor: int
    quantity: int
    reason: str
    restock: bool
    due_at_ms: int
    done_at_ms: int | None
    lines: list[RefundedUnits] | UnsetType = UNSET


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the contract shows it. `seq` is the log entry that it reflects.

    `sku`, `quantity` and `unit_price_minor` are those of the only line; an order of several has none of them.
    Its `commission_bps` is null where its lines' differ.
    """

    id: str
    show: str
    seller: str | None
    creator: str | None
    market: str | None
    lines: list[OrderLine]
    sku: str | UnsetType = UNSET
    quantity: int | UnsetType = UNSET
    unit_price_minor: int | UnsetType = UNSET
    goods_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    commission_bps: int | None
    commission_minor: int
    currency: str
    placed_at_ms: int
    pay_first: bool | UnsetType = UNSET
    """Set when nothing is reserved before its buyer begins to pay."""
    state: str
    expires_at_ms: int | None
    remaining_ms: int | None
    expires_sale_ms: int | None
    refunds: list[Refund]
    seq: int


class OrderState(msgspec.Struct, frozen=True):
    """An order as it stands: `json` is an `OrderView`."""

    json: bytes

    def view(self) -> OrderView:
        """Decode it."""
        return msgspec.json.decode(self.json, type=OrderView)


class ListedOrder(OrderView, frozen=True, kw_only=True):
    """An order as who is in charge of it sees it: `buyer` is a pid, `entry` the seq of the order's hold."""

    buyer: str
    entry: int


class OrderPage(msgspec.Struct, frozen=True):
    """Some of a show's orders: `orders` are `ListedOrder` as JSON, `next` where the next page begins."""

    orders: tuple[bytes, ...]
    next: int | None


class Placed(msgspec.Struct, frozen=True):
    """The order of this idempotency key. `is_new` is false when an earlier request had made it already."""

    order: OrderState
    is_new: bool


class Attempt(msgspec.Struct, frozen=True):
    """Attempt number `number` to pay runs.

    Begun by this request, or by an earlier one with the same token.
    """

    order: OrderState
    number: int
    amount_minor: int
    currency: str


class AlreadyPaid(msgspec.Struct, frozen=True):
    """There is nothing to pay any more."""

    order: OrderState


Refunds = tuple[tuple[str, int], ...]
"""(id, amount_minor) of each refund whose money is not back yet."""


class Settled(msgspec.Struct, frozen=True):
    """How the order stands after an attempt.

    `state` is that of the order, or `surplus`: this charge bought nothing and has to be given back.
    """

    order: OrderState
    state: str
    paid_by: int
    refunds: Refunds

    @property
    def surplus(self) -> bool:
        return self.state == "surplus"


class RefundDue(msgspec.Struct, frozen=True):
    """The sale or a part of it is taken back; `refunds` go back from the charge of attempt `paid_by`."""

    order: OrderState
    paid_by: int
    refunds: Refunds


class Undone(msgspec.Struct, frozen=True):
    """How far taking back everything sold at a flash price has come.

    `cancelled` holds and `refunds` are sums over all calls. `remaining` are still to be taken back; when only
    such are left that are being paid (`waiting`), they follow by themselves.
    """

    id: str
    cancelled: int
    refunds: int
    waiting: int
    remaining: int
    done: bool


class Paid(msgspec.Struct, frozen=True):
    """The order is paid."""

    order: OrderState


class Paying(msgspec.Struct, frozen=True):
    """Not decided yet; `next_action` is what the buyer's page has to do, if anything."""

    order: OrderState
    next_action: str | None


class PaymentDeclined(msgspec.Struct, frozen=True):
    """No money moved; the hold goes on."""

    order: OrderState
    reason: str


class PaymentUnknown(msgspec.Struct, frozen=True):
    """Nobody knows yet whether money moved; the reconciler will find out."""

    order: OrderState
