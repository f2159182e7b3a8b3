"""The published description of the REST routes is valid, complete and kept by the server.

Assertions: A29.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from litestar import get
from litestar.params import FromPath
from litestar.testing import create_test_client
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from server.contact_lens import ContactLensSettings
from server.people.roles import Role
from server.problems import HANDLERS, MEDIA_TYPE
from server.runner import Running, running_server
from server.settings import ServerSettings, Settings
from tests.server.live import expect, finished, hearing, native, send_audio

pytestmark = [pytest.mark.server, pytest.mark.property]
EXAMPLES = int(os.environ.get("HEARTLINE_TEST_EXAMPLES", "6"))
"""Requests for each operation; the nightly run sets more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(
        contact_lens=ContactLensSettings(access_key_id="id", secret_access_key="secret")
    )
    folder = tmp_path_factory.mktemp("openapi")
    with running_server(hearing(), folder / "heartline.db", settings=settings) as running:
        with native(running, call_id="a-call", agent="ann") as (socket, _):
            send_audio(socket, 0, 3_000)
            socket.send(json.dumps({"type": "stop"}))
            expect(socket, "stopped")
        assert finished(running, "a-call")
        yield running


def ask(server: Running, method: str, path: str, **headers: str) -> tuple[int, str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, str(answer.getheader("content-type")), json.loads(answer.read())


@pytest.fixture(scope="module")
def document(server: Running) -> dict[str, Any]:
    key = {"Authorization": f"Bearer {server.user.key}"}
    status, _, found = ask(server, "GET", "/openapi.json", **key)
    assert status == 200
    return dict(found)


def test_only_who_is_signed_in_reads_the_description(server: Running) -> None:
    status, media_type, problem = ask(server, "GET", "/openapi.json")
    assert (status, media_type) == (401, "application/problem+json")
    assert problem == {"title": "Unauthorized", "status": 401, "detail": "Sign in first."}


@pytest.mark.parametrize("path", ["/v1/me", "/v1/no-such-route", "/v1/calls?limit=0"])
def test_a_refusal_has_the_headers_of_every_answer(server: Running, path: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    assert answer.status in (401, 404)
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("cache-control") == "no-store"


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_rest_route_is_described_with_who_may_use_it(document: dict[str, Any]) -> None:
    assert len(document["paths"]) >= 20
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (path, method)
            assert operation["responses"].keys() >= {"500"}, (path, method)
            if "401" in operation["responses"] and "security" not in operation:
                assert path in ("/v1/session", "/v1/sign-in")


def test_structs_are_described_as_they_are_read(document: dict[str, Any]) -> None:
    tone = document["components"]["schemas"]["ToneRequest"]
    assert tone["additionalProperties"] is False
    assert tone["properties"]["text"]["maxLength"] == 20_000
    assert document["components"]["schemas"]["Report"]["properties"]["interruptions"]


def test_no_request_that_the_description_allows_makes_the_server_fail(
    server: Running, document: dict[str, Any]
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{server.port}")
    wrong: dict[str, BaseException] = {}
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        asked += 1
        try:
            for mode in GenerationMode:
                _try(server, operation, mode)
        except (Exception, BaseExceptionGroup) as error:
            wrong[operation.label] = error
    assert wrong == {}
    assert asked >= 20


def _try(server: Running, operation: Any, mode: GenerationMode) -> None:
    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
        database=None,
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def is_answered(case: Any) -> None:
        if (
            "call_id" in (case.path_parameters or {})
            and not hash(case.path_parameters["call_id"]) % 2
        ):
            case.path_parameters["call_id"] = "a-call"
        key = {"Authorization": f"Bearer {server.user.key}"}
        case.call_and_validate(headers=key, checks=checks)

    with contextlib.suppress(Unsatisfiable):  # an operation without parameters has no wrong ones
        is_answered()


CURSOR = base64.urlsafe_b64encode(b"99999999999999999999999/x").decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"cursor={CURSOR}", 400),
        ("cursor=%00", 400),
        ("limit=99999999999999999999", 400),
        ("limit=-1", 400),
        ("since=0001-01-01T00:00:00", 200),
        ("until=9999-12-31T23:59:59%2B14:00", 200),
        ("agent=%ff%fe&reason=%F0%9F%98%80", 200),
    ],
)
def test_values_at_the_edge_are_refused_or_find_nothing(
    server: Running, query: str, status: int
) -> None:
    key = {"Authorization": f"Bearer {server.user.key}"}
    assert ask(server, "GET", f"/v1/calls?{query}", **key)[0] == status


def test_a_fault_of_ours_is_a_reference_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    @get("/fails/{word:str}", opt={"public": True}, sync_to_thread=False)
    def fails(word: FromPath[str]) -> None:
        raise RuntimeError(word)

    with create_test_client(
        fails, exception_handlers=HANDLERS, debug=False, logging_config=None
    ) as client:
        answer = client.get("/fails/canary-4711")
    assert (answer.status_code, answer.headers["content-type"]) == (500, MEDIA_TYPE)
    problem = answer.json()
    assert "canary" not in answer.text + caplog.text
    assert problem["correlation_id"] in caplog.text
    assert "RuntimeError in fails:" in caplog.text


def test_a_character_that_a_database_cannot_hold_is_refused_on_both(
    database: Path | str, tmp_path: Path
) -> None:
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    with running_server(hearing(), database, settings=settings) as running:
        key = {"Authorization": f"Bearer {running.user.key}"}
        for path in ("/v1/calls?agent=a%00b", "/v1/calls/a%00b/report.json"):
            assert ask(running, "GET", path, **key)[0] in (200, 400, 404)
        running.access.accounts.add("ann", Role.ADMIN, "a long enough password")
        body = json.dumps({"name": "a\0b", "password": "x"})
        with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)) as browser:
            browser.request("POST", "/v1/sign-in", body, {"Content-Type": "application/json"})
            assert browser.getresponse().status in (400, 401)
