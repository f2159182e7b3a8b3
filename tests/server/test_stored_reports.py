"""Roll-ups from the database say what those from files say, and a call is set beside the usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Event,
    EventLog,
    PromiseMade,
    SpeechEnded,
    SpeechStarted,
)
from reports.build import build_report
from reports.figures import figures_of
from reports.html import render_html
from reports.model import PracticePart, encode
from server.cli import app
from server.store import Journal
from server.store.practice import PracticeRow, reserve
from server.stored_reports import beside_usual, stored_report

pytestmark = pytest.mark.server
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.events.jsonl"
NOW = datetime.now(UTC)


def log(call_id: str, agent: str, days_ago: float) -> list[Event]:
    """Return a call with enough speech for a rate: 30 turns of 5 s and a promise."""
    started = (NOW - timedelta(days=days_ago)).isoformat(timespec="seconds")
    begun = CallStarted(
        at_ms=0,
        call_id=call_id,
        agent=agent,
        started_at=started,
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source="ingest",
    )
    turns: list[Event] = []
    for n in range(30):
        party, at_ms = (Channel.AGENT, Channel.CUSTOMER)[n % 2], n * 6_000 + 1_000
        turns += [
            SpeechStarted(at_ms=at_ms + 96, channel=party, start_ms=at_ms),
            SpeechEnded(at_ms=at_ms + 5_096, channel=party, start_ms=at_ms, end_ms=at_ms + 5_000),
        ]
    promise = PromiseMade(
        at_ms=180_100,
        id="promise-1",
        text="I will ring on Friday",
        what="ring",
        due="on Friday",
        confidence=0.9,
        start_ms=175_000,
    )
    return [begun, *turns, promise, CallEnded(at_ms=181_000)]


def add(journal: Journal, call_id: str, agent: str, days_ago: float) -> None:
    events = log(call_id, agent, days_ago)
    started = events[0]
    assert isinstance(started, CallStarted)
    journal.open_call(call_id, started.started_at, agent, team="billing")
    journal.append(call_id, 1, events)
    journal.end_call(call_id, 181_000)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 5 agents with 20 calls each, and one more run of practice."""
    folder = tmp_path_factory.mktemp("centre")
    journal = Journal(folder / "heartline.db")
    for a in range(5):
        for n in range(20):
            add(journal, f"c-{a}-{n}", f"agent{a}", days_ago=1 + n)
    part = PracticePart(scenario="late_parcel", role="agent", reflection={}, attempts=())
    reserve(journal.engine, PracticeRow(call_id="p-1", person="u-1", part=part))
    add(journal, "p-1", "agent0", days_ago=2)
    journal.close()
    return folder


def roll_up(folder: Path, out: Path, *arguments: str) -> str:
    command = ["report", "--data", str(folder), "--out", str(out), *arguments]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    return run.output


def test_a_team_of_the_database_is_rolled_up_to_three_formats_as_from_files(
    centre: Path, tmp_path: Path
) -> None:
    formats = [word for name in ("html", "csv", "parquet") for word in ("--format", name)]
    out, files = tmp_path / "db", tmp_path / "files"
    roll_up(centre, out, "--team", "billing", "--since", "30d", *formats)
    table = pandas.read_csv(out / "rollup.csv")
    parquet = pyarrow.parquet.read_table(out / "rollup.parquet").to_pandas()
    pandas.testing.assert_frame_equal(table, parquet, check_dtype=False)
    page = (out / "rollup.html").read_text("utf-8")
    assert "5 agents · 100 calls" in page
    by_name = table.set_index("measure")
    assert by_name.loc["promises_with_a_time", "n"] == 100
    assert by_name.loc["interruptions_by_agent", "high"] > 0
    assert not any(f"agent{a}" in page + table.to_csv() for a in range(5))

    for a in range(5):
        for n in range(20):
            folder = files / f"{a}-{n}"
            folder.mkdir(parents=True)
            report = build_report(log(f"c-{a}-{n}", f"agent{a}", days_ago=1 + n))
            (folder / "report.json").write_bytes(encode(report))
    settings = tmp_path / "heartline.toml"
    names = ", ".join(f'"agent{a}"' for a in range(5))
    settings.write_text(f"[teams.billing]\nagents = [{names}]\n")
    same = tmp_path / "same"
    roll_up(centre, same, str(files), "--team", "billing", "--config", str(settings))
    assert (same / "rollup.csv").read_bytes() == (out / "rollup.csv").read_bytes()


def test_a_time_in_which_a_team_is_too_small_is_refused(centre: Path, tmp_path: Path) -> None:
    short = ["report", "--data", str(centre), "--out", str(tmp_path), "--since", "10d"]
    for team in ("billing", "nobodies"):
        run = CliRunner().invoke(app, [*short, "--team", team])
        assert run.exit_code == 1
        assert "point at nobody" in str(run.exception)
    assert not (tmp_path / "rollup.csv").exists()


def test_without_a_database_or_folders_the_remedy_is_named(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["report", "--data", str(tmp_path), "--agent", "ana"])
    assert run.exit_code == 1
    assert "name its folder with --data" in str(run.exception)


def test_an_agents_own_calls_are_rolled_up_without_practice(centre: Path, tmp_path: Path) -> None:
    roll_up(centre, tmp_path, "--agent", "agent0", "--since", "30d")
    assert "20 calls" in (tmp_path / "rollup.html").read_text("utf-8")


# ------------------------------------------------------------------ the agent's own usual


def test_a_stored_call_is_set_beside_its_agents_own_calls_alone(centre: Path) -> None:
    journal = Journal(centre / "heartline.db", serving=False)
    try:
        for n in range(21):
            add(journal, f"long-{n}", "ana", days_ago=n)
        add(journal, "new-9", "agent9", days_ago=0)
        report, stranger = (stored_report(journal, name) for name in ("long-0", "new-9"))
        assert report is not None
        assert stranger is not None
        assert beside_usual(journal, stranger) == stranger
        compared = beside_usual(journal, report)
        assert beside_usual(journal, report) == compared  # from what was kept the first time
        by_name = {part.name: part for part in compared.usual}
        assert {part.n for part in compared.usual} == {20}
        assert by_name["talk_share_agent"].place == "usual"
        assert all(p.median_interval[0] <= p.median <= p.median_interval[1] for p in compared.usual)
        assert "last 30 days" in render_html(compared)
        assert "last 30 days" not in render_html(report)
    finally:
        journal.close()


def test_what_is_kept_of_many_calls_is_a_fraction_of_their_reports() -> None:
    report = build_report(EventLog.decode(line) for line in GOLDEN.read_bytes().splitlines())
    assert len(encode(figures_of(report))) < len(encode(report)) / 5
