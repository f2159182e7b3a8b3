"""What is told, and how: CloudEvents 1.0 in JSON, signed by Standard Webhooks; pure functions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from conversation.events import (
    AlertRaised,
    CallEnded,
    CallStarted,
    Event,
)
from server.store.promises import NOTICE_KINDS, Notice

CALL_STARTED = "heartline.call.started"
CALL_ENDED = "heartline.call.ended"
REPORT_READY = "heartline.report.ready"
ALERT_RAISED = "heartline.alert.raised"
_PROMISE = "heartline.promise."
TEST = "heartline.test"
TYPES = (
    CALL_STARTED,
    CALL_ENDED,
    REPORT_READY,
    ALERT_RAISED,
    *(f"{_PROMISE}{kind}" for kind in NOTICE_KINDS),
)
"""What a receiver may ask for."""
MEDIA_TYPE = "application/cloudevents+json"
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
_TOLD_OF = (CallStarted, CallEnded, AlertRaised)
EVENT_TYPES = frozenset(str(cls.__struct_config__.tag) for cls in _TOLD_OF)
"""Kinds of journal rows that something may be told of."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be told."""

    id: str
    """The same however often it is sent, so that a receiver can drop what it has."""
    type: str
    data: dict[str, Any]


def messages_of(call_id: str, event: Event, call: dict[str, Any]) -> list[Told]:
    """Return what an event of the journal means for receivers.

    Args:
        call_id: The call.
        event: One of its events.
        call: What every message says of the call: `agent`, `team`, `customer`, `started_at`.
    """
    about = {"call_id": call_id, **call}

    def told(type_: str, key: str, **data: Any) -> Told:
        return Told(id=message_id(call_id, type_, key), type=type_, data={**about, **data})

    if isinstance(event, CallStarted):
        return [told(CALL_STARTED, "", source=event.source, vendor_id=event.vendor_id)]
    if isinstance(event, CallEnded):
        report = f"/v1/calls/{call_id}/report.json"
        return [
            told(CALL_ENDED, "", reason=event.reason, duration_ms=event.at_ms),
            told(REPORT_READY, "", report=report),
        ]
    if isinstance(event, AlertRaised):
        return [
            told(
                ALERT_RAISED,
                event.id,
                alert=event.id,
                rule=event.rule,
                at_ms=event.at_ms,
                reason=event.reason,
                suggested_action=event.suggested_action,
            )
        ]
    return []


def promise_message(notice: Notice, call: dict[str, Any]) -> Told:
    """Return what receivers are told of a confirmed promise.

    Args:
        notice: What became of it.
        call: As in `messages_of`.
    """
    promise = notice.promise
    type_ = f"{_PROMISE}{notice.kind}"
    data = {
        "call_id": promise.call_id,
        **call,
        "promise": promise.id,
        "what": promise.what,
        "who": promise.who,
        "due_at": promise.due_at,
        "precision": promise.precision,
        "done_at": promise.done_at,
    }
    key = f"{promise.id} {promise.due_at}"
    return Told(id=message_id(promise.call_id, type_, key), type=type_, data=data)


def message_id(call_id: str, type_: str, key: str) -> str:
    """Return the id of a message, the same for the same matter."""
    digest = hashlib.sha256("\0".join((call_id, type_, key)).encode()).hexdigest()
    return f"msg_{digest[:32]}"


def body_of(told: Told, *, at: str, source: str) -> bytes:
    """Return a message as a structured CloudEvent.

    Args:
        told: The message.
        at: When it happened, ISO 8601 with offset.
        source: The server, as a URI reference.
    """
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": told.id,
            "source": source,
            "type": told.type,
            "time": at,
            "subject": told.data.get("call_id"),
            "datacontenttype": "application/json",
            "data": told.data,
        }
    )


def secret_of(server_secret: bytes, hook_id: str) -> str:
    """Return a receiver's secret; it is computed, so that no database and no copy of it has it."""
    digest = hmac.digest(server_secret, f"webhook {hook_id}".encode(), "sha256")
    return SECRET_PREFIX + base64.b64encode(digest).decode()


def signed_headers(secret: str, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks; `at_s` is the time of this attempt since 1970."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signature = hmac.digest(key, f"{message_id}.{at_s}.".encode() + body, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        "content-type": MEDIA_TYPE,
    }
