"""The AsyncAPI document of the sockets, generated from the structs that pass over them.

`python -m server.asyncapi` writes `docs/asyncapi.json`; `--check` only compares. The server gives
the same document to whoever is signed in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from litestar import get

from server import wire
from server.ingest import SAYS
from server.people.roles import Action

PATH = "/asyncapi.json"
TARGET = Path(__file__).resolve().parent.parent / "docs" / "asyncapi.json"
"""The generated file, in a source checkout."""
_AUDIO = {
    "Audio": {
        "summary": "Interleaved whole sample frames, 20 to 200 ms, at most 64 KiB.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }
}
_SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key with the scope `ingest`, or a ticket as first message.",
    },
    "ticket": {
        "type": "userPassword",
        "description": "A ticket of `POST /v1/tickets` as first message.",
    },
}
_CALL_ID = {"call_id": {"description": "The call's id: `[A-Za-z0-9_-]{1,64}`."}}


@get(PATH, opt={"action": Action.READ_API}, include_in_schema=False, sync_to_thread=True)
def asyncapi_document() -> dict[str, Any]:
    """Return the AsyncAPI document of this server's sockets."""
    return document()


@cache
def document() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document."""
    said = (wire.Auth, *SAYS)
    people = tuple(dict.fromkeys((*wire.AGENT_SAYS, *wire.SUPERVISOR_SAYS)))
    messages = (*said, *wire.INGEST_TOLD, *wire.CALL_TOLD, *wire.WALL_TOLD, *people)
    unique = tuple(dict.fromkeys(messages))
    _, schemas = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Heartline",
            "version": version("heartline"),
            "description": "Audio in, events out. Text messages are JSON; only audio is binary.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "ingest": _channel("/v1/ingest", (*said, *wire.INGEST_TOLD), audio=True),
            "call": _channel("/v1/calls/{call_id}/events", (*wire.CALL_TOLD, *people)),
            "wall": _channel("/v1/live", (*wire.WALL_TOLD, *wire.SUPERVISOR_SAYS)),
        },
        "operations": {
            "bringCall": _operation("receive", "ingest", said, "key", audio=True),
            "answerSource": _operation("send", "ingest", wire.INGEST_TOLD, "key"),
            "tellCall": _operation("send", "call", wire.CALL_TOLD, "ticket"),
            "hearPeople": _operation("receive", "call", people, "ticket"),
            "tellWall": _operation("send", "wall", wire.WALL_TOLD, "ticket"),
            "hearSupervisor": _operation("receive", "wall", wire.SUPERVISOR_SAYS, "ticket"),
        },
        "components": {
            "messages": {**{_name(cls): _message(cls) for cls in unique}, **_AUDIO},
            "schemas": {_strip(name): _stripped(schema) for name, schema in schemas.items()},
            "securitySchemes": _SECURITY,
        },
    }


def _name(cls: type[msgspec.Struct]) -> str:
    return _strip(cls.__name__)


def _strip(name: str) -> str:
    return name.lstrip("_")


def _stripped(schema: Any) -> Any:
    """Say a JSON Schema as AsyncAPI wants it: a union is told by its members, not by a mapping."""
    if isinstance(schema, dict):
        kept = {key: _stripped(value) for key, value in schema.items() if key != "discriminator"}
        title = kept.get("title")
        return {**kept, "title": _strip(title)} if isinstance(title, str) else kept
    return [_stripped(item) for item in schema] if isinstance(schema, list | tuple) else schema


def _message(cls: type[msgspec.Struct]) -> dict[str, Any]:
    summary = (cls.__doc__ or "").strip().split("\n")[0]
    return {"summary": summary, "payload": {"$ref": f"#/components/schemas/{_name(cls)}"}}


def _names(messages: Iterable[type[msgspec.Struct]], audio: bool) -> list[str]:
    return [*map(_name, messages), *(["Audio"] if audio else [])]


def _channel(
    address: str, messages: Iterable[type[msgspec.Struct]], *, audio: bool = False
) -> dict[str, Any]:
    refs = {n: {"$ref": f"#/components/messages/{n}"} for n in _names(messages, audio)}
    parameters = {"parameters": _CALL_ID} if "{call_id}" in address else {}
    return {"address": address, "messages": refs, **parameters, "bindings": {"ws": {}}}


def _operation(
    action: str,
    channel: str,
    messages: Iterable[type[msgspec.Struct]],
    security: str,
    *,
    audio: bool = False,
) -> dict[str, Any]:
    place = f"#/channels/{channel}"
    refs = [{"$ref": f"{place}/messages/{n}"} for n in _names(messages, audio)]
    return {
        "action": action,
        "channel": {"$ref": place},
        "messages": refs,
        "security": [{"$ref": f"#/components/securitySchemes/{security}"}],
    }


def encoded() -> bytes:
    """Return the document as it is committed."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1) + b"\n"


def main(arguments: Sequence[str] | None = None, target: Path = TARGET) -> int:
    """Write the document, or with `--check` compare it; return the exit status."""
    parser = argparse.ArgumentParser(description="Generate the AsyncAPI document.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    if not parser.parse_args(arguments).check:
        target.write_bytes(encoded())
        return 0
    if target.is_file() and target.read_bytes() == encoded():
        return 0
    sys.stderr.write(f"{target.name} is stale: run `python -m server.asyncapi`.\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
