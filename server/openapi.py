"""The OpenAPI document of the REST routes, made from the routes themselves.

Litestar knows paths, parameters and bodies; what this server knows besides is added here: the
structs' own JSON Schemas with their texts and limits, who may call, and how errors look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, get_args

import msgspec
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.routes import HTTPRoute

from server.access import CSRF_HEADER
from server.auth import COOKIE, SECURE_COOKIE
from server.people.roles import Action
from server.problems import MEDIA_TYPE, Problem

PATH = "/openapi.json"
_CHANGING = frozenset({"post", "put", "patch", "delete"})
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_JSON = frozenset({"application/json", "application/vcon"})
_REF = "#/components/schemas/{name}"
_SECURITY_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "The command line's key (`cli.key` in the data folder), or an API key "
        "where a route says which scope it needs.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"From `POST /v1/sign-in`; under TLS its name is `{SECURE_COOKIE}`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "From `GET /v1/me`; with every change that a page makes.",
    },
    "sigv4": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 with the key pair of `[contact_lens]`.",
    },
}
_REASON = {
    "name": "reason",
    "in": "query",
    "schema": {"type": "string"},
    "required": False,
    "description": "Why somebody looks who needs a reason; it is written into the audit log.",
}
_PROBLEMS = {
    400: "The request is not as described.",
    401: "Nobody is signed in.",
    403: "The role does not include this, or a change lacks its CSRF token.",
    404: "There is no such thing, or it is not for the asker.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many attempts; `Retry-After` says how many seconds to wait.",
    500: "The server failed.",
    503: "Not now; try again.",
}


def openapi_route(handlers: Sequence[Any]) -> HTTPRouteHandler:
    """Return the route that serves the description of other routes."""

    @get(PATH, opt={"action": Action.READ_API}, include_in_schema=False, sync_to_thread=True)
    def openapi_document() -> dict[str, Any]:
        return document()

    document = cache(lambda: describe(handlers))
    return openapi_document


def describe(handlers: Sequence[Any]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of REST routes.

    Besides what Litestar reads, a handler's `opt` may say `answer` and `body`, the structs behind
    what it encodes and decodes itself, and `problems`, statuses of its own.
    """
    config = OpenAPIConfig(
        title="Heartline",
        version=version("heartline"),
        description="Real-time empathy monitor for voice calls.",
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
    )
    app = Litestar(handlers, openapi_config=config)
    document: dict[str, Any] = app.openapi_schema.to_schema()
    found = list(_handlers(app))
    components = document["components"]
    components["schemas"] = components.get("schemas", {}) | _schemas(h for _, _, h in found)
    components["securitySchemes"] = _SECURITY_SCHEMES
    for path, method, handler in found:
        operation = document["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(operation, path, method, handler)
    return document


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS" and handler.resolve_include_in_schema():
                    yield route.path_format, method.lower(), handler


def _operation_id(handler: HTTPRouteHandler, method: Any, path: Sequence[Any]) -> str:
    name = handler.name or handler.handler_name
    if len(handler.paths) > 1:
        name = "_".join(str(part) for part in path if isinstance(part, str))
    return f"{method.value.lower()}_{name}".replace("-", "_")


def _complete(operation: dict[str, Any], path: str, method: str, handler: HTTPRouteHandler) -> None:
    """Add who may call, and how a refusal looks."""
    codes = {403, 500, *handler.opt.get("problems", ())}
    if operation.get("parameters") or "requestBody" in operation:
        codes.add(400)
    if "requestBody" in operation:
        codes |= {413, 415}
    body = handler.opt.get("body")
    if body is not None:
        schema = {"$ref": _REF.format(name=body.__name__)}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    if handler.opt.get("action") is Action.READ_CONTENT:
        operation.setdefault("parameters", []).append(_REASON)
    if not handler.opt.get("public"):
        codes.add(401)
        change: dict[str, list[str]] = {"session": []}
        if method in _CHANGING:
            change["csrf"] = []
        operation["security"] = [{"key": []}, change]
    if "{" in path:
        codes.add(404)
    responses = operation["responses"]
    if 400 not in (handler.responses or {}):
        responses.pop("400", None)
    responses.get("204", {}).pop("content", None)
    for code in sorted(codes):
        response = responses.setdefault(str(code), {"description": _PROBLEMS[code]})
        response.setdefault("content", {})[MEDIA_TYPE] = {"schema": _PROBLEM}
    answer = handler.opt.get("answer")
    for media_type, content in responses.get("200", {}).get("content", {}).items():
        if answer is not None:
            content["schema"] = {"$ref": _REF.format(name=answer.__name__)}
        elif media_type in _JSON and content["schema"] == {"type": "string"}:
            content["schema"] = {"type": "object"}


def _schemas(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """Return the JSON Schemas of every struct that goes in or out."""
    types: list[Any] = [Problem]
    for handler in handlers:
        for field in (handler.parsed_data_field, handler.parsed_return_field):
            types += [] if field is None else _structs(field.annotation)
        types += [*_structs(handler.opt.get("answer")), *_structs(handler.opt.get("body"))]
    _, components = msgspec.json.schema_components(dict.fromkeys(types), ref_template=_REF)
    return dict(components)


def _structs(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for inner in get_args(annotation):
        yield from _structs(inner)
