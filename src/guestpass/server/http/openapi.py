"""OpenAPI 3.1 of the HTTP API, made from the route table and the shapes of its bodies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from guestpass.errors import ERRORS
from guestpass.server.http.callers import SAFE_METHODS
from guestpass.server.http.decode import FORM_TYPE
from guestpass.server.http.errors import ErrorBody, status_of
from guestpass.server.http.routes import ANY_METHOD, Route, RouteTable

_REFERENCE = "#/components/schemas/{name}"
_EVERYWHERE = ("VALIDATION_ERROR", "INTERNAL_ERROR", "UNAVAILABLE")
_OF_CALLER = {"api_key": ("UNAUTHORIZED", "FORBIDDEN"), "token": tuple(
    code for code, kind in ERRORS.items() if code.startswith("TOKEN_") and kind.status == 401  # noqa: PLR2004
), "client": ("UNAUTHORIZED",), "holder": ("UNAUTHORIZED",), "anyone": ()}  # fmt: skip
_OF_BODY = ("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "api_key": [{"apiKey": []}, {"apiKeyBasic": []}, {"signedRequest": []}],
    "token": [{"sessionToken": []}],
    "client": [{"apiKey": []}, {"apiKeyBasic": []}, {"signedRequest": []}, {}],
    "holder": [{}, {"sessionToken": []}, {"apiKey": []}, {"apiKeyBasic": []}, {"signedRequest": []}],
    "anyone": [],
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Sent again with the same key, a request is answered as it was, with `Idempotency-Replayed: true`.",
}
_REPLAYED = {"Idempotency-Replayed": {"schema": {"const": "true"}, "description": "Where this was answered before."}}
_SIGNED = """With `X-API-Key` (the key's id), `X-API-Timestamp` and `X-API-Nonce`: a lower-case hex HMAC-SHA256 over the \
request, under the secret of a key that was made for signing."""
_DESCRIPTION = """Session tokens for embedded products. A session is what is true; a token proves it to one audience \
for a time; a kind says how. Your backend mints with a secret API key; your users' browsers carry the token."""


def describe(table: RouteTable, base_url: str) -> dict[str, Any]:
    """Return the whole document as plain values."""
    shapes = _shapes(table.routes)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    schema_of = dict(zip(shapes, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        method = "get" if route.method == ANY_METHOD else route.method.lower()
        paths.setdefault(route.path, {})[method] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Guestpass", "version": "1", "description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": base_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in table.routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "A secret API key, `sk_test_…` or `sk_live_…`."},
                "apiKeyBasic": {"type": "http", "scheme": "basic", "description": "`key_…:sk_…`, or `sk_…:`."},
                "signedRequest": {"type": "apiKey", "in": "header", "name": "X-API-Signature", "description": _SIGNED},
                "sessionToken": {"type": "http", "scheme": "bearer", "description": "A session or access token."},
            },
        },
    }  # fmt: skip


def encode(description: dict[str, Any]) -> bytes:
    return json.dumps(description, indent=1, ensure_ascii=False).encode()


def codes_of(route: Route) -> list[str]:
    """Return every error code that a route can answer, in the order of the table of errors."""
    codes = {
        *_EVERYWHERE,
        *_OF_CALLER[route.caller],
        *(("REQUEST_REPLAYED",) if _can_be_replayed(route) else ()),
        *route.codes,
        *(("CONFLICT", "IDEMPOTENCY_CONFLICT") if route.creates is not None else ()),
        *(("RATE_LIMITED",) if route.limits_failures else ()),
        *(_OF_BODY if (route.body or route.method != "GET") and not route.is_proxied else ()),
    }
    return [code for code in ERRORS if code in codes]


def _can_be_replayed(route: Route) -> bool:
    return route.caller in ("api_key", "client", "holder") and route.method not in SAFE_METHODS


def _shapes(routes: Iterable[Route]) -> list[type]:
    shapes: dict[type, None] = {ErrorBody: None}
    for route in routes:
        shapes.update(
            {shape: None for shape in (route.body, route.form, *route.answers.values()) if shape not in (None, dict)}
        )
    return list(shapes)


def _operation(route: Route, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "security": _SECURITY[route.caller],
        "parameters": _parameters(route),
        "responses": _responses(route, schema_of),
    }
    description = " ".join(filter(None, (route.can and f"The API key needs `{route.can}`.", route.note)))
    if description:
        operation["description"] = description
    for shape, media_type in ((route.body, "application/json"), (route.form, FORM_TYPE)):
        if shape is not None:
            content = {media_type: {"schema": schema_of[shape]}}
            operation["requestBody"] = {"required": route.needs_body, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    in_path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    in_query = [
        {"name": query.name, "in": "query", "required": False, "schema": query.schema, "description": query.description}
        for query in route.query
    ]
    return in_path + in_query + ([_IDEMPOTENCY_KEY] if route.creates is not None else [])


def _responses(route: Route, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in route.answers.items():
        content: dict[str, Any] = {route.media: {}}
        if shape is not None:
            content = {"application/json": {"schema": schema_of.get(shape, {"type": "object"})}}
        responses[str(status)] = {"description": "Done." if status != 201 else "Made.", "content": content}  # noqa: PLR2004
        if route.creates is not None:
            responses[str(status)]["headers"] = _REPLAYED
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(status_of(ERRORS[code], oauth=route.form is not None), []).append(code)
    for status, codes in sorted(by_status.items()):
        text = " ".join(f"`{code}`: {ERRORS[code].meaning}" for code in codes)
        responses[str(status)] = {
            "description": text,
            "content": {"application/json": {"schema": schema_of[ErrorBody]}},
        }
    return responses


def _operation_id(route: Route) -> str:
    words = [part.strip("{}.").replace("-", "_").replace(".", "_") for part in route.path.split("/") if part]
    method = "any" if route.method == ANY_METHOD else route.method.lower()
    return "_".join([method, *words])
