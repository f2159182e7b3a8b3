"""The commands as a user types them: what they print, what they write, how they exit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.models import resolve_model
from server.cli import app

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "server" / "sample" / "call.flac"
COMMANDS = tuple(
    "demo serve stream live analyze acts report tone practice devices models rules users keys "
    "audit erase hold backup".split()
)


def heartline(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300", "TERM": "dumb"},
        timeout=100,
    )


def complaints(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stderr.splitlines() if line.startswith("heartline: ")]


def test_help_names_every_command(tmp_path: Path) -> None:
    run = heartline("--help", folder=tmp_path)
    assert run.returncode == 0
    assert all(f"  {command} " in run.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    run = CliRunner().invoke(app, [command, "--help"])
    assert run.exit_code == 0
    assert command in run.stdout
    assert len(run.stdout) > 200


@pytest.mark.parametrize(
    "arguments",
    [("analyze",), ("analyze", "--colour", "x.wav"), ("sing",), ("models", "sing"), ("live",)],
)
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...]) -> None:
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 2
    assert "Traceback" not in run.stderr


def test_each_broken_file_gets_one_sentence_and_the_good_one_its_report(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(np.arange(8_000) / 5).astype(np.float32)
    soundfile.write(tmp_path / "good.wav", np.stack([tone, tone[::-1]], axis=1), 8_000)
    soundfile.write(tmp_path / "whole.wav", tone, 8_000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:3_000])
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "nan.wav", np.full(800, np.nan), 8_000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("Dear customer,")
    soundfile.write(tmp_path / "three.wav", np.zeros((800, 3)), 8_000)
    bad = ["cut.wav", "empty.wav", "nan.wav", "text.wav", "three.wav", "missing.wav"]
    run = heartline("analyze", "--no-words", *bad, "good.wav", "--out", "out", folder=tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    lines = complaints(run)
    assert len(lines) == len(bad)
    assert all(name in line for name, line in zip(bad, lines, strict=True))
    assert all(line.endswith(".") for line in lines)
    assert (tmp_path / "out" / "good" / "report.html").is_file()


def test_a_mono_call_is_analysed_and_says_that_the_direction_is_unknown(tmp_path: Path) -> None:
    stereo, rate_hz = soundfile.read(SAMPLE, frames=8_000 * 20)
    soundfile.write(tmp_path / "mono.wav", stereo.mean(axis=1), rate_hz)
    run = heartline("analyze", "--no-words", "mono.wav", "--out", "out", folder=tmp_path)
    assert run.returncode == 0
    assert "nobody is said to interrupt" in run.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["quality"]["direction_known"] is False
    assert "irection unknown" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_corrupt_model_is_named_with_the_remedy(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in resolve_model("tiny.en").folder.iterdir():
        (model / file.name).write_bytes(file.read_bytes()[:1_000])
    run = heartline("analyze", SAMPLE, "--model", model, folder=tmp_path)
    assert run.returncode == 1
    (line,) = complaints(run)
    assert "model" in line
    assert "Traceback" not in run.stderr


def test_an_unknown_model_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    run = heartline("analyze", SAMPLE, "--model", "enormous", folder=tmp_path)
    assert run.returncode == 1
    (line,) = complaints(run)
    assert "heartline models fetch enormous" in line


def test_a_missing_device_is_one_sentence(tmp_path: Path) -> None:
    arguments = ("--agent-device", "no such thing", "--customer-device", "neither")
    run = heartline("live", *arguments, folder=tmp_path)
    assert run.returncode == 1
    (line,) = complaints(run)
    assert "device" in line or "PortAudio" in line
    assert not (tmp_path / "heartline-data").exists()


def test_no_server_is_one_sentence_with_the_command_that_starts_one(tmp_path: Path) -> None:
    run = heartline("stream", SAMPLE, "--server", "http://127.0.0.1:9", folder=tmp_path)
    assert run.returncode == 1
    (line,) = complaints(run)
    assert "heartline serve" in line


def test_events_without_the_servers_key_are_refused_before_the_call_is_played(
    tmp_path: Path,
) -> None:
    run = heartline("stream", SAMPLE, "--events", "e.jsonl", folder=tmp_path)
    assert run.returncode == 1
    assert len(complaints(run)) == 1


def test_a_transcript_with_times_runs_the_core_alone(tmp_path: Path) -> None:
    turns = [
        {"channel": "customer", "start_ms": 0, "end_ms": 4_000, "text": "I am really furious."},
        {"channel": "agent", "start_ms": 4_500, "end_ms": 8_000, "text": "I am sorry about that."},
    ]
    (tmp_path / "a.transcript.json").write_text(json.dumps({"turns": turns}))
    run = heartline("analyze", "a.transcript.json", "--no-words", folder=tmp_path)
    assert run.returncode == 0
    report = json.loads((tmp_path / "heartline-out" / "report.json").read_text("utf-8"))
    assert [turn["text"] for turn in report["transcript"]] == [t["text"] for t in turns]
    assert {act["kind"] for act in report["acts"]} >= {"anger", "apology"}


def test_the_packaged_model_is_the_reviewed_one(tmp_path: Path) -> None:
    run = heartline("models", "verify", folder=tmp_path)
    assert run.returncode == 0
    assert "tiny.en" in run.stdout


def test_an_unknown_key_in_the_settings_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "heartline.toml").write_text('[asr]\nmodle = "base.en"\n')
    run = heartline("analyze", SAMPLE, folder=tmp_path)
    assert run.returncode == 1
    (line,) = complaints(run)
    assert "heartline.toml" in line
    assert "asr.modle" in line
