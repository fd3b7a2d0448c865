"""The list of rules in docs/verify.md is the list in the code."""

from pathlib import Path

from server.verify.rules import ALL, as_markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "verify.md"


def test_the_document_lists_every_rule() -> None:
    assert as_markdown() in DOCUMENT.read_text()


def test_rules_are_numbered_and_explained() -> None:
    assert [rule.number for rule in ALL] == list(range(1, len(ALL) + 1))
    assert all(rule.why.strip() for rule in ALL)
