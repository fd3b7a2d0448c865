"""Whatever bytes a viewer sends as text, decoding gives a value."""

import json

from hypothesis import given
from hypothesis import strategies as st

from server.live.protocol import COMMANDS, Decoded, Rejected, clean_text, decode_command, is_only_emotes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["text", "cid", "kind", "n", "t", "publication", "first_frame_ms", "freezes", "other"]
)


@given(st.binary(max_size=4096))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(decode_command(data), Decoded | Rejected)


@given(st.sampled_from([*COMMANDS, "other"]), st.dictionaries(FIELDS, JSON))
def test_any_fields(name: str, fields: dict[str, object]) -> None:
    decoded = decode_command(json.dumps({**fields, "type": name}).encode())
    assert isinstance(decoded, Decoded | Rejected)


@given(st.text())
def test_cleaned_text_is_clean(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert not any(ord(character) < 32 for character in cleaned)
    is_only_emotes(cleaned)
