"""What anybody was shown outlives `kill -9` of the server (F3). Long form: `make bench-kill`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.kill.drill import Server, drill

pytestmark = [pytest.mark.server, pytest.mark.model]


def test_what_a_dashboard_was_shown_is_there_after_the_server_was_killed_under_its_calls(
    database: Path | str, tmp_path: Path
) -> None:
    url = database if isinstance(database, str) else None
    server = Server(tmp_path, url, {"HEARTLINE_INGEST__REPLAY": "true"})
    stops = 1 if url is None else 0
    outcome = asyncio.run(drill(server, calls=4, kills=1, stops=stops, up_s=(1.5, 2.0), speed=3))
    assert outcome.delivered > 100
    assert (outcome.missing, outcome.forgotten, outcome.gap_ms) == (0, 0, 0)
    assert (outcome.ended, outcome.replayed) == (4, 4)
    assert len(outcome.resumed_s) >= 4 * (1 + stops)
    assert outcome.exit_codes == [0] * (stops + 1)
