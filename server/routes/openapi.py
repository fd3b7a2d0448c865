"""OpenAPI 3.1, made from the endpoints and the types that they decode and encode: so it cannot differ."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from server.commerce.orders import OrderView
from server.errors import PROBLEM_TYPE, PROBLEMS
from server.routes.endpoint import Endpoint, Nothing
from server.routes.purchases import BagCommand, OrderCommand
from server.routes.video import SDP_TYPE, TRICKLE_TYPE

VERSION: Final = "1"
REF: Final = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")

Json = dict[str, Any]


class ProblemDocument(msgspec.Struct):
    """RFC 9457. `code` is stable; some codes carry further members."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None


ORDER_PROBLEMS: Final = (
    "idempotency_key_required",
    "unknown_show",
    "unknown_sku",
    "banned",
    "guests_closed",
    "show_closed",
    "sales_paused",
    "not_for_sale",
    "lottery_only",
    "mixed_sellers",
    "price_changed",
    "unknown_coupon",
    "coupon_over",
    "coupon_not_for",
    "limit_reached",
    "coupon_used_up",
    "sold_out",
    "idempotency_conflict",
)
ORDERS_PATH: Final = "/api/v1/shows/{show}/orders"


def document(endpoints: Iterable[Endpoint], public_url: str) -> Json:
    """Return the OpenAPI 3.1 document of the HTTP interface."""
    listed = list(endpoints)
    types: list[Any] = [ProblemDocument, OrderCommand, BagCommand, OrderView]
    for endpoint in listed:
        types += [answer for answer in endpoint.answers.values() if answer is not None]
        if endpoint.body not in (None, Nothing, bytes):
            types.append(endpoint.body)
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    schema_of = _by_type(types, schemas)
    paths: Json = {}
    for endpoint in listed:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    paths.setdefault(ORDERS_PATH, {})["post"] = _order_operation(schema_of)
    paths.update(_video_paths())
    paths.update(_plain_paths())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vendue",
            "version": VERSION,
            "description": "Live shopping: one show, one log, one clock.",
        },
        "servers": [{"url": public_url or "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _by_type(types: list[Any], schemas: Iterable[Json]) -> dict[int, Json]:
    """Schemas by the identity of their type (unions are not hashable by meaning)."""
    return {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}


def _operation(endpoint: Endpoint, schema_of: Mapping[int, Json]) -> Json:
    parameters = _path_parameters(endpoint.path)
    parameters += [
        {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}} for name in endpoint.query
    ]
    if endpoint.key != "none":
        parameters.append(_header("Idempotency-Key", required=endpoint.key == "required"))
    operation: Json = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": parameters,
        "security": {"none": [], "optional": [{}, {"bearer": []}], "bearer": [{"bearer": []}]}[endpoint.auth],
        "responses": {
            **{str(status): _answer(status, kind, schema_of) for status, kind in endpoint.answers.items()},
            **_problems(endpoint.problems),
        },
    }
    if endpoint.body not in (None, Nothing):
        operation["requestBody"] = (
            _json_body(schema_of[id(endpoint.body)])
            if endpoint.decoder
            else {"required": True, "content": {endpoint.takes: {"schema": {"type": "string"}}}}
        )
    return operation


def _order_operation(schema_of: Mapping[int, Json]) -> Json:
    order = schema_of[id(OrderView)]
    return {
        "operationId": "create_order",
        "summary": "Hold units at the price seen",
        "tags": ["orders"],
        "parameters": [*_path_parameters(ORDERS_PATH), _header("Idempotency-Key", required=True)],
        "security": [{"bearer": []}],
        "requestBody": _json_body({"oneOf": [schema_of[id(OrderCommand)], schema_of[id(BagCommand)]]}),
        "responses": {
            "201": {"description": "The new order", "content": _json(order)},
            "200": {"description": "The order that this key made before", "content": _json(order)},
            **_problems(ORDER_PROBLEMS),
        },
    }


def _answer(status: int, kind: Any, schema_of: Mapping[int, Json]) -> Json:
    if kind is None:
        return {"description": "Done"}
    return {
        "description": "Accepted" if status == 202 else "The answer",
        "content": _json(schema_of[id(kind)]),
    }


def _problems(codes: Iterable[str]) -> Json:
    """The refusals by status, each with its codes, beside those that every endpoint has."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(
        (*codes, "bad_request", "invalid_token", "expired", "forbidden", "rate_limited")
    ):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    content = {PROBLEM_TYPE: {"schema": {"$ref": REF.format(name="ProblemDocument")}}}
    return {
        str(status): {"description": ", ".join(sorted(listed)), "content": content}
        for status, listed in sorted(by_status.items())
    }


def _video_paths() -> Json:
    """WHIP (RFC 9725) and WHEP, whose bodies are session descriptions."""
    paths: Json = {}
    sdp = {"content": {SDP_TYPE: {"schema": {"type": "string"}}}}
    trickle = {"required": True, "content": {TRICKLE_TYPE: {"schema": {"type": "string"}}}}
    for protocol, verb in (("whip", "Publish"), ("whep", "Play")):
        bearer: Json = {"bearer": []}
        security: list[Json] = [bearer] if protocol == "whip" else [{}, bearer]
        shared: Json = {"tags": ["video"], "security": security}
        endpoint, resource = f"/{protocol}/{{show}}", f"/{protocol}/{{show}}/{{resource}}"
        paths[endpoint] = {
            "post": {
                **shared,
                "operationId": f"{protocol}_offer",
                "summary": f"{verb} a show's video",
                "parameters": _path_parameters(endpoint),
                "requestBody": {"required": True, **sdp},
                "responses": {
                    "201": {"description": "The answer; Location names the resource", **sdp},
                    **_problems(
                        ("bad_sdp", "unknown_show", "banned", "no_common_codec", "already_publishing")
                    ),
                },
            }
        }
        paths[resource] = {
            "patch": {
                **shared,
                "operationId": f"{protocol}_trickle",
                "summary": "Trickle candidates, or restart ICE",
                "parameters": [*_path_parameters(resource), _header("If-Match", required=True)],
                "requestBody": trickle,
                "responses": {
                    "200": {"description": "ICE restarted", "content": trickle["content"]},
                    "204": {"description": "Taken"},
                    **_problems(("unknown_resource", "precondition_required", "precondition_failed")),
                },
            },
            "delete": {
                **shared,
                "operationId": f"{protocol}_end",
                "summary": "End the session",
                "parameters": _path_parameters(resource),
                "responses": {"200": {"description": "Ended"}, **_problems(("unknown_resource",))},
            },
        }
    paths["/whep/{show}/{resource}/layer"] = _layer_path("/whep/{show}/{resource}/layer")
    return paths


def _layer_path(path: str) -> Json:
    pixels = {"type": "integer", "minimum": 1, "maximum": 16_384}  # the media worker decodes it
    properties = {"maxWidth": pixels, "maxHeight": pixels}
    view: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "post": {
            "tags": ["video"],
            "security": [{}, {"bearer": []}],
            "operationId": "whep_layer",
            "summary": "Tell how large the picture is shown; an empty object: any size",
            "parameters": _path_parameters(path),
            "requestBody": _json_body(view),
            "responses": {"200": {"description": "Taken"}, **_problems(("unknown_resource",))},
        }
    }


def _plain_paths() -> Json:
    """The addresses that are for machines that watch over us."""
    texts = {
        "/healthz": ("alive", "The process runs"),
        "/readyz": ("ready", "Store and media answer; 503 names what does not"),
        "/metrics": ("metrics", "Prometheus metrics"),
    }
    return {
        path: {
            "get": {
                "operationId": name,
                "summary": summary,
                "tags": ["operation"],
                "security": [],
                "responses": {"200": {"description": summary}},
            }
        }
        for path, (name, summary) in texts.items()
    }


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]


def _header(name: str, *, required: bool) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "schema": {"type": "string", "maxLength": 255},
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _json_body(schema: Json) -> Json:
    return {"required": True, "content": _json(schema)}
