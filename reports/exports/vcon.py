"""The call as a vCon: draft-ietf-vcon-vcon-core-04 with the contact-centre (CC) extension.

Party 0 is the customer, party 1 the agent; a recording's `parties` are in channel order, agent
first. Heartline keeps no audio, so the recording has neither body nor address.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from conversation.events import Channel, Event, HoldEnded, HoldStarted
from reports.model import Report

MEDIA_TYPE = "application/vcon"
PRODUCT = "Heartline"
_PARTY = {Channel.CUSTOMER: 0, Channel.AGENT: 1}
_JSON = "application/json"


def vcon(report: Report, events: Sequence[Event]) -> bytes:
    """Write the unsigned form; holds come from the event log."""
    call = report.call
    began = datetime.fromisoformat(call.started_at)
    value = {
        "uuid": str(_uuid(report)),
        "created_at": _time(began, call.duration_ms),
        "extensions": ["CC"],
        "subject": f"Call {call.id}",
        "parties": [
            {"role": "customer"},
            {"role": "agent", **({"name": call.agent} if call.agent else {})},
        ],
        "dialog": [_dialog(report, events, began)],
        "analysis": [
            _analysis("transcript", "heartline-transcript-1", _transcript(report)),
            _analysis("report", f"heartline-report-{report.schema_version}", _findings(report)),
        ],
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _uuid(report: Report) -> uuid.UUID:
    """Return the call's version 8 UUID: the same call has the same one, wherever it is written."""
    name = f"heartline|{report.call.id}|{report.call.started_at}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # version
    number = number & ~(0x3 << 62) | 2 << 62  # variant of RFC 9562
    return uuid.UUID(int=number)


def _time(began: datetime, at_ms: int) -> str:
    return (began + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def _dialog(report: Report, events: Sequence[Event], began: datetime) -> dict[str, Any]:
    directed = report.quality.direction_known
    dialog: dict[str, Any] = {
        "type": "recording",
        "start": _time(began, 0),
        "duration": report.call.duration_ms / 1000,
        "parties": [_PARTY[Channel.AGENT], _PARTY[Channel.CUSTOMER]] if directed else [[1, 0]],
        "mediatype": "audio/x-wav",
    }
    holds = [
        {
            "party": _PARTY[Channel.CUSTOMER],
            "time": _time(began, event.at_ms),
            "event": "hold" if isinstance(event, HoldStarted) else "unhold",
        }
        for event in events
        if isinstance(event, HoldStarted | HoldEnded)
    ]
    if holds:
        dialog["party_history"] = holds
    return dialog


def _analysis(kind: str, schema: str, body: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "dialog": 0,
        "mediatype": _JSON,
        "vendor": PRODUCT,
        "product": PRODUCT.lower(),
        "schema": schema,
        "encoding": "json",
        "body": msgspec.json.encode(body).decode("utf-8"),
    }


def _transcript(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "id": part.id,
            "party": _PARTY.get(part.channel),
            "start_ms": part.start_ms,
            "end_ms": part.end_ms,
            "text": part.text,
        }
        for part in report.transcript
    ]


def _findings(report: Report) -> dict[str, Any]:
    return {"scorecard": report.scorecard, "interruptions": report.interruptions}
