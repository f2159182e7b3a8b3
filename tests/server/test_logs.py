"""The log is JSON lines in which nothing stands that somebody said, typed or is called.

Assertions: A37.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from server.logs import LogSettings, set_up_log
from tests.server.live import close_code, finished, native, send_audio, serving

pytestmark = [pytest.mark.unit, pytest.mark.server]
CANARY = "canary"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers, logger.level = handlers, level


def written(settings: LogSettings, root: logging.Logger) -> io.StringIO:
    stream = io.StringIO()
    set_up_log(settings, stream)
    return stream


def test_a_line_is_a_json_object_with_its_time_in_utc(root: logging.Logger) -> None:
    stream = written(LogSettings(form="json"), root)
    logging.getLogger("heartline.calls").info('call %s is over\n{"level":"forged"}', "c1")
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["level"], found["logger"]) == ("info", "heartline.calls")
    assert found["message"].startswith("call c1 is over\n")
    assert found["at"].endswith("+00:00")


def test_an_exception_is_told_by_kind_and_place_never_by_its_text(root: logging.Logger) -> None:
    for form in ("json", "text"):
        stream = written(_form(form), root)
        try:
            int(f"{CANARY} 4111 1111 1111 1111")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("it failed")
        text = stream.getvalue()
        assert CANARY not in text
        assert "4111" not in text
        assert "ValueError" in text
        assert "test_logs.py:" in text


def _form(form: str) -> LogSettings:
    return LogSettings(form="json") if form == "json" else LogSettings(form="text")


def test_the_level_is_a_setting(root: logging.Logger) -> None:
    stream = written(LogSettings(level="error", form="text"), root)
    logging.getLogger("heartline").warning("not this")
    logging.getLogger("heartline").error("this")
    assert "not this" not in stream.getvalue()
    assert "error   this" in stream.getvalue()


def test_nothing_of_a_call_its_people_or_their_secrets_is_logged(root: logging.Logger) -> None:
    stream = written(LogSettings(level="debug", form="json"), root)
    with serving(anonymous=True) as server:
        key = server.access.keys.add(f"{CANARY}-pbx", ["ingest"])
        metadata = {"caller": f"{CANARY}-4711", "customer_name": f"{CANARY}-smith"}
        with native(server, call_id="logged", agent=f"{CANARY}-ann", metadata=metadata) as (s, _):
            s.send(json.dumps({"type": f"{CANARY}-dance", "text": CANARY}))
            send_audio(s, 0, 2_000)
            s.send('{"type":"stop"}')
            assert close_code(s) == 1000
        assert finished(server, "logged")
        for path in (f"/v1/calls?agent={CANARY}", f"/v1/{CANARY}", "/v1/calls/logged/report.json"):
            connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
            connection.request("GET", path, headers={"Authorization": f"Bearer {CANARY}"})
            connection.getresponse().read()
            connection.close()
        body = json.dumps({"name": f"{CANARY}-bob", "password": f"{CANARY}-secret"})
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/sign-in", body, headers)
        assert connection.getresponse().status == 401
        connection.close()
        with connect(f"ws://127.0.0.1:{server.port}/v1/live") as socket:
            socket.send(json.dumps({"type": "ticket", "ticket": f"{CANARY}-ticket"}))
            assert close_code(socket) == 4401
        with pytest.raises(InvalidStatus):
            connect(
                f"ws://127.0.0.1:{server.port}/v1/ingest/twilio",
                additional_headers={"Origin": "https://evil.example"},
            )
        secrets = {key, server.user.key, server.user.token, CANARY}
    logging.getLogger("heartline").info("the end")
    lines = stream.getvalue().splitlines()
    assert json.loads(lines[-1])["message"] == "the end"
    ours = [
        line for line in lines if json.loads(line)["logger"].startswith(("heartline", "uvicorn"))
    ]
    assert [line for line in ours if any(secret in line for secret in secrets)] == []
