"""Erasing, holding and copying calls, as a user types the commands; retention in a server."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from asr.settings import AsrSettings
from conversation.events import Channel, SpeechStarted
from server.hearing import Hearing, HearingSettings
from server.runner import running_server
from server.store import Journal
from server.store.retention import RetentionSettings

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]


def heartline(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300", "TERM": "dumb"},
        timeout=100,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder whose database holds two calls of one customer."""
    (tmp_path / "heartline-data").mkdir()
    journal = Journal(tmp_path / "heartline-data" / "heartline.db")
    for call_id, days_ago in (("old", 200), ("new", 1)):
        started = datetime.now(UTC) - timedelta(days=days_ago)
        journal.open_call(call_id, started.isoformat(), "ann", customer="cust-7")
        journal.append(call_id, 1, [SpeechStarted(at_ms=1, channel=Channel.AGENT, start_ms=1)])
        journal.end_call(call_id, 1_000)
    journal.close()
    return tmp_path


def listed(folder: Path) -> list[str]:
    journal = Journal(folder / "heartline-data" / "heartline.db", serving=False)
    found = [row.call_id for row in journal.calls()]
    journal.close()
    return found


def test_a_call_is_erased_with_a_certificate(folder: Path) -> None:
    run = heartline("erase", "old", "--yes", folder=folder)
    assert run.returncode == 0
    assert "Erased 1 calls with 1 events" in run.stdout
    assert listed(folder) == ["new"]


def test_without_a_yes_nothing_is_erased(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server.cli", "erase", "old"],
        input="n\n",
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
    )
    assert run.returncode == 1
    assert listed(folder) == ["new", "old"]


def test_a_held_call_stays_until_it_is_released(folder: Path) -> None:
    assert heartline("hold", "old", folder=folder).returncode == 0
    refused = heartline("erase", "--customer", "cust-7", "--yes", folder=folder)
    assert refused.returncode == 1
    assert "legal hold" in refused.stderr
    assert listed(folder) == ["new", "old"]
    assert heartline("hold", "old", "--release", folder=folder).returncode == 0
    assert heartline("erase", "--customer", "cust-7", "--yes", folder=folder).returncode == 0
    assert listed(folder) == []


def test_a_backup_is_a_whole_database_and_is_never_written_over(folder: Path) -> None:
    assert heartline("backup", "copy.db", folder=folder).returncode == 0
    copy = sqlite3.connect(folder / "copy.db")
    assert copy.execute("SELECT count(*) FROM events").fetchone() == (2,)
    copy.close()
    again = heartline("backup", "copy.db", folder=folder)
    assert again.returncode == 1
    assert "exists already" in again.stderr


@pytest.mark.parametrize("arguments", [("erase",), ("erase", "a", "--customer", "b"), ("hold",)])
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...], folder: Path) -> None:
    assert heartline(*arguments, folder=folder).returncode == 2


def test_without_a_database_the_folder_is_named(tmp_path: Path) -> None:
    run = heartline("erase", "old", "--yes", folder=tmp_path)
    assert run.returncode == 1
    assert "heartline-data" in run.stderr


def test_a_server_deletes_what_is_too_old_by_itself(folder: Path) -> None:
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing:
        database = folder / "heartline-data" / "heartline.db"
        keep = RetentionSettings(events_days=30, calls_days=100)
        with running_server(hearing, database, retention=keep) as server:
            for _ in range(200):
                if len(server.calls.journal.calls()) == 1:
                    break
                time.sleep(0.05)
            assert [row.call_id for row in server.calls.journal.calls()] == ["new"]
