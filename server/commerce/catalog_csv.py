"""A show's products as CSV (RFC 4180): reading a file with all that is wrong with it, and writing one.

It asks nobody: what the show says about the rows (`commerce/lua/products_import.lua`) is reported by
`Catalog.import_products` in the same words.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from server.commerce.catalog import PRODUCTS_MAX, ProductSpec, contradiction
from server.commerce.csv_cells import lines, plain
from server.ids import is_sku

CSV_LIMIT: Final = 1024 * 1024
"""Bytes of a file."""
ROWS_MAX: Final = 10_000
"""Rows that are looked at; a show has fewer products, but somebody wants to know all that is wrong."""
ERRORS_MAX: Final = 1_000
"""Errors that are told one by one; the rest are counted."""
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(ProductSpec)}
COLUMNS: Final = ("sku", *_FIELDS)
REQUIRED: Final = ("sku", *(name for name, field in _FIELDS.items() if field.required))
NUMBERS: Final = frozenset(
    name for name in _FIELDS if name.endswith(("_minor", "_max", "_bps")) or name == "stock"
)
_DIGITS_MAX: Final = 16
_CONTRADICTIONS: Final = {
    "stock": "a bundle has no stock of its own",
    "parts": "a bundle has each part once",
    "options": "a group and options go together",
}
_PART: Final = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,4})")


class RowError(msgspec.Struct, frozen=True):
    """What is wrong in a row (the header is row 1, as in a spreadsheet); `column` null: with all of it."""

    row: int
    column: str | None
    reason: str


class Row(NamedTuple):
    """A product as a row says it."""

    number: int
    sku: str
    spec: ProductSpec


class BadRows(msgspec.Struct, frozen=True):
    """A file of which nothing is taken: its first errors, and how many there are."""

    errors: list[RowError]
    total: int


def read(raw: bytes) -> list[Row] | BadRows:
    """Read a file in UTF-8 (a byte order mark is fine) with a header; cells are parted by `,`, `;` or tabs.

    Columns may come in any order, and those that are not required may be left out; an empty cell is no
    value.
    """
    reading = _Reading()
    rows = list(reading.rows(raw))
    if not rows and not reading.total:
        reading.wrong(1, None, "there is no product in it")
    return BadRows(reading.errors, reading.total) if reading.total else rows


def write(products: Iterable[Mapping[str, Any]]) -> str:
    """The file that `read` would read as these products."""
    rows = ([product.get(name) for name in COLUMNS] for product in products)
    return lines([COLUMNS, *rows])


def _parts(cell: str) -> object:
    found = [_PART.fullmatch(part) for part in cell.split()]
    return [{"sku": part[1], "quantity": int(part[2])} for part in found if part] if all(found) else None


def _options(cell: str) -> object:
    pairs = [option.partition("=") for option in cell.split(";")]
    options = {name.strip(" "): value.strip(" ") for name, _, value in pairs}
    return options if len(options) == len(pairs) and all(sign for _, sign, _ in pairs) else None


_COMPOUND: Final = {
    "parts": (_parts, "sku:quantity sku:quantity …"),
    "options": (_options, "name=value;name=value…"),
}


class _Reading:
    def __init__(self) -> None:
        self.errors: list[RowError] = []
        self.total = 0

    def wrong(self, row: int, column: str | None, reason: str) -> None:
        self.total += 1
        if self.total <= ERRORS_MAX:
            self.errors.append(RowError(row, column, reason))

    def rows(self, raw: bytes) -> Iterator[Row]:
        seen: dict[str, int] = {}
        records = self._records(raw)
        _, header = next(records, (1, list[str]()))
        if not self._knows(header):
            return
        for number, cells in records:
            if len(cells) != len(header):
                self.wrong(number, None, f"it has {len(cells)} cells, the header has {len(header)}")
                continue
            row = self._row(number, dict(zip(header, cells, strict=True)))
            if row is None:
                continue
            if row.sku in seen:
                self.wrong(number, "sku", f"row {seen[row.sku]} has the same")
                continue
            seen[row.sku] = number
            if len(seen) == PRODUCTS_MAX + 1:
                self.wrong(number, None, f"a show has at most {PRODUCTS_MAX} products")
            yield row

    def _records(self, raw: bytes) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not empty, with their numbers."""
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.wrong(raw.count(b"\n", 0, error.start) + 1, None, "it is not UTF-8")
            return
        first_line = text.partition("\n")[0]
        delimiter = max(",;\t", key=first_line.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.wrong(number, None, f"it cannot be read: {error}")
                return
            if number > ROWS_MAX + 1:
                self.wrong(number, None, f"at most {ROWS_MAX} rows are taken")
                return
            if any(cells):
                yield number, [plain(cell.strip(" ")) for cell in cells]

    def _knows(self, header: list[str]) -> bool:
        before = self.total
        for at, name in enumerate(header):
            if name not in COLUMNS:
                self.wrong(1, name, "there is no such column")
            elif name in header[:at]:
                self.wrong(1, name, "the column is there twice")
        for name in REQUIRED:
            if name not in header and before == 0:
                self.wrong(1, name, "the column is missing")
        return self.total == before and bool(header)

    def _row(self, number: int, cells: Mapping[str, str]) -> Row | None:
        before = self.total
        for name in REQUIRED:
            if not cells[name]:
                self.wrong(number, name, "it is missing")
        values: dict[str, object] = {}
        for name, cell in cells.items():
            if cell and name != "sku":
                self._value(number, name, cell, values)
        sku = cells["sku"]
        if sku and not is_sku(sku):
            self.wrong(number, "sku", "it must be 1-64 of A-Z a-z 0-9 _ -")
        if self.total > before:
            return None
        spec = msgspec.convert(values, ProductSpec)
        if field := contradiction(spec):
            self.wrong(number, field, _CONTRADICTIONS[field])
            return None
        if spec.floor_minor is not None and spec.price_minor < spec.floor_minor:
            self.wrong(number, "floor_minor", "the price is below it")
            return None
        return Row(number, sku, spec)

    def _value(self, number: int, name: str, cell: str, values: dict[str, object]) -> None:
        value: object = cell
        if name in _COMPOUND:
            split, shape = _COMPOUND[name]
            value = split(cell)
            if value is None:
                self.wrong(number, name, f"it must be {shape}")
                return
        if name in NUMBERS:
            if not (cell.isascii() and cell.isdecimal() and len(cell) <= _DIGITS_MAX):
                self.wrong(number, name, "it must be a whole number")
                return
            value = int(cell)
        try:
            values[name] = msgspec.convert(value, _FIELDS[name].type)
        except msgspec.ValidationError as error:
            self.wrong(number, name, str(error))
