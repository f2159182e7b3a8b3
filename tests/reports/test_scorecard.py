"""The scorecard finds opportunities and deliveries in dialogues, with evidence for each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench.coaching.script_run import GivenActs, observations
from bench.coaching.scripts import Script
from conversation.conversation import Conversation
from conversation.cue_engine import CueEngine
from conversation.events import CallStarted, Channel, ChannelQuality, Event, FinalTranscript
from conversation.phrases import load_phrases
from conversation.promises import PromiseTracker
from conversation.settings import ConversationSettings
from reports.build import build_report
from reports.model import Report, ScorePart
from reports.scorecard import without_disputed

pytestmark = pytest.mark.unit
LONG = " ".join(["and then I went to the shop again with the broken lamp"] * 7) + "."
GOOD: list[list[Any]] = [
    ["a1", 400, "Good morning, Ana speaking, how can I help you today?", "greeting"],
    ["c1", 500, f"My lamp is broken and I am fed up. {LONG}", "problem_statement frustration"],
    ["a2", 500, "I am sorry, going to the shop again and again with that lamp is tiring.",
     "apology acknowledge_feeling paraphrase"],
    ["c2", 500, "It is, yes.", ""],
    ["a3", 500, "What happens when you switch it on, and what do you see?", "open_question"],
    ["c3", 500, "It flickers and goes out. Can you fix it?", "question"],
    ["a4", 500, "Does it smell of smoke when it does that?", "probing_question"],
    ["c4", 500, "No, it does not.", ""],
    ["a5", 500, "I will send you a new one myself and it will be there by Friday at noon.",
     "promise next_steps specific_time ownership"],
    ["c5", 500, "That sorts it.", "satisfaction"],
    ["a6", 500, "Thank you for your patience. Is there anything else that I can do?",
     "appreciation anything_else"],
    ["c6", 500, "No, that is all, thank you.", "gratitude"],
]  # fmt: skip
BAD: list[list[Any]] = [
    ["a1", 400, "Hello.", ""],
    ["c1", 500, f"My lamp is broken and I am fed up. {LONG}", "problem_statement frustration"],
    ["a2", 500, "You should have called us earlier, I need your order number first.",
     "avoid_phrase"],
    ["c2", 500, "It is four. When do I get a new one?", "question"],
    ["a3", 12_000, "We will send you a new one at some point and that is all I can say.",
     "promise next_steps vague_time"],
    ["c3", 500, "This is ridiculous, I am so angry.", "anger"],
    ["a4", 500, "That is how our system works, there is nothing else to tell you now.",
     "avoid_phrase"],
    ["a5", 500, "Is there anything else?", "anything_else"],
]  # fmt: skip


def log(turns: list[list[Any]], **started: Any) -> list[Event]:
    """Run turns through the core with the acts that they name; return the call's journal."""
    script = Script(id="x", turns=turns)
    phrases = load_phrases()
    core = Conversation(
        ConversationSettings(), CueEngine.from_packaged(), GivenActs(script),
        PromiseTracker(phrases),
    )  # fmt: skip
    events: list[Event] = []
    for observation in observations(script):
        if isinstance(observation, CallStarted):
            observation = msgspec.structs.replace(observation, **started)
        events += [observation, *core.receive(observation)]
    return events


def lines(report: Report) -> dict[str, ScorePart]:
    return {part.behaviour: part for part in report.scorecard}


def counts(turns: list[list[Any]], **started: Any) -> dict[str, tuple[int, int]]:
    parts = lines(build_report(log(turns, **started)))
    return {name: (part.delivered, part.opportunities) for name, part in parts.items()}


def test_there_are_fifteen_lines_and_no_blended_number() -> None:
    report = build_report(log(GOOD))
    assert list(lines(report)) == [
        "let_finish", "listening_signals", "acknowledge", "specific", "paraphrase", "probe",
        "ownership", "plan", "realistic", "steady_delivery", "wording", "responsive", "personal",
        "close", "promises",
    ]  # fmt: skip
    fields = {name for part in report.scorecard for name in part.figures}
    assert not {"total", "overall", "index"} & fields


def test_what_was_done_well_is_delivered() -> None:
    found = counts(GOOD)
    for line in ("acknowledge", "specific", "paraphrase", "probe", "ownership", "plan",
                 "realistic", "personal"):  # fmt: skip
        assert found[line] == (1, 1), (line, found[line])
    assert found["close"] == (4, 4)
    assert found["wording"][0] == found["wording"][1] >= 5
    assert found["responsive"][0] == found["responsive"][1] >= 1


def test_what_was_missed_is_missed() -> None:
    found = counts(BAD)
    assert found["acknowledge"] == (0, 2)
    assert found["paraphrase"] == (0, 1)
    assert found["probe"] == (0, 1)
    assert found["ownership"] == (0, 1)
    assert found["plan"] == (0, 1)
    assert found["realistic"] == (0, 1)
    assert found["personal"] == (0, 1)
    assert found["wording"][1] - found["wording"][0] == 2
    assert found["responsive"][0] < found["responsive"][1]
    assert found["close"][0] < 4


def test_without_an_opportunity_a_line_is_not_applicable() -> None:
    calm = [
        ["a1", 400, "Good morning, how can I help?", "greeting"],
        ["c1", 500, "I would like to change my address.", ""],
        ["a2", 500, "Of course, done.", ""],
    ]
    parts = lines(build_report(log(calm)))
    for line in ("acknowledge", "specific", "paraphrase", "probe", "ownership", "plan"):
        assert (parts[line].opportunities, parts[line].score) == (0, None)


def test_every_opportunity_is_a_span_that_can_be_clicked() -> None:
    report = build_report(log(BAD))
    for part in report.scorecard:
        assert len(part.spans) == part.opportunities
        assert sum(span.verdict == "delivered" for span in part.spans) == part.delivered
        for span in part.spans:
            assert 0 <= span.start_ms <= span.end_ms
            assert 0 < span.confidence <= 1
    ids = [span.id for part in report.scorecard for span in part.spans]
    assert len(ids) == len(set(ids))


def test_below_three_opportunities_there_is_a_count_and_no_rate() -> None:
    parts = lines(build_report(log(BAD)))
    assert parts["acknowledge"].score is None
    assert parts["wording"].opportunities >= 3
    assert parts["wording"].score is not None


def test_a_disputed_span_leaves_the_score_at_once() -> None:
    part = lines(build_report(log(BAD)))["wording"]
    missed = next(span for span in part.spans if span.verdict == "missed")
    after = without_disputed(part, {missed.id: "wrong"})
    assert (after.opportunities, after.delivered) == (part.opportunities - 1, part.delivered)
    assert without_disputed(part, {"other": "wrong"}) == part


def test_what_cannot_be_trusted_is_not_scored_and_says_why() -> None:
    events = log(BAD)
    bleeding = ChannelQuality(at_ms=1, channel=Channel.AGENT, bleed_grade="C")
    parts = lines(build_report([events[0], bleeding, *events[1:]]))
    assert parts["let_finish"].note == "the channels bleed into each other"
    assert parts["let_finish"].score is None
    assert parts["wording"].note is None
    deaf = [
        msgspec.structs.replace(e, text=None, words=(), status="failed")
        if isinstance(e, FinalTranscript)
        else e
        for e in events
    ]
    assert "put into words" in (lines(build_report(deaf))["wording"].note or "")


def test_pace_is_measured_against_the_agents_own_usual() -> None:
    fast = [["a1", 400, " ".join(["word"] * 60) + ".", "", {"wpm": 200}]]
    usual = [["a1", 400, " ".join(["word"] * 60) + ".", "", {"wpm": 200}]]
    assert counts(fast)["steady_delivery"] == (0, 1)
    assert counts(usual, usual_words_per_minute=190.0)["steady_delivery"] == (1, 1)


def test_a_name_that_is_known_is_used_one_to_four_times() -> None:
    assert counts(GOOD, customer_name="Ana Bell")["personal"] == (2, 2)
    assert counts(GOOD, customer_name="Zoe Quist")["personal"] == (1, 2)


def test_the_customers_state_is_told_from_words_with_evidence() -> None:
    words = build_report(log(GOOD)).customer_words
    assert words is not None
    assert words.acts_by_third["frustration"][0] == 1
    assert [turn.value for turn in words.turns] == [-1.0, 1.0, 1.0]
    assert words.trend is None
    longer = [*BAD, ["c9", 500, "Thank you, that is great.", "gratitude"],
              ["a9", 500, "Good.", ""], ["c10", 500, "Lovely.", "satisfaction"]]  # fmt: skip
    worse = build_report(log(longer)).customer_words
    assert worse is not None
    assert worse.trend == "better"
