"""Many calls on all cores: none lost, none done twice, a bad one costs itself alone."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.errors import AsrError
from asr.settings import AsrSettings
from audio.sources import open_recording
from server.analyze import SAMPLE
from server.batch import BatchError, Task, _serve, analyze_many, analyze_one
from server.cli import app
from server.commands.analyze import find_calls
from server.hearing import Hearing, HearingSettings

pytestmark = [pytest.mark.model, pytest.mark.timeout(180)]
SETTINGS = HearingSettings(asr=AsrSettings(enabled=False))


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Six different calls of 8 s in a folder and its subfolder."""
    recording = open_recording(SAMPLE)
    both = np.stack([recording.samples(channel) for channel in recording.channels], axis=1)
    (tmp_path / "in" / "late").mkdir(parents=True)
    for number in range(6):
        folder = tmp_path / "in" / ("late" if number > 3 else "")
        part = both[number * 64_000 : (number + 1) * 64_000]
        soundfile.write(folder / f"call{number}.wav", part, recording.sample_rate_hz)
    return tmp_path / "in"


def tasks(calls: Path, out: Path) -> list[Task]:
    return [
        Task(path=path, folder=out / name, call_id=name) for path, name in find_calls([calls], out)
    ]


def reports(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("report.json"))
    }


def test_neither_an_interruption_nor_a_bad_file_nor_a_dead_process_costs_another_call(
    calls: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (calls / "call1.wav").write_text("no audio")
    run = analyze_many(tasks(calls, out), SETTINGS, processes=1)
    assert next(run).status == "done"
    run.close()  # as when a person stops it
    assert 1 <= len(reports(out)) < 5

    run = analyze_many(tasks(calls, out), SETTINGS, processes=2)
    outcomes = [next(run)]
    victim = multiprocessing.active_children()[0]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    outcomes += run
    assert [o.task.path.name for o in outcomes] == [f"call{i}.wav" for i in range(6)]
    states = [outcome.status for outcome in outcomes]
    assert states[:2] == ["skipped", "failed"]
    assert set(states[2:]) <= {"done", "skipped"}
    assert "call1.wav" in (outcomes[1].error or "")
    assert not (out / "call1").exists()
    assert len(reports(out)) == 5

    alone = tmp_path / "alone"
    with Hearing(SETTINGS) as hearing:
        analyze_one(tasks(calls, alone)[-1], hearing)
    assert reports(alone)["late/call5/report.json"] == reports(out)["late/call5/report.json"]


def test_other_settings_or_other_audio_are_analysed_again(calls: Path, tmp_path: Path) -> None:
    (task,) = tasks(calls, tmp_path / "out")[:1]
    with Hearing(SETTINGS) as hearing:
        assert [analyze_one(task, hearing)[1] for _ in range(2)] == [False, True]
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False, beam_final=1))) as hearing:
        assert [analyze_one(task, hearing)[1] for _ in range(2)] == [False, True]
        task.path.write_bytes((calls / "call2.wav").read_bytes())
        assert [analyze_one(task, hearing)[1] for _ in range(2)] == [False, True]


def test_a_model_that_cannot_be_loaded_ends_the_batch_with_one_sentence(
    calls: Path, tmp_path: Path
) -> None:
    missing = HearingSettings(asr=AsrSettings(model="enormous"))
    with pytest.raises(BatchError, match="models fetch enormous"):
        list(analyze_many(tasks(calls, tmp_path / "out"), missing, processes=1))


def test_a_folder_is_searched_without_its_own_outputs(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b/c.wav", "d.transcript.json", "out/a/old.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [name for _, name in find_calls([tmp_path], tmp_path / "out")]
    assert found == ["a.flac", "a.wav", "b/c", "d"]


def test_the_summary_is_a_table_of_every_call(calls: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (calls / "late" / "call5.wav").write_bytes(b"")
    arguments = ["analyze", str(calls / "late"), "--no-words", "--jobs", "1", "--out", str(out)]
    run = CliRunner().invoke(app, [*arguments, "--export", "vtt"])
    assert run.exit_code == 1
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert [row["call"] for row in rows] == ["call4", "call5"]
    assert rows[0]["seconds"] == "8.0"
    assert rows[1]["agent_interrupted"] == ""
    assert (out / "call4" / "transcript.vtt").read_text().startswith("WEBVTT")


def test_a_process_whose_batch_is_gone_ends_without_a_word(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise AsrError("The recogniser has ended.")

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("server.batch.analyze_one", ended)
    batch, process = multiprocessing.Pipe()
    batch.send(tasks(calls, tmp_path / "out")[0])
    batch.close()
    _serve(process, SETTINGS)
