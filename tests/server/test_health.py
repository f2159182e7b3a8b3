"""`/livez` says that the process runs, `/readyz` that a call would be heard and kept."""

from __future__ import annotations

import http.client
import logging

import pytest
import sqlalchemy as sa

from server.runner import Running
from tests.server.live import serving

pytestmark = pytest.mark.server


def ask(server: Running, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def test_a_server_is_ready_until_it_drains_or_cannot_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    with serving() as server:
        for path in ("/livez", "/healthz"):
            assert ask(server, path) == (200, "ok")
        assert ask(server, "/readyz") == (200, "ready")
        server.calls.draining = True
        assert ask(server, "/readyz")[0] == 503
        assert ask(server, "/livez")[0] == 200
        server.calls.draining = False
        with server.calls.journal.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE calls RENAME TO gone"))
        status, said = ask(server, "/readyz")
        assert (status, "cannot be written" in said) == (503, True)
        with server.calls.journal.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE gone RENAME TO calls"))
        assert ask(server, "/readyz")[0] == 200
