"""The published description of the sockets is valid AsyncAPI, and what passes over them fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from websockets.sync.client import connect

from server import asyncapi, wire
from server.ingest import SAYS
from server.runner import Running
from tests.server.live import close_code, native, send_audio, serving, ticket, until

pytestmark = [pytest.mark.server, pytest.mark.model]
SCHEMAS = (
    Path(__file__).parents[2] / "dashboard" / "node_modules" / "@asyncapi" / "specs" / "schemas"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving() as running:
        yield running


def test_the_committed_document_is_not_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asyncapi.main(["--check"]) == 0, "run `python -m server.asyncapi`"
    copy = tmp_path / "asyncapi.json"
    assert asyncapi.main([], copy) == 0
    copy.write_bytes(b"{}")
    assert asyncapi.main(["--check"], copy) == 1
    assert "stale" in capsys.readouterr().err


def test_the_document_is_valid_by_the_published_schema_of_asyncapi() -> None:
    if not SCHEMAS.is_dir():
        pytest.skip("@asyncapi/specs is not installed; run `make setup`")
    schema = json.loads((SCHEMAS / "3.0.0-without-$id.json").read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    assert list(validator.iter_errors(asyncapi.document())) == []
    broken = {**asyncapi.document(), "operations": {"x": {"action": "shout"}}}
    assert list(validator.iter_errors(broken))


def test_every_reference_of_the_document_leads_somewhere() -> None:
    text = asyncapi.encoded().decode()
    for line in text.splitlines():
        if '"$ref": "#/' in line:
            place: Any = asyncapi.document()
            for part in line.split('"#/')[1].rstrip('",').split("/"):
                place = place[part]


def test_only_who_is_signed_in_reads_it(server: Running) -> None:
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {server.user.key}"}, 200)):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/asyncapi.json", headers=headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        assert answer.status == status
    assert body == json.loads(asyncapi.encoded())


class Checker:
    """Checks messages against the channel of the document that they pass over."""

    def __init__(self, channel: str) -> None:
        document = json.loads(asyncapi.encoded())
        self.schemas: dict[str, list[Any]] = {}
        for name in document["channels"][channel]["messages"]:
            payload = document["components"]["messages"][name]["payload"]
            if "$ref" in payload:
                schema = {**payload, "components": document["components"]}
                kind = document["components"]["schemas"][name]["properties"]["type"]["enum"][0]
                self.schemas.setdefault(kind, []).append(jsonschema.Draft202012Validator(schema))
        self.seen: set[str] = set()

    def check(self, text: str | bytes) -> None:
        message = json.loads(text)
        errors = [list(v.iter_errors(message)) for v in self.schemas[message["type"]]]
        assert [] in errors, errors
        self.seen.add(message["type"])


def test_everything_that_a_call_sends_and_gets_fits_the_document(server: Running) -> None:
    ingest, panel, wall = Checker("ingest"), Checker("call"), Checker("wall")
    address = f"ws://127.0.0.1:{server.port}/v1"
    with (
        native(server, call_id="told", agent="ann") as (source, started),
        connect(f"{address}/calls/told/events") as screen,
        connect(f"{address}/live") as supervisor,
    ):
        ingest.check(json.dumps(started))
        for socket in (screen, supervisor):
            socket.send(json.dumps({"type": "ticket", "ticket": ticket(server)}))
        source.send('{"type":"dance"}')
        send_audio(source, 0, 6_000)
        while "ack" not in ingest.seen:
            ingest.check(source.recv(timeout=10))
        for _ in range(2):
            wall.check(supervisor.recv(timeout=10))
        source.send('{"type":"stop"}')
        for message in source:
            ingest.check(message)
        while "report" not in panel.seen:
            panel.check(screen.recv(timeout=10))
    assert ingest.seen >= {"started", "error", "ack", "stopped"}
    assert panel.seen == {"hello", "snapshot", "event", "position", "report"}
    assert wall.seen == {"hello", "snapshot"}


def test_what_people_say_as_described_reaches_the_call(server: Running) -> None:
    said: list[tuple[msgspec.Struct, str | None]] = [
        (wire.RaiseHand(), "hand_raised"),
        (wire.Feedback(cue="c1", verdict="up"), "cue_feedback"),
        (wire.PauseCapture(), "capture_paused"),
        (wire.ResumeCapture(), "capture_resumed"),
        (wire.PromiseReview(promise="p1", verdict="confirmed"), "promise_reviewed"),
    ]
    watched: list[tuple[msgspec.Struct, str | None]] = [
        (wire.Nudge(nudge="n1", text="Well done"), "nudge_sent"),
        (wire.Acknowledge(alert="a1", taken=True), "alert_acknowledged"),
    ]
    checker = Checker("call")
    with native(server, call_id="spoken", agent="ann") as (source, _):
        send_audio(source, 0, 1_000)
        for audience, messages in (("agent", said), ("watch", watched)):
            with connect(f"ws://127.0.0.1:{server.port}/v1/calls/spoken/events") as screen:
                wish = {"as": "watch"} if audience == "watch" else {}
                first = {"type": "ticket", "ticket": ticket(server), **wish}
                checker.check(json.dumps(first))
                screen.send(json.dumps(first))
                for message, _ in messages:
                    text = msgspec.json.encode(message).decode()
                    checker.check(text)
                    screen.send(text)
                expected = {kind for _, kind in messages}
                until(
                    lambda wanted=expected: (  # type: ignore[misc]
                        wanted
                        <= {e.__struct_config__.tag for e in server.calls.journal.events("spoken")}
                    )
                )
        source.send('{"type":"stop"}')
        assert close_code(source) == 1000


def test_every_message_of_a_source_is_in_the_document() -> None:
    described = asyncapi.document()["channels"]["ingest"]["messages"]
    assert {cls.__name__.lstrip("_") for cls in SAYS} <= set(described)
