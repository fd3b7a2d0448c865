"""A show's orders for who is in charge of them: as JSON pages, and as CSV, written while it is read."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET
from starlette.responses import StreamingResponse

from server.commerce.csv_cells import lines
from server.commerce.ledger import LIST_MAX
from server.commerce.orders import ListedOrder, OrderPage
from server.errors import Problem
from server.routes.answers import API_HEADERS, Answer, problem_of
from server.routes.endpoint import Call, Endpoints
from server.store.outcome import Refused

endpoints: Final = Endpoints("orders")

ORDERS: Final = "/api/v1/shows/{show}/orders"
SEQ_MAX: Final = 2**53 - 1
PAGES_MAX: Final = 20_000  # two million orders; then the file ends, and says where to go on
COLUMNS: Final = (
    "order",
    "entry",
    "placed_at",
    "state",
    "buyer",
    "seller",
    "sku",
    "quantity",
    "unit_price_minor",
    "price_version",
    "flash",
    "goods_minor",
    "shipping_minor",
    "tax_minor",
    "total_minor",
    "commission_minor",
    "refunded_minor",
    "currency",
    "coupon",
)


class ShowOrders(msgspec.Struct, frozen=True):
    """A page of a show's orders. `next`: the `after` (or `before`) of the next page, null at the end."""

    orders: list[ListedOrder]
    next: int | None


@endpoints.get(
    ORDERS,
    answers={200: ShowOrders},
    problems=("unknown_show", "forbidden"),
    query=("after", "before", "limit"),
)
async def list_orders(call: Call[None]) -> Answer:
    """List a show's orders: `?after=` a seq, oldest first, or `?before=`, newest first; at most `?limit=`."""
    after, before = _number(call, "after", 0, SEQ_MAX), _number(call, "before", 0, SEQ_MAX)
    limit = _number(call, "limit", LIST_MAX, LIST_MAX)
    page = await _page(call, after=after, before=before, limit=max(limit, 1))
    orders = [msgspec.Raw(await call.services.texts.tell_order(order)) for order in page.orders]
    return Answer(200, {"orders": orders, "next": page.next})


@endpoints.get(ORDERS + ".csv", answers={200: None}, problems=("unknown_show", "forbidden"), query=("after",))
async def export_orders(call: Call[None]) -> StreamingResponse:
    """Write a show's orders as CSV (RFC 4180), a row for each line of an order, `?after=` a seq."""
    first = await _page(call, after=_number(call, "after", 0, SEQ_MAX))
    headers = {**API_HEADERS, "Content-Disposition": f'attachment; filename="{call.show}-orders.csv"'}
    return StreamingResponse(_rows(call, first), media_type="text/csv; charset=utf-8", headers=headers)


async def _rows(call: Call[None], page: OrderPage) -> AsyncIterator[str]:
    """The file, a page of orders at a time: as the reader takes it, so it is never in memory as a whole."""
    yield lines([COLUMNS])
    for _ in range(PAGES_MAX):
        yield lines(row for order in page.orders for row in rows_of(order))
        if page.next is None:
            return
        page = await _page(call, after=page.next)
    yield lines([("# more: after", str(page.next))])


def rows_of(order: bytes) -> Iterable[tuple[object, ...]]:
    """The rows of one listed order."""
    view = msgspec.json.decode(order, type=ListedOrder)
    placed = datetime.fromtimestamp(view.placed_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    refunded = sum(refund.amount_minor for refund in view.refunds)
    for line in view.lines:
        yield (
            view.id,
            view.entry,
            placed,
            view.state,
            view.buyer,
            view.seller,
            line.sku,
            line.quantity,
            line.unit_price_minor,
            line.price_version,
            line.flash,
            view.goods_minor,
            view.shipping_minor,
            view.tax_minor,
            view.total_minor,
            view.commission_minor,
            refunded,
            view.currency,
            line.coupon if line.coupon is not UNSET else "",
        )


async def _page(call: Call[None], *, after: int = 0, before: int = 0, limit: int = LIST_MAX) -> OrderPage:
    page = await call.services.ledger.orders_in(
        call.show, call.principal, after=after, before=before, limit=limit
    )
    if isinstance(page, Refused):
        raise problem_of(page)
    return page


def _number(call: Call[None], name: str, default: int, most: int) -> int:
    """A number in the address's query. Raises Problem `bad_request`."""
    given = call.request.query_params.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdecimal() or len(given) > 16 or int(given) > most:
        raise Problem("bad_request", f"{name} must be a number up to {most}", {"field": name})
    return int(given)
