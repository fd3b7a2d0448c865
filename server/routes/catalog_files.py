"""A show's products as a CSV file, in and out."""

import asyncio
from typing import Final

import msgspec
from starlette.responses import Response

from server.commerce.catalog_csv import CSV_LIMIT, BadRows, Row, read, write
from server.commerce.catalog_files import Imported
from server.errors import Problem
from server.routes.answers import API_HEADERS, Answer, problem_of
from server.routes.endpoint import Call, Endpoints
from server.store.outcome import Refused

endpoints: Final = Endpoints("products")

FILE: Final = "/api/v1/shows/{show}/products.csv"


@endpoints.upload(
    FILE,
    takes="text/csv",
    limit=CSV_LIMIT,
    answers={200: Imported},
    problems=("unknown_show", "bad_rows", "too_large", "unsupported_media_type"),
)
async def import_products(call: Call[bytes]) -> Answer:
    """Create or change products from a CSV file: all of them, or none and what is wrong with each row."""
    rows = await asyncio.to_thread(read, call.body)  # up to 0.2 s
    if isinstance(rows, BadRows):
        raise _bad(rows)
    pids = {
        seller: await call.services.pids.resolve(seller)
        for seller in {row.spec.seller for row in rows}
        if seller
    }
    taken = await call.services.catalog_files.take(
        call.show, call.principal, [_with_pid(row, pids) for row in rows], idempotency_key=call.key
    )
    match taken:
        case Imported():
            return Answer(200, taken)
        case BadRows():
            raise _bad(taken)
        case Refused():
            raise problem_of(taken)


@endpoints.get(FILE, answers={200: None}, problems=("unknown_show", "forbidden"))
async def export_products(call: Call[None]) -> Response:
    """Write a show's products as CSV (RFC 4180), as an import takes them."""
    products = await call.services.catalog_files.give(call.show, call.principal)
    if isinstance(products, Refused):
        raise problem_of(products)
    headers = {**API_HEADERS, "Content-Disposition": f'attachment; filename="{call.show}-products.csv"'}
    return Response(write(products), media_type="text/csv; charset=utf-8", headers=headers)


def _bad(rows: BadRows) -> Problem:
    return Problem("bad_rows", extra={"errors": rows.errors, "total": rows.total})


def _with_pid(row: Row, pids: dict[str, str]) -> Row:
    """The log knows nobody by name."""
    seller = row.spec.seller
    return row._replace(spec=msgspec.structs.replace(row.spec, seller=pids[seller])) if seller else row
