"""What the busiest scripts read at once: a row of names, and the table that is made of their values."""

import re

import pytest

from server.store.scripts import PRELUDE, SERVER

SALE = SERVER / "commerce" / "lua" / "_sale.lua"
NODES = 16
"""A table with one more entry takes twice the room, in every run."""


@pytest.mark.parametrize(
    ("text", "names_of", "more"),
    [(PRELUDE.read_text(), "SHOW_FIELDS", 0), (SALE.read_text(), "PRODUCT_FIELDS", 1)],
)
def test_names_and_values_are_in_one_order(text: str, names_of: str, more: int) -> None:
    listed = re.search(rf"local {names_of} = {{(.*?)}}", text, re.DOTALL)
    assert listed is not None
    names = re.findall(r"'(\w+)'", listed[1])
    made = text[text.index(f"unpack({names_of})") :]
    taken = re.findall(r"(\w+) = (?:tonumber\()?v\[(\d+)\]", made[: made.index("}")])
    assert taken == [(name, str(place)) for place, name in enumerate(names, start=1)]
    assert len(names) + more == NODES
