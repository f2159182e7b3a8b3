"""The tone coach as a command, a route and a page."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asr.settings import AsrSettings
from server.cli import app
from server.commands.tone import ToneFileError
from server.hearing import Hearing, HearingSettings
from server.runner import Running, running_server
from server.tone_routes import MAX_CHARACTERS

pytestmark = pytest.mark.server
REPLY = "You should have called us. We will look into it soon."
ASKED = [{"speaker": "customer", "text": "I am really upset."}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("data") / "heartline.db"
    with (
        Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing,
        running_server(hearing, database) as running,
    ):
        yield running


def ask(
    server: Running, method: str, path: str, body: Any = None, *, key: str = ""
) -> tuple[int, bytes, http.client.HTTPMessage]:
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def test_the_route_finds_and_suggests(server: Running) -> None:
    body = {"text": REPLY, "context": ASKED, "language": "en"}
    status, content, _ = ask(server, "POST", "/v1/tone", body, key=server.user.key)
    assert status == 200
    found = json.loads(content)
    assert set(found) == {"acts", "findings"}
    kinds = {f["kind"] for f in found["findings"]}
    assert kinds == {"blame", "vague_time", "no_acknowledgement", "no_next_step"}
    assert all(f["why"] and f["better_wording"] for f in found["findings"])


def test_the_route_is_for_who_is_signed_in(server: Running) -> None:
    assert ask(server, "POST", "/v1/tone", {"text": REPLY})[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x" * (MAX_CHARACTERS + 1)},
        {"text": "x", "context": [{"speaker": "customer", "text": "x" * (MAX_CHARACTERS + 1)}]},
        {"text": "x", "language": "fi"},
        {"text": "x", "other": 1},
        {},
    ],
)
def test_what_cannot_be_read_is_refused(server: Running, body: Any) -> None:
    assert ask(server, "POST", "/v1/tone", body, key=server.user.key)[0] == 400


def test_the_page_keeps_its_script_in_a_file_of_its_own(server: Running) -> None:
    status, content, headers = ask(server, "GET", "/tone")
    assert status == 200
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    page = content.decode()
    assert not re.search(r"<script[^>]*>[^<]", page)
    assert not re.search(r"\son\w+=", page)
    for linked in re.findall(r'(?:src|href)="(/tone[^"]+)"', page):
        assert ask(server, "GET", linked)[0] == 200
    assert "innerHTML" not in ask(server, "GET", "/tone.js")[1].decode()


# ------------------------------------------------------------------ the command


def test_the_command_reads_standard_input_and_the_customers_message() -> None:
    run = CliRunner().invoke(app, ["tone", "--to", "I am really upset."], input=REPLY)
    assert run.exit_code == 0
    assert 'blame: "You should have called"' in " ".join(run.stdout.split())
    assert "no_acknowledgement" in run.stdout


def test_a_good_reply_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "reply.txt").write_text("Yes, it arrives on Friday. Shall I send you the number?")
    run = CliRunner().invoke(app, ["tone", str(tmp_path / "reply.txt"), "--to", "When?"])
    assert run.stdout == "Nothing in it reads as a brush-off.\n"


def test_json_has_the_shape_of_the_route() -> None:
    run = CliRunner().invoke(app, ["tone", "--json"], input=REPLY)
    found = json.loads(run.stdout)
    assert {REPLY[f["start"] : f["end"]] for f in found["findings"]} >= {"soon"}


def test_many_replies_come_as_lines(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "text": REPLY, "context": ASKED},
        {"id": 2, "text": "It is booked for Monday.", "context": "Can you book it?"},
    ]
    path = tmp_path / "replies.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    run = CliRunner().invoke(app, ["tone", str(path)])
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", 2]
    assert answers[0]["findings"]
    assert answers[1]["findings"] == []


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "reply.txt"
    if content is not None:
        path.write_bytes(content)
    run = CliRunner().invoke(app, ["tone", str(path)])
    assert isinstance(run.exception, ToneFileError)
    assert "reply.txt" in str(run.exception)
