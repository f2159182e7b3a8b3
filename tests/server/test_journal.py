"""What was committed is there after a crash, in order and unchanged."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from conversation.events import Channel, Event, SpeechStarted
from server.journal import Journal

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from pathlib import Path
from conversation.events import Channel, SpeechStarted
from server.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
for n in range(1, 100_000):
    event = SpeechStarted(at_ms=n, channel=Channel.AGENT, start_ms=n)
    journal.append("c", n, [event])
    print(n, flush=True)
"""


def speech(at_ms: int) -> SpeechStarted:
    return SpeechStarted(at_ms=at_ms, channel=Channel.AGENT, start_ms=at_ms)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "heartline.db")


def test_events_come_back_as_they_went_in(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", "ann")
    events: list[Event] = [speech(1), speech(2), speech(2)]
    journal.append("c", 1, events[:2])
    journal.append("c", 3, events[2:])
    assert journal.events("c") == events
    assert journal.events("unknown") == []


def test_a_call_id_is_taken_once(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
    with pytest.raises(sqlite3.IntegrityError):
        journal.open_call("c", "2026-01-02T00:00:00+00:00", None)


def test_a_number_is_used_once_and_a_refused_batch_leaves_nothing(journal: Journal) -> None:
    journal.open_call("c", "2026-01-01T00:00:00+00:00", None)
    journal.append("c", 1, [speech(1)])
    with pytest.raises(sqlite3.IntegrityError):
        journal.append("c", 0, [speech(7), speech(8)])
    assert journal.events("c") == [speech(1)]


def test_calls_are_listed_newest_first_and_none_is_live_after_a_restart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "heartline.db")
    first.open_call("old", "2026-01-01T00:00:00+00:00", "ann")
    first.open_call("new", "2026-01-02T00:00:00+00:00", None)
    first.end_call("old", 5_000)
    assert [(r.call_id, r.live, r.duration_ms) for r in first.calls()] == [
        ("new", True, 0),
        ("old", False, 5_000),
    ]
    first.close()
    assert [r.live for r in Journal(tmp_path / "heartline.db").calls()] == [False, False]


def test_what_append_returned_from_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "heartline.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        committed = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.send_signal(signal.SIGKILL)
        committed = max([committed, *(int(line) for line in writer.stdout.read().split())])
    kept = [event.at_ms for event in Journal(path).events("c")]
    assert kept[:committed] == list(range(1, committed + 1))
    assert len(kept) - committed in (0, 1)
