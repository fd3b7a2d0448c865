"""The AsyncAPI document agrees with itself and with the types."""

import json
from typing import Any, cast

from server.live.asyncapi import document
from server.live.protocol import COMMANDS, Update
from server.live.updates import CHAINED, UPDATES


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    references = set[str]()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            for key, value in cast("dict[str, Any]", node).items():
                if key == "$ref":
                    references.add(value)
                walk(value)
        elif isinstance(node, list):
            for item in cast("list[Any]", node):
                walk(item)

    walk(whole)
    assert references
    for reference in references:
        node: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_type_is_there_with_its_envelope() -> None:
    whole = document()
    json.dumps(whole)
    messages = whole["components"]["messages"]
    assert {message["name"] for message in messages.values()} == {*COMMANDS, *UPDATES}
    envelope = set(Update.__struct_fields__)
    for message in messages.values():
        if message["name"] in UPDATES:
            assert set(message["payload"]["properties"]) <= envelope
    assert set(UPDATES) >= CHAINED
    flash = messages["PriceFlash"]["payload"]
    assert {"seq", "prev", "at_ms"} <= set(flash["required"])


def test_every_object_that_a_viewer_sends_names_its_type() -> None:
    for name in COMMANDS:
        schema = document()["components"]["schemas"]
        tagged = [
            each for each in schema.values() if each["properties"].get("type", {}).get("enum") == [name]
        ]
        assert len(tagged) == 1
