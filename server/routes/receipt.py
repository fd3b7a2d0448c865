"""A receipt: one order as a plain page without scripts, for its buyer to keep or to print."""

import html
import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from starlette.responses import Response

from server.commerce.orders import OrderView
from server.errors import Problem
from server.log.state import ShowSnapshot
from server.routes.answers import problem_of
from server.routes.endpoint import Call, Endpoints
from server.routes.pages import TEST_BAR, Assets, page_headers, price_text
from server.store.outcome import Refused

endpoints: Final = Endpoints("orders")

STATES: Final = {"paid": "Paid", "refund_due": "Refund on its way", "refunded": "Refunded"}
"""The states in which money has moved; before them there is nothing to receipt."""
_TEMPLATE: Final = "receipt.html"
_assets: Final = Assets()


@endpoints.get(
    "/api/v1/shows/{show}/orders/{order}/receipt",
    answers={200: None},
    problems=("unknown_show", "unknown_order", "illegal_transition"),
)
async def get_receipt(call: Call[None]) -> Response:
    """Read an order's receipt as a page (HTML); its buyer alone."""
    found = await call.services.ledger.order(call.show, call.principal, call.path["order"], own=True)
    if isinstance(found, Refused):
        raise problem_of(found)
    order = msgspec.json.decode(await call.services.texts.tell_order(found.json), type=OrderView)
    if order.state not in STATES:
        raise Problem("illegal_transition", "nothing is paid yet", {"state": order.state})
    template = _assets.get(_TEMPLATE)
    if template is None:
        raise Problem("not_found", f"{_TEMPLATE} is not installed")
    show = await call.services.snapshot(call.show, call.principal)
    markers = receipt_markers(order, show, base=_base(call))
    markers["testbar"] = TEST_BAR if call.services.settings.payments.test_mode else ""
    body = re.sub(r"<!--vendue:(\w+)-->", lambda match: markers[match[1]], template.body.decode())
    headers = {**page_headers(call.services, call.request), "Cache-Control": "no-store"}
    return Response(body, 200, headers, "text/html")


def receipt_markers(order: OrderView, show: ShowSnapshot, *, base: str) -> dict[str, str]:
    """What the template's markers say, as HTML."""
    titles = {product.sku: product.title for product in show.products}
    rows = [
        (
            f"{titles.get(line.sku, line.sku)} × {line.quantity}",
            line.quantity * line.unit_price_minor,
            "",
        )
        for line in order.lines
    ]
    if order.shipping_minor:
        rows.append(("Shipping", order.shipping_minor, ""))
    if order.tax_minor:
        rows.append(("Tax", order.tax_minor, ""))
    rows.append(("Total, tax included", order.total_minor, "tot"))
    for refund in order.refunds:
        when = "Given back" if refund.done_at_ms else "Is given back"
        rows.append((f"{when}: {refund.reason}", -refund.amount_minor, ""))
    placed = datetime.fromtimestamp(order.placed_at_ms / 1000, UTC)
    said = {
        "title": show.title,
        "base": base,
        "state": STATES[order.state],
        "order": order.id,
        "placed": f"{placed:%Y-%m-%d %H:%M} UTC",
        "seller": order.seller if order.seller not in (None, show.owner) else "the host of the show",
        "proof": f"/verify/{show.id}/{order.id}",
    }
    sums = "".join(_row(label, minor, kind, order.currency) for label, minor, kind in rows)
    return {**{name: html.escape(text) for name, text in said.items()}, "sums": sums}


def _row(label: str, minor: int, kind: str, currency: str) -> str:
    sign = "−" if minor < 0 else ""
    amount = sign + price_text(abs(minor), currency)
    return f'<div class="{kind}"><span>{html.escape(label)}</span><span>{html.escape(amount)}</span></div>'


def _base(call: Call[None]) -> str:
    """Where the page's files are: in full, for the buyer's page opens it from a copy, and people keep it."""
    return call.services.settings.http.public_url or str(call.request.base_url).rstrip("/")
