"""No path leads from the agent's channel to a word for an emotion.

Inferring employees' emotions from voice is prohibited in the EU (AI Act, Article 5(1)(f)); what
Heartline says of an agent is behaviour. These tests walk everything that can carry a word.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from conversation import events as vocabulary
from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Derived,
    Event,
    EventLog,
    Observation,
    PaceMeasured,
    SpeechEnded,
    SpeechStarted,
)
from conversation.fact_names import AGENT_ACTS, FACTS
from conversation.settings import ConversationSettings
from prosody.score import Load
from prosody.settings import ProsodySettings
from reports.build import build_report
from tests.prosody.voices import frames, run, starts, voice

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
EMOTION = re.compile(
    r"""ang(?:er|ry) | annoy | irritat | frustrat | upset | \bsad(?:\b|ness) | happ(?:y|ier|iness) |
    \bjoy | \bfear(?:\b|ful) | afraid | anxi(?:ous|ety) | stress(?:ed|ful) | emotion | feeling |
    \bmood | disgust | hostil | aggressi | sentiment | nervous | \bbored | \brude | \bcalm(?!er) |
    furious | temper\b""",
    re.VERBOSE | re.IGNORECASE,
)
ALLOWED = "acknowledge_feeling"
"""What an agent does with a customer's feeling, heard in words."""
CUSTOMERS_WORDS = "customer_word_sentiment"
"""A figure of what the customer said in words; no voice and no agent is in it."""
AGENT_VOICE = re.compile(r"agent\.(?:voice|raised|pace|wpm|level|pitch|f0|volume|loud|quiet)\w*")
"""Facts about how an agent speaks."""


def emotion_in(text: str) -> str | None:
    found = EMOTION.search(text.replace(ALLOWED, "").replace(CUSTOMERS_WORDS, ""))
    return found.group() if found else None


def test_the_deny_list_bites() -> None:
    for said in ("sounds angry", "agent.frustration", "agent_stressed", "Feeling: joy", "mood"):
        assert emotion_in(said)
    assert emotion_in(ALLOWED) is None
    assert emotion_in("louder and higher than your usual") is None


def test_no_field_tag_or_value_of_an_event_names_an_emotion() -> None:
    for union in (Observation, Derived):
        for struct in get_args(union):
            named = [struct.__struct_config__.tag, struct.__name__, *struct.__struct_fields__]
            for field in msgspec.structs.fields(struct):
                if isinstance(field.type, type) and issubclass(field.type, StrEnum):
                    named += [member.value for member in field.type]
            for name in set(named) - {CUSTOMERS_WORDS}:
                assert emotion_in(name.replace("_", " ")) is None, (struct, name)
    for value in vars(vocabulary).values():
        if isinstance(value, type) and issubclass(value, StrEnum):
            assert not [member for member in value if emotion_in(member.value)]


def test_no_setting_or_state_of_prosody_names_an_emotion() -> None:
    for name in (*ProsodySettings.__struct_fields__, *Load):
        assert emotion_in(name.replace("_", " ")) is None, name
    for path in (ROOT / "prosody").glob("*.py"):
        for text in literals(path):
            assert emotion_in(text) is None, (path.name, text)


def test_no_fact_and_no_act_of_the_agent_names_an_emotion() -> None:
    for name in (*AGENT_ACTS, *(fact for fact in FACTS if fact.startswith("agent."))):
        assert name == ALLOWED or emotion_in(name.replace("_", " ")) is None, name
    for path in (ROOT / "conversation" / "language").glob("*/pack.toml"):
        for kind, act in tomllib.loads(path.read_text("utf-8"))["kinds"].items():
            if act.get("speaker") != "customer":
                assert kind == ALLOWED or emotion_in(kind.replace("_", " ")) is None, kind


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "conversation" / "rules").glob("*.toml")):
        for name, rule in tomllib.loads(path.read_text("utf-8")).items():
            if isinstance(rule, dict):
                yield name, rule


def test_no_rule_that_reads_an_agents_voice_says_a_word_about_emotion() -> None:
    seen = 0
    for name, rule in rules():
        conditions = " ".join(str(rule.get(key, "")) for key in ("when", "clear_when", "unless"))
        for fact in re.findall(r"agent\.\w+", conditions):
            assert fact == f"agent.{ALLOWED}" or emotion_in(fact) is None, (name, fact)
        if AGENT_VOICE.search(conditions):
            seen += 1
            shown = {key: value for key, value in rule.items() if key not in ("when", "clear_when")}
            said = emotion_in(f"{name} {shown}".replace("_", " "))
            assert said is None, (name, said)
    assert seen


def literals(path: Path) -> Iterator[str]:
    """Strings of a Python module that can reach somebody: all but docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    silent = {
        node.value
        for parent in ast.walk(tree)
        if isinstance(parent, documented)
        for node in parent.body
        if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.value


def test_no_template_of_a_report_joins_the_agent_with_an_emotion() -> None:
    for path in (ROOT / "reports").glob("*.py"):
        for text in literals(path):
            if re.search(r"\bagent\b|\byour?\b", text, re.IGNORECASE):
                assert emotion_in(text) is None, (path.name, text)


def test_no_string_of_the_dashboard_joins_the_agent_with_an_emotion() -> None:
    paths = [*(ROOT / "dashboard" / "src").rglob("*.ts")]
    assert paths
    for path in paths:
        if path.name.endswith(".test.ts"):
            continue
        for _, text in re.findall(r"([\"'`])((?:\\.|(?!\1).)*)\1", path.read_text("utf-8")):
            if re.search(r"\bagent\b|\byour?\b", text, re.IGNORECASE) and "var(--" not in text:
                assert emotion_in(text) is None, (path.name, text)


def test_what_the_core_and_the_report_make_of_an_agents_raised_voice_names_no_emotion() -> None:
    agent = Channel.AGENT
    heard = run(voice(24, raised=(14, 24), semitones=10, tilt_db=14), [(0, 24_000)], channel=agent)
    assert starts(heard)[-1].grade == "strong"
    assert frames(heard)
    pace = PaceMeasured(
        at_ms=24_100,
        channel=agent,
        begin_ms=0,
        end_ms=24_000,
        words=90,
        words_per_minute=240.0,
        gross_words_per_minute=225.0,
        usual_words_per_minute=170.0,
        pace="fast",
        pauses=0,
        longest_pause_ms=0,
    )
    spoken: list[Event] = [
        CallStarted(
            at_ms=0,
            call_id="c",
            started_at="2026-01-01T00:00:00+00:00",
            channels=(agent, Channel.CUSTOMER),
            source="file",
        ),
        SpeechStarted(at_ms=128, channel=agent, start_ms=0),
        *heard,
        SpeechEnded(at_ms=24_050, channel=agent, start_ms=0, end_ms=24_000),
        pace,
        CallEnded(at_ms=25_000),
    ]
    spoken.sort(key=lambda event: event.at_ms)
    core = Conversation.create(ConversationSettings())
    log: list[Event] = []
    for event in spoken:
        assert isinstance(event, Observation)
        log += [event, *core.receive(event)]
    for event in log:
        assert emotion_in(EventLog.encode(event).decode()) is None
    report = build_report(log)
    assert report.raised_voice.events
    for part in (report.raised_voice, report.talk, report.cues, report.acts):
        assert emotion_in(msgspec.json.encode(part).decode()) is None
