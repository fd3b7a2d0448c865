"""Cells of a CSV file (RFC 4180) that a spreadsheet shows and never runs. Pure."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet takes for a formula (OWASP, CSV injection), and what `safe` makes of it."""


def safe(value: object) -> object:
    """The value as a cell: text that would be taken for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def plain(cell: str) -> str:
    """What `safe` made this cell from."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows of safe cells, each ended by CRLF."""
    out = io.StringIO()
    csv.writer(out).writerows([safe(value) for value in row] for row in rows)
    return out.getvalue()
