"""A site's own rules: read for each new call, checked, listed, and replayed on stored calls."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conversation.conversation import Conversation
from conversation.events import CallStarted, CueRaised, EventLog, Observation
from conversation.rules import RuleError
from server.analyze import analyze_transcript
from server.cli import app
from server.hearing import HearingSettings
from server.replay import LogError, find_logs, read_log
from server.rules_folder import RuleSource, RulesSettings, read_rules

pytestmark = pytest.mark.unit
NEW_CUE = """
[still_there]
text = "Say that you're there"
when = "since(customer.problem_statement) <= 5s"
clear_when = "agent.speaking"
cooldown_ms = 60000
ttl_ms = 5000
max_per_call = 2
priority = 1
latency_class = "T"
"""
TURNS = [
    ("agent", 0, 4_000, "Good morning, how can I help you today?"),
    ("customer", 12_000, 15_000, "I am having a problem with my bill."),
    ("agent", 20_000, 24_000, "We will send you a new bill soon."),
    ("customer", 34_000, 36_000, "Okay then."),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    turns = [dict(zip(("channel", "start_ms", "end_ms", "text"), t, strict=True)) for t in TURNS]
    source = tmp_path / "x.transcript.json"
    source.write_text(json.dumps({"turns": turns}), "utf-8")
    events = analyze_transcript(
        source, HearingSettings(), call_id="x", started_at="2026-03-02T09:00:00+00:00"
    )
    path = tmp_path / "calls" / "x" / "events.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(EventLog.encode(e) + b"\n" for e in events))
    return path


def test_a_changed_threshold_holds_for_the_next_call_and_not_for_this_one(folder: Path) -> None:
    source = RuleSource(RulesSettings(folder=str(folder)))
    first = source.current()
    (folder / "a.toml").write_text("[dead_air]\ncooldown_ms = 90000\n", "utf-8")
    second = source.current()
    cooldowns = [
        next(r.cooldown_ms for r in rules.rules if r.id == "dead_air") for rules in (first, second)
    ]
    assert cooldowns == [60_000, 90_000]


def test_a_file_that_breaks_during_the_day_leaves_the_former_rules(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = RuleSource(RulesSettings(folder=str(folder)))
    good = source.current()
    (folder / "a.toml").write_text("[dead_air]\ncooldwn_ms = 1\n", "utf-8")
    with caplog.at_level(logging.WARNING, "heartline.rules"):
        assert source.current() == good
    assert "cooldwn_ms" in caplog.text


def test_a_folder_that_never_was_good_ends_the_start(folder: Path) -> None:
    (folder / "a.toml").write_text("[dead_air", "utf-8")
    with pytest.raises(RuleError, match="not valid TOML"):
        RuleSource(RulesSettings(folder=str(folder))).load()
    with pytest.raises(RuleError, match="no such folder"):
        read_rules(folder / "nowhere")


def test_a_call_records_what_it_ran_with_and_replays_without_files(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "a.toml").write_text(NEW_CUE, "utf-8")
    (folder / "language").mkdir()
    (folder / "language" / "en.toml").write_text(
        '[kinds.problem_statement]\nsure = ["a hiccup with"]\n', "utf-8"
    )
    turns = [{"channel": "customer", "start_ms": 12_000, "end_ms": 15_000,
              "text": "There is a hiccup with my bill."}]  # fmt: skip
    source = tmp_path / "y.transcript.json"
    source.write_text(json.dumps({"turns": turns}), "utf-8")
    settings = HearingSettings(rules=RulesSettings(folder=str(folder)))
    events = analyze_transcript(
        source, settings, call_id="y", started_at="2026-03-02T09:00:00+00:00"
    )
    started = events[0]
    assert isinstance(started, CallStarted)
    assert [e.rule for e in events if isinstance(e, CueRaised)] == ["still_there"]
    (folder / "a.toml").unlink()
    core = Conversation.for_call(EventLog.decode(EventLog.encode(started)))  # type: ignore[arg-type]
    observations = [e for e in events if isinstance(e, Observation)]
    again = [d for o in observations for d in core.receive(o)]
    derived = [e for e in events if not isinstance(e, Observation)]
    assert [EventLog.encode(e) for e in again] == [
        EventLog.encode(e) for e in derived[: len(again)]
    ]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_check_says_how_many_rules_are_valid(folder: Path) -> None:
    (folder / "a.toml").write_text(NEW_CUE, "utf-8")
    code, said = run("rules", "check", folder)
    assert code == 0
    assert "rules are valid" in said


def test_list_shows_rules_and_facts() -> None:
    code, said = run("rules", "list")
    assert code == 0
    assert "Let them finish" in said
    code, said = run("rules", "list", "--facts")
    assert code == 0
    assert "customer.p_complete" in said


def test_replay_tells_what_a_new_cue_and_a_changed_one_would_have_done(
    folder: Path, log: Path
) -> None:
    (folder / "a.toml").write_text(NEW_CUE + "[vague_time]\nenabled = false\n", "utf-8")
    code, said = run("rules", "replay", "--calls", log.parent.parent, "--rules", folder)
    assert code == 0, said
    assert "still_there: x at 0:1" in said
    difference = said[said.index("Against as recorded") :]
    row = next(line for line in difference.splitlines() if "vague_time" in line)
    assert [word for word in row.split() if word.isdigit()] == ["1", "0"]


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no events\.jsonl"):
        find_logs([tmp_path])
    (tmp_path / "a.jsonl").write_text("{}\n", "utf-8")
    with pytest.raises(LogError, match="not an event log"):
        read_log(tmp_path / "a.jsonl")
