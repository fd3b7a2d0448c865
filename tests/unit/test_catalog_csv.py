"""Reading and writing a show's products as CSV: what is wrong with a file is told row by row."""

import csv
import io
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.commerce.catalog import PRODUCTS_MAX, Part, ProductSpec
from server.commerce.catalog_csv import ERRORS_MAX, ROWS_MAX, BadRows, Row, read, write
from server.commerce.csv_cells import plain, safe

HEAD = "sku,title,price_minor\n"


def taken(text: str | bytes) -> list[Row]:
    rows = read(text.encode() if isinstance(text, str) else text)
    assert isinstance(rows, list), rows
    return rows


def errors(text: str | bytes) -> list[tuple[int, str | None, str]]:
    found = read(text.encode() if isinstance(text, str) else text)
    assert isinstance(found, BadRows), found
    assert found.total == len(found.errors)
    return [(error.row, error.column, error.reason) for error in found.errors]


def test_rows_become_products() -> None:
    rows = taken(
        'price_minor,sku,title,stock,disclosure\n900,mug,Mug,5,\n\n 12 ,pot,"A ""big"" pot,\nold",,ad\n'
    )
    assert rows == [
        Row(2, "mug", ProductSpec(title="Mug", price_minor=900, stock=5)),
        Row(4, "pot", ProductSpec(title='A "big" pot,\nold', price_minor=12, disclosure="ad")),
    ]


def test_what_spreadsheets_write_is_read() -> None:
    plain_rows = taken(HEAD + "mug,Mug,900\n")
    assert taken("\ufeff" + HEAD.replace("\n", "\r\n") + "mug,Mug,900\r\n") == plain_rows
    assert taken("sku;title;price_minor\nmug;Mug;900") == plain_rows
    assert taken("sku\ttitle\tprice_minor\nmug\tMug\t900\n") == plain_rows
    assert taken('\ufeff"sku","title","price_minor"\r\n"mug","Mug","900"\r\n') == plain_rows


def test_everything_wrong_is_told_by_row_and_column() -> None:
    text = HEAD.replace("\n", ",stock,stock_display,floor_minor\n") + (
        "mug,Mug,900,1,exact,\n"
        "m g,,9.5,-1,loud,\n"
        "mug,Again,900,,,\n"
        "pot,Pot,900,1\n"
        "cup,Cup,0,1000000001,,\n"
        "jar,Jar,5,,,6\n"
        ",Nameless,٣,,,\n"
    )
    assert errors(text) == [
        (3, "title", "it is missing"),
        (3, "price_minor", "it must be a whole number"),
        (3, "stock", "it must be a whole number"),
        (3, "stock_display", "Invalid enum value 'loud'"),
        (3, "sku", "it must be 1-64 of A-Z a-z 0-9 _ -"),
        (4, "sku", "row 2 has the same"),
        (5, None, "it has 4 cells, the header has 6"),
        (6, "price_minor", "Expected `int` >= 1"),
        (6, "stock", "Expected `int` <= 1000000000"),
        (7, "floor_minor", "the price is below it"),
        (8, "sku", "it is missing"),
        (8, "price_minor", "it must be a whole number"),
    ]


def test_files_that_cannot_be_read() -> None:
    assert errors("") == [
        (1, "sku", "the column is missing"),
        (1, "title", "the column is missing"),
        (1, "price_minor", "the column is missing"),
    ]
    assert errors(HEAD) == [(1, None, "there is no product in it")]
    assert errors("sku,title,price_minor,colour,title\nm,M,1,red,M\n") == [
        (1, "colour", "there is no such column"),
        (1, "title", "the column is there twice"),
    ]
    assert errors(HEAD.encode() + b"mug,M\xfcg,900\n") == [(2, None, "it is not UTF-8")]
    ((row, column, reason),) = errors(HEAD + 'mug,"Mug,900\n')
    assert (row, column) == (2, None)
    assert reason.startswith("it cannot be read")
    ((row, _, _),) = errors(HEAD + 'pot,Pot,1\nmug,"Mug"x,900\n')
    assert row == 3


def test_a_file_has_bounds() -> None:
    many = HEAD + "".join(f"s{n},T,1\n" for n in range(PRODUCTS_MAX + 1))
    assert errors(many) == [(PRODUCTS_MAX + 2, None, f"a show has at most {PRODUCTS_MAX} products")]
    assert len(taken(many.replace(f"s{PRODUCTS_MAX},T,1\n", ""))) == PRODUCTS_MAX
    found = read((HEAD + "x,,1\n" * (ROWS_MAX + 5)).encode())
    assert isinstance(found, BadRows)
    assert (found.total, len(found.errors)) == (ROWS_MAX + 1, ERRORS_MAX)


def test_no_cell_is_a_formula() -> None:
    evil = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''@x"]
    product: dict[str, Any] = {"sku": "-a", "price_minor": 5}
    for title in evil:
        file = write([{**product, "title": title}])
        (row,) = csv.DictReader(io.StringIO(file, newline=""))
        assert row["title"][0] == "'"
        assert row["sku"] == "'-a"
        (read_again,) = taken(file)
        assert (read_again.sku, read_again.spec.title) == ("-a", title)


texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: text.strip(" ") == text
)


@given(text=texts)
def test_a_safe_cell_is_what_it_was(text: str) -> None:
    assert plain(str(safe(text))) == text
    assert str(safe(text))[0] not in "=+-@\t\r"


@given(title=texts, stock=st.integers(0, 10**9), cap=st.none() | st.integers(1, 10**4), note=texts)
def test_what_is_written_is_read_again(title: str, stock: int, cap: int | None, note: str) -> None:
    spec = ProductSpec(title=title, price_minor=100, stock=stock, per_viewer_max=cap, disclosure=note)
    rows = taken(write([{"sku": "a", **msgspec.structs.asdict(spec)}]))
    assert rows == [Row(2, "a", spec)]


@given(
    raw=st.binary(max_size=200)
    | st.text(alphabet="sku,title;price_minor\n\"\r\t1='", max_size=80).map(str.encode)
)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    found = read(raw)
    assert isinstance(found, BadRows) or all(row.spec.title for row in found)


def test_bundles_and_variants_have_cells_of_their_own() -> None:
    head = "sku,title,price_minor,parts,group,options,stock\n"
    rows = taken(head + "set,Set,9,mug:2 pot:1,,,\ntee,Tee,9,,tee,Size=M; Colour = Dark red,1\n")
    assert rows[0].spec.parts == [Part(sku="mug", quantity=2), Part(sku="pot", quantity=1)]
    assert (rows[1].spec.group, rows[1].spec.options) == ("tee", {"Size": "M", "Colour": "Dark red"})
    text = (
        "a,A,9,mug,,,\nb,B,9,mug:0,,,\nc,C,9,mug:1 mug:1,,,\nd,D,9,mug:1,,,5\ne,E,9,,tee,,\nf,F,9,,tee,M,\n"
    )
    assert [(row, column) for row, column, _ in errors(head + text)] == [
        (2, "parts"),
        (3, "parts"),
        (4, "parts"),
        (5, "stock"),
        (6, "options"),
        (7, "options"),
    ]
