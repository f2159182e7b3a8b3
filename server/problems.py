"""Errors over HTTP: `application/problem+json` (RFC 9457); faults of ours carry a reference.

What is refused is not logged and has none, so that an unknown call and a foreign one get the same
bytes.
"""

from __future__ import annotations

import http
import logging
import secrets
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DataError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer (`reliability.md` A10)."""
MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger("heartline.http")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong with a request."""

    title: str
    """The status in words."""
    status: int
    detail: str
    """One sentence for whoever asked; nothing of ours and nothing of others."""
    correlation_id: str | None = None
    """Under which the log has the matter, when it was a fault of ours."""


def refuse(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer a request that cannot be met as asked."""
    extra = getattr(error, "extra", None)
    wrong = [found for found in extra if isinstance(found, dict)] if extra else []
    told = "; ".join(f"{found.get('key', 'body')}: {found.get('message')}" for found in wrong)
    detail = f"{error.detail}: {told}" if told else error.detail
    return _answer(error.status_code, detail, error.headers)


def refuse_value(_: Request[Any, Any, Any], error: DataError) -> Response[Problem]:
    """Answer a request with a value that no database row can have, such as a NUL in a name."""
    return _answer(400, "A value cannot be what is stored here.", None)


def fail(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer a request that met a fault of ours; the log says where, never with which values."""
    reference = secrets.token_hex(8)
    place = traceback.extract_tb(error.__traceback__)[-1]
    _LOG.error(
        "%s %s failed: %s in %s, ref %s",
        request.method,
        request.scope.get("path_template", ""),
        type(error).__name__,
        f"{place.name}:{place.lineno}",
        reference,
    )
    detail = "The server failed; tell its operator the reference."
    return _answer(500, detail, None, reference)


def _answer(
    status: int, detail: str, headers: dict[str, str] | None, reference: str | None = None
) -> Response[Problem]:
    title = http.HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, correlation_id=reference)
    return Response(
        problem, status_code=status, media_type=MEDIA_TYPE, headers=HEADERS | (headers or {})
    )


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    HTTPException: refuse,
    DataError: refuse_value,
    Exception: fail,
}
