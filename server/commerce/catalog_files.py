"""A show's products from and to a file: all of a file or nothing of it. Each call is one script."""

from typing import Any, Final, cast

import msgspec

from server.commerce.asking import run_for
from server.commerce.catalog import PRODUCTS_MAX, product_args
from server.commerce.catalog_csv import BadRows, Row, RowError
from server.commerce.price_history import PriceHistory
from server.errors import PROBLEMS
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

_KEPT: Final = ("per_viewer_max", "floor_minor", "cost_minor")


class Imported(msgspec.Struct, frozen=True):
    """How many products are new, and how many were there."""

    created: int
    changed: int


class CatalogFiles:
    """See the module. All methods raise StoreError when the store does not do its part."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history = PriceHistory(store)

    async def take(
        self, show: str, principal: Principal, rows: list[Row], *, idempotency_key: str = ""
    ) -> Imported | BadRows | Refused:
        """Put every row's product, or none when one of them cannot be. Refusals: bad_request, forbidden.

        The stock of a product that is there may be given when it is what it has in all, so that a file that
        was exported can be read again.
        """
        sellers: dict[str, str | None] = {row.sku: row.spec.seller or "" for row in rows}
        earlier = await self._history.elsewhere(show, principal, "edit_product", sellers)
        if isinstance(earlier, Refused):
            return earlier
        fields = (field for row in rows for field in product_args(row.sku, row.spec))
        asked = (PRODUCTS_MAX, msgspec.json.encode(earlier), *fields)
        reply = await run_for(
            self._store, "products_import", show, principal, asked, idempotency_key=idempotency_key
        )
        match reply:
            case Refused(code="bad_rows", detail=detail):
                found = cast("list[tuple[int, str, str]]", detail["rows"])
                errors = [
                    RowError(rows[at - 1].number, name, PROBLEMS[code].title) for at, name, code in found
                ]
                return BadRows(errors, len(errors))
            case Refused():
                return reply
            case _:
                return Imported(reply[1], reply[2])

    async def give(self, show: str, principal: Principal) -> list[dict[str, Any]] | Refused:
        """Every product as `catalog_csv.write` takes it. The owner's have no seller. Refusal: forbidden."""
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("product_list", show, principal.pid, role)
        if isinstance(reply, Refused):
            return reply
        _, owner, *products = cast("list[Any]", reply)
        return [_described(product, owner) for product in products]


def _described(product: list[Any], owner: bytes) -> dict[str, Any]:
    sku, price_minor, stock, *kept, seller, commission_bps, attributes, parts = product
    numbers = {name: int(value) if value else None for name, value in zip(_KEPT, kept, strict=True)}
    said = msgspec.json.decode(attributes, type=dict[str, Any])
    options = cast("dict[str, str]", said.get("options") or {})
    return {
        **said,
        "options": ";".join(f"{name}={value}" for name, value in options.items()) or None,
        **numbers,
        "sku": sku.decode(),
        "price_minor": price_minor,
        "stock": None if parts else stock,
        "parts": parts.decode() if parts else None,
        "seller": None if seller == owner else seller.decode(),
        "commission_bps": int(commission_bps or 0),
    }
