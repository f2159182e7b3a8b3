"""Practice: scenarios are checked by the line, the talk follows what was said, the report is kept
apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.settings import AsrSettings
from audio.errors import DeviceMissing
from audio.sources import open_recording
from conversation.acts import ActDetector
from conversation.events import Channel
from reports.build import build_report
from reports.exports.facts import INTERRUPTING
from reports.model import Report
from server.analyze import SAMPLE
from server.cli import app
from server.hearing import Hearing, HearingSettings
from server.practice.devices import Headset
from server.practice.director import Director, reflect
from server.practice.drill import drill, drill_lines
from server.practice.run import rehearse_live, rehearse_offline
from server.practice.scenario import (
    AGENT_ACTS,
    ScenarioError,
    load_scenario,
    parse_scenario,
    shipped,
)
from server.practice.spoken_call import RATE_HZ, RecordedMicrophone, SpokenCall, lines_of

pytestmark = [pytest.mark.model, pytest.mark.timeout(180)]
TRUTH = json.loads(SAMPLE.with_name("truth.json").read_text("utf-8"))
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.report.json"
GOOD = "I am so sorry that your daughter's present did not come.\n"
PLAN = "I will send a new one today and call you on Thursday at ten.\n"
BARE = "The status is delivered.\n"
SHORT = """
id = "short"
language = "en"
title = "A short one"
situation = "Somebody calls."
facts = []
goals = ["acknowledge"]
openings = ["opening"]
end_when = ["good", "bad"]
feelings = [{ stage = "opening", words = ["sad"] }]

[stages.opening]
says = "I am sad."
wants = ["acknowledge_feeling"]
then = "good"
otherwise = "bad"

[stages.good]
says = "Thanks."

[stages.bad]
says = "Bye."
"""

# ------------------------------------------------------------------ scenarios


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_can_be_played_to_a_good_and_a_bad_end(name: str) -> None:
    scenario, folder = load_scenario(name)
    assert set(lines_of(scenario, folder)) == set(scenario.stages)
    ends = set()
    for heard in (AGENT_ACTS, frozenset[str]()):
        director = Director(scenario)
        while not director.over:
            director.answer(heard)
        ends.add(director.name)
    assert len(ends) == 2
    assert ends <= set(scenario.end_when)
    assert len(director.expected_feelings()) >= 2


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_model_replies_do_what_they_are_a_model_of(name: str) -> None:
    scenario, _ = load_scenario(name)
    detector = ActDetector()
    for stage_name, stage in scenario.stages.items():
        if stage.model_reply is not None:
            acts = {act.kind for act in detector.find("agent", stage.model_reply.split())}
            assert acts & set(stage.wants), stage_name


def test_there_are_six_scenarios() -> None:
    assert len(shipped()) == 6


@pytest.mark.parametrize(
    ("change", "line", "complaint"),
    [
        (('title = "A short one"', "title = A short one"), 4, "not TOML"),
        (('title = "A short one"', "title = 7"), 4, "Expected `str`"),
        (('goals = ["acknowledge"]', 'goals = ["smile"]'), 7, "'smile' is no behaviour"),
        (('openings = ["opening"]', 'openings = ["start"]'), 8, "no stage 'start'"),
        (('["good", "bad"]', '["good"]'), 21, "'then' is missing"),
        (('{ stage = "opening",', '{ stage = "never",'), 10, "no stage 'never'"),
        (('says = "I am sad."', 'say = "I am sad."'), 13, "unknown field `say`"),
        (('says = "I am sad."', 'says = ""'), 13, "0 words"),
        (('["acknowledge_feeling"]', '["sing"]'), 14, "'sing' is no act"),
        (('otherwise = "bad"', 'otherwise = "worse"'), 16, "no stage 'worse'"),
        (('otherwise = "bad"', 'otherwise = "good"'), 21, "no stage leads to 'bad'"),
        (('says = "Bye."', 'says = "Bye."\nwants = ["apology"]'), 21, "nothing is wanted"),
        (('id = "short"', 'id = "long"'), 2, "the file's name"),
        (('says = "Thanks."', 'says = "Thanks."\naudio = "no.ogg"'), 20, "no file no.ogg"),
    ],
)
def test_a_scenario_with_an_error_is_refused_with_the_line(
    tmp_path: Path, change: tuple[str, str], line: int, complaint: str
) -> None:
    assert change[0] in SHORT
    text = SHORT.replace(*change, 1)
    with pytest.raises(ScenarioError, match=complaint) as refused:
        parse_scenario(text, tmp_path / "short.toml")
    assert f"line {line}" in str(refused.value)
    assert parse_scenario(SHORT, tmp_path / "short.toml").id == "short"


def test_feelings_are_compared_by_what_they_mean() -> None:
    expected = [("disappointed", "let down"), ("ignored", "not heard"), ("afraid",)]
    found = reflect(expected, "He was very disappointing, and not heard. Hungry")
    assert found == {
        "named": ("disappointed", "ignored"),
        "missed": ("afraid",),
        "other": ("hungry",),
    }


# ------------------------------------------------------------------ typed


def practise(
    out: Path, *arguments: str, answers: str = "", expect: int = 0
) -> tuple[str, dict[str, Any]]:
    command = ["practice", *arguments, "--out", str(out)]
    run = CliRunner().invoke(app, command, input=answers, env={"COLUMNS": "300"})
    assert run.exit_code == expect, run.output
    return run.output, json.loads((out / "report.json").read_bytes())


def test_good_answers_lead_to_a_good_end_and_a_report_of_their_own(tmp_path: Path) -> None:
    shown, report = practise(
        tmp_path, "late_parcel", "--text", "--feelings", "let down", answers=GOOD + PLAN
    )
    assert "Customer: All right, that sounds good." in shown
    assert report["call"]["source"] == "practice"
    assert report["practice"]["scenario"] == "late_parcel"
    assert [a["stage"] for a in report["practice"]["attempts"]] == ["opening", "calmer"]
    assert all(attempt["found"] for attempt in report["practice"]["attempts"])
    assert report["practice"]["reflection"] == {
        "named": ["disappointed"], "missed": ["ignored"], "other": []
    }  # fmt: skip
    assert len(report["transcript"]) == 5
    assert (tmp_path / "report.html").is_file()


def test_a_bare_answer_makes_it_worse_and_an_example_is_shown(tmp_path: Path) -> None:
    shown, report = practise(tmp_path, "late_parcel", "--text", answers=BARE + BARE)
    assert "forget it" in shown
    assert "for example: I'm so sorry your daughter's present" in shown
    assert [a["found"] for a in report["practice"]["attempts"]] == [[], []]


def test_the_end_of_the_input_ends_the_call(tmp_path: Path) -> None:
    _, report = practise(tmp_path, "late_parcel", "--text", answers=GOOD)
    assert len(report["practice"]["attempts"]) == 1


def test_the_roles_can_be_switched(tmp_path: Path) -> None:
    own = "My parcel is not here and I am really frustrated.\nWhat now?\nGood, thanks.\n"
    shown, report = practise(tmp_path, "late_parcel", "--text", "--role", "customer", answers=own)
    assert "Agent: I'm so sorry your daughter's present" in shown
    assert report["practice"]["role"] == "customer"
    assert {a["kind"] for a in report["acts"] if a["channel"] == "customer"} >= {"frustration"}


def test_without_a_scenario_they_are_listed(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["practice"], env={"COLUMNS": "300"})
    assert all(name in run.output for name in shipped())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nobody"], "one of after_a_death"),
        (["late_parcel", "--role", "boss"], "agent or customer"),
        (["late_parcel", "--role", "customer"], "add --text"),
        (["--from", "nowhere", "--text"], "is not a report"),
    ],
)
def test_what_cannot_be_practised_is_one_sentence(arguments: list[str], complaint: str) -> None:
    run = CliRunner().invoke(app, ["practice", *arguments])
    assert isinstance(run.exception, ScenarioError)
    assert complaint in str(run.exception)


# ------------------------------------------------------------------ spoken


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    settings = HearingSettings(asr=AsrSettings(partials_enabled=False, workers=1))
    with Hearing(settings) as loaded:
        yield loaded


def answer(words: str) -> Any:
    """The agent's recorded turn of the sample call that begins with these words."""
    turn = next(t for t in TRUTH["turns"] if t["text"].startswith(words))
    recording = open_recording(SAMPLE)
    rate = recording.sample_rate_hz
    begin, end = (turn[key] * rate // 1000 for key in ("begin_ms", "end_ms"))
    return np.repeat(recording.samples(Channel.AGENT)[begin:end], RATE_HZ // rate)


def test_recorded_answers_are_heard_and_the_customer_answers_them(
    hearing: Hearing, tmp_path: Path
) -> None:
    scenario, folder = load_scenario("late_parcel")
    turns = [answer("I am so sorry about that."), answer("The refund of eighty pounds")]
    for number, samples in enumerate(turns):
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE_HZ)
    director = Director(scenario)
    microphone = RecordedMicrophone.from_files([tmp_path / "0.wav", tmp_path / "1.wav"])
    call = SpokenCall(director, lines_of(scenario, folder), microphone)
    events = rehearse_offline(call, hearing, call_id="p", started_at="2026-01-01T00:00:00+00:00")
    assert director.visited == ["opening", "calmer", "settled"]
    assert "acknowledge_feeling" in director.attempts[0].found
    assert "promise" in director.attempts[1].found
    report = build_report(events)
    assert report.call.source == "practice"
    assert report.interruptions.by["agent"].successful == 0
    words = " ".join(part.text or "" for part in report.transcript).lower()
    assert "birthday" in words
    assert "frustrating" in words


class _Interrupter:
    """A microphone that talks over the customer's first line."""

    def __init__(self, samples: Any, at_ms: int) -> None:
        self._samples = np.concatenate([np.zeros(at_ms * RATE_HZ // 1000, np.float32), samples])

    def read(self, count: int, *, quiet: bool) -> Any:
        block, self._samples = self._samples[:count], self._samples[count:]
        return np.pad(block, (0, count - len(block)))


def test_a_customer_who_is_talked_over_stops_and_does_not_count_the_answer(
    hearing: Hearing,
) -> None:
    scenario, folder = load_scenario("late_parcel")
    director = Director(scenario)
    microphone = _Interrupter(answer("I am so sorry about that."), at_ms=2_500)
    call = SpokenCall(director, lines_of(scenario, folder), microphone)
    events = rehearse_offline(call, hearing, call_id="p", started_at="2026-01-01T00:00:00+00:00")
    assert director.visited[1] == "louder"
    assert director.attempts[0].found == ()
    cut_ins = build_report(events).interruptions.events
    assert any(e.by == "agent" and e.overlap_class in INTERRUPTING for e in cut_ins)


def test_the_live_run_goes_through_a_server_with_the_panel(
    hearing: Hearing, tmp_path: Path
) -> None:
    scenario, folder = load_scenario("late_parcel")
    lines = lines_of(scenario, folder)
    short = {name: line[: RATE_HZ * 2] for name, line in lines.items()}
    director = Director(scenario, "calmer")
    microphone = RecordedMicrophone([answer("The refund of eighty pounds")])
    played: list[Any] = []
    addresses: list[str] = []
    events = rehearse_live(
        SpokenCall(director, short, microphone),
        hearing,
        tmp_path / "practice.db",
        play=played.append,
        started=addresses.append,
        speed=2.0,
    )
    assert director.visited == ["calmer", "settled"]
    assert addresses[0].startswith("http://127.0.0.1:")
    assert sum(float(np.square(block).sum()) for block in played) > 0
    assert build_report(events).transcript


# ------------------------------------------------------------------ a drill from one's own call


def test_an_interruption_of_ones_own_call_is_a_drill(tmp_path: Path) -> None:
    report = msgspec.json.decode(GOLDEN.read_bytes(), type=Report)
    event = next(
        e
        for e in report.interruptions.events
        if e.by == "agent" and e.overlap_class == "successful"
    )
    scenario, span_ms = drill(report, event.id)
    assert span_ms[0] <= event.begin_ms < span_ms[1]
    lines = drill_lines(open_recording(SAMPLE), span_ms)
    assert len(lines["line"]) / RATE_HZ == pytest.approx((span_ms[1] - span_ms[0]) / 1000 + 0.4)
    (tmp_path / "report.json").write_bytes(GOLDEN.read_bytes())
    shown, practised = practise(
        tmp_path / "out", "--from", str(tmp_path), "--event", event.id, "--text",
        answers="I am sorry, please tell me more about it.\n",
    )  # fmt: skip
    assert "Yes, exactly." in shown
    assert practised["practice"]["scenario"] == scenario.id
    with pytest.raises(ScenarioError, match=f"there is: .*{event.id}"):
        drill(report, "ov-99")


def test_the_scenario_of_the_guide_is_one(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "practice.md").read_text("utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "opening.wav").write_bytes(b"")
    assert set(parse_scenario(example, tmp_path / "wrong_shoes.toml").stages) >= {"opening"}
    listed = guide.partition("Acts that can be wanted: `")[2].partition("`")[0]
    assert set(listed.split()) == AGENT_ACTS


# ------------------------------------------------------------------ the headset


class _Sound:
    """A sound library with one microphone that counts and one loudspeaker that remembers."""

    class PortAudioError(Exception):
        pass

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.played: list[Any] = []
        self.open = 0

    def InputStream(self, **shape: Any) -> Any:
        return self._stream(shape)

    def OutputStream(self, **shape: Any) -> Any:
        if self.broken:
            raise self.PortAudioError("no loudspeaker")
        return self._stream(shape)

    def _stream(self, shape: dict[str, Any]) -> Any:
        assert (shape["samplerate"], shape["channels"]) == (RATE_HZ, 1)
        sound = self

        class Stream:
            def start(self) -> None:
                sound.open += 1

            def stop(self) -> None:
                return

            def close(self) -> None:
                sound.open -= 1

            def read(self, count: int) -> tuple[Any, bool]:
                return np.full((count, 1), 0.25, np.float32), False

            def write(self, samples: Any) -> None:
                sound.played.append(samples)

        return Stream()


def test_a_headset_is_heard_and_played_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = _Sound()
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    with Headset(None) as headset:
        assert headset.read(160, quiet=True).shape == (160,)
        headset.play(np.zeros(160, np.float32))
        assert sound.open == 2
    assert sound.open == 0
    assert sound.played[0].shape == (160, 1)


def test_a_headset_that_cannot_be_opened_names_the_way_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", _Sound(broken=True))
    with pytest.raises(DeviceMissing, match="--text needs neither"), Headset(None):
        pass
