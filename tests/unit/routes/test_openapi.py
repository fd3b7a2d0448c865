"""The OpenAPI document: complete, and true to the types that the server decodes with."""

import json
import re
from collections.abc import Iterator
from typing import Any

from server.errors import PROBLEMS
from server.routes import openapi
from server.routes.edge import ENDPOINTS

CONTRACT = {
    "/api/v1/shows": {"get", "post"},
    "/api/v1/shows/{show}": {"get"},
    "/api/v1/shows/{show}/start": {"post"},
    "/api/v1/shows/{show}/pause": {"post"},
    "/api/v1/shows/{show}/resume": {"post"},
    "/api/v1/shows/{show}/end": {"post"},
    "/api/v1/shows/{show}/products/{sku}": {"put"},
    "/api/v1/shows/{show}/products/{sku}/restock": {"post"},
    "/api/v1/shows/{show}/products.csv": {"get", "post"},
    "/api/v1/shows/{show}/bag": {"put"},
    "/api/v1/shows/{show}/products/{sku}/waitlist": {"post", "delete"},
    "/api/v1/shows/{show}/waitlist": {"get"},
    "/api/v1/shows/{show}/draws": {"post"},
    "/api/v1/shows/{show}/coupons": {"get"},
    "/api/v1/shows/{show}/coupons/{code}": {"get", "put", "delete"},
    "/api/v1/shows/{show}/draws/{draw}": {"get"},
    "/api/v1/shows/{show}/draws/{draw}/entries": {"post"},
    "/api/v1/shows/{show}/draws/{draw}/cancel": {"post"},
    "/api/v1/shows/{show}/sets": {"get"},
    "/api/v1/shows/{show}/sets/{set}": {"put", "delete"},
    "/api/v1/shows/{show}/pin": {"put", "delete"},
    "/api/v1/shows/{show}/flash": {"post"},
    "/api/v1/shows/{show}/show_flash": {"post"},
    "/api/v1/shows/{show}/show_flash/{flash}": {"delete"},
    "/api/v1/shows/{show}/campaigns": {"post"},
    "/api/v1/shows/{show}/campaigns/{campaign}": {"delete"},
    "/api/v1/shows/{show}/flash/{flash}": {"delete"},
    "/api/v1/shows/{show}/lots": {"post"},
    "/api/v1/shows/{show}/lots/{lot}": {"get"},
    "/api/v1/shows/{show}/lots/{lot}/bids": {"post"},
    "/api/v1/shows/{show}/lots/{lot}/cancel": {"post"},
    "/api/v1/shows/{show}/orders": {"get", "post"},
    "/api/v1/shows/{show}/orders/{order}": {"get"},
    "/api/v1/shows/{show}/orders/{order}/proof": {"get"},
    "/api/v1/shows/{show}/orders/{order}/pay": {"post"},
    "/api/v1/shows/{show}/orders/{order}/cancel": {"post"},
    "/api/v1/shows/{show}/orders/{order}/refund": {"post"},
    "/api/v1/me/orders": {"get"},
    "/api/v1/shows/{show}/moderation": {"post"},
    "/api/v1/shows/{show}/audit": {"get"},
    "/api/v1/shows/{show}/members/{subject}": {"put", "delete"},
    "/api/v1/subjects/{subject}": {"delete"},
    "/api/v1/shows/{show}/flash/{flash}/refund_all": {"post"},
    "/api/v1/shows/{show}/orders.csv": {"get"},
    "/api/v1/shows/{show}/orders/{order}/receipt": {"get"},
    "/api/v1/shows/{show}/webhooks": {"get"},
    "/api/v1/shows/{show}/webhooks/{name}": {"put", "delete"},
    "/api/v1/shows/{show}/webhooks/{name}/replay": {"post"},
    "/webhooks/stripe": {"post"},
    "/api/v1/tokens/revoke": {"post"},
    "/api/v1/guests": {"post"},
    "/api/v1/shows/{show}/ticket": {"post"},
    "/api/v1/shows/{show}/health": {"get"},
    "/whip/{show}": {"post"},
    "/whep/{show}": {"post"},
    "/whip/{show}/{resource}": {"patch", "delete"},
    "/whep/{show}/{resource}": {"patch", "delete"},
    "/whep/{show}/{resource}/layer": {"post"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}
DOCUMENT = openapi.document(ENDPOINTS, "")


def _refs() -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(DOCUMENT)))


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_address_of_the_contract_is_there_and_no_other() -> None:
    assert {path: set(methods) for path, methods in DOCUMENT["paths"].items()} == CONTRACT


def test_every_reference_resolves() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    refs = _refs()
    assert refs
    assert all(ref.removeprefix("#/components/schemas/") in schemas for ref in refs)


def test_operations_are_complete() -> None:
    ids: list[str] = []
    for path, method, operation in _operations():
        ids.append(operation["operationId"])
        named = {
            parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"
        }
        assert all(f"{{{name}}}" in path for name in named), path
        assert path.count("{") == len(named), path
        assert operation["summary"], (path, method)
        for status, answer in operation["responses"].items():
            assert status.isdecimal()
            assert answer["description"]
    assert len(set(ids)) == len(ids)


def test_unknown_fields_are_refused_in_every_body() -> None:
    for path, _, operation in _operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        for schema in _bodies(content["schema"]):
            assert schema["additionalProperties"] is False, path


def _bodies(schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return _bodies(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema or "oneOf" in schema:
        return [inner for option in schema.get("anyOf") or schema["oneOf"] for inner in _bodies(option)]
    return [schema]


def test_the_codes_of_an_endpoint_are_known_problems() -> None:
    for endpoint in ENDPOINTS:
        assert all(code in PROBLEMS for code in endpoint.problems), endpoint.path


def test_an_order_command_says_its_bounds() -> None:
    quantity = DOCUMENT["components"]["schemas"]["OrderCommand"]["properties"]["quantity"]
    assert (quantity["minimum"], quantity["maximum"]) == (1, 10_000)
