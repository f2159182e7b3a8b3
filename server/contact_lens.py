"""The real-time Contact Lens API, so that tools made for it can read calls of this server.

Off unless `[contact_lens]` has a key pair of its own: a request is answered when its AWS
Signature Version 4 was made with that pair at most five minutes ago.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from reports.build import build_report
from reports.exports.contact_lens import segments

_ALGORITHM = "AWS4-HMAC-SHA256"
_TOLERANCE_S = 300
_DEFAULT_RESULTS, _MOST_RESULTS = 10, 100


class ContactLensSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key pair of the Contact Lens endpoint; without both it does not exist."""

    access_key_id: str = ""
    """Name of the key."""
    secret_access_key: str = ""
    """Its secret; better in HEARTLINE_CONTACT_LENS__SECRET_ACCESS_KEY than in the file."""

    @property
    def enabled(self) -> bool:
        """Whether the endpoint is served."""
        return bool(self.access_key_id and self.secret_access_key)


class SegmentsQuery(msgspec.Struct, rename="pascal"):
    """Which segments are asked for; names as in AWS's API."""

    instance_id: str
    contact_id: str
    max_results: int = _DEFAULT_RESULTS
    next_token: str | None = None


class _Refused(Exception):
    """Answered with the error of this name, as the API's clients expect."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def _wall_time() -> datetime:
    return datetime.now(UTC)


def analysis_segments_route(
    settings: ContactLensSettings, now: Callable[[], datetime] = _wall_time
) -> HTTPRouteHandler:
    """Return the route `POST /realtime-contact-analysis/analysis-segments`."""

    @post(
        "/realtime-contact-analysis/analysis-segments",
        status_code=200,
        opt={"public": True, "body": SegmentsQuery},
        security=[{"sigv4": []}],
        responses={
            code: ResponseSpec(dict[str, str], description="As Contact Lens says it.")
            for code in (400, 403, 404)
        },
    )
    async def analysis_segments(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
        """List the segments of a call, some at a time."""
        body = await request.body()
        try:
            verify_signature(
                settings,
                method=request.method,
                path=request.url.path,
                query=request.url.query,
                headers=dict(request.headers),
                body=body,
                now=now(),
            )
            page = await asyncio.to_thread(_page, state, body)
        except _Refused as refused:
            return Response(
                msgspec.json.encode({"Message": refused.message}),
                status_code=refused.status,
                headers={"x-amzn-ErrorType": refused.kind},
                media_type="application/json",
            )
        return Response(msgspec.json.encode(page), media_type="application/json")

    return analysis_segments


def _page(state: State, body: bytes) -> dict[str, Any]:
    try:
        query = msgspec.json.decode(body, type=SegmentsQuery)
        begin = int(query.next_token or 0)
        if begin < 0 or not 1 <= query.max_results <= _MOST_RESULTS:
            raise ValueError
    except (msgspec.MsgspecError, ValueError) as error:
        raise _Refused(
            400,
            "InvalidRequestException",
            f"Give InstanceId, ContactId, MaxResults from 1 to {_MOST_RESULTS}, and a NextToken "
            "of an earlier answer.",
        ) from error
    events = state.calls.journal.events(query.contact_id)
    if not events:
        raise _Refused(404, "ResourceNotFoundException", "There is no such contact.")
    found = segments(build_report(events))
    end = begin + query.max_results
    page: dict[str, Any] = {"Segments": found[begin:end]}
    if end < len(found):
        page["NextToken"] = str(end)
    return page


def verify_signature(
    settings: ContactLensSettings,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> None:
    """Check an AWS Signature Version 4.

    Raises:
        _Refused: it is missing, old, made with another key, or does not fit the request.
    """
    scheme, _, fields = headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in fields.split(","))
    credential = parts.get("Credential", "").split("/")
    signed = parts.get("SignedHeaders", "").split(";")
    stamp = headers.get("x-amz-date", "")
    if scheme != _ALGORITHM or len(credential) != 5 or not {"host", "x-amz-date"} <= set(signed):
        raise _denied("A signature of version 4 over host and x-amz-date is needed.")
    if not _is_recent(stamp, now):
        raise _denied("The signature is too old, or this machine's clock is wrong.")
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/-_.~%"),
            _canonical_query(query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = "/".join(credential[1:])
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{settings.secret_access_key}".encode()
    for part in credential[1:]:
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    same_key = hmac.compare_digest(credential[0].encode(), settings.access_key_id.encode())
    given = parts.get("Signature", "")
    if not hmac.compare_digest(given.encode(), expected.encode()) or not same_key:
        raise _denied("The signature does not fit the request and the key.")


def _is_recent(stamp: str, now: datetime) -> bool:
    try:
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((now - made).total_seconds()) <= _TOLERANCE_S


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)


def _denied(message: str) -> _Refused:
    return _Refused(403, "AccessDeniedException", message)
