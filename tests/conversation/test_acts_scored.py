"""Acts decided from journalled scores of the act model and from patterns together."""

from __future__ import annotations

import pytest

from conversation.acts import ActDetector, Score
from conversation.conversation import Conversation
from conversation.events import (
    ActDetected,
    CallStarted,
    Channel,
    Event,
    EventLog,
    FinalTranscript,
    Observation,
    UtteranceScored,
    Word,
    is_observation,
)
from conversation.language import Head, Heads, PackError, load_heads
from conversation.settings import ConversationSettings

pytestmark = pytest.mark.unit

HEADS = Heads(
    model_sha256="m",
    tokenizer_sha256="t",
    encoder="e",
    encoder_sha256="s",
    frozen_layers=4,
    order=["frustration", "anger", "gratitude"],
    kinds={
        "frustration": Head(speaker="customer", threshold=500, sure=600),
        "anger": Head(speaker="customer", threshold=500),
        "gratitude": Head(speaker="customer", threshold=400),
    },
)
PATTERNLESS = "the parcel sat in the rain, what a carry on, and nobody knocked"


def detector() -> ActDetector:
    return ActDetector(heads=HEADS)


def kinds(text: str, **permille: int) -> dict[str, float]:
    scores = {kind: Score(value, 0) for kind, value in permille.items()}
    found = detector().decide("customer", text.split(), scores)
    return {act.kind: act.confidence for act in found}


def final(text: str, probability: float = 0.9) -> FinalTranscript:
    words = tuple(
        Word(text=w, start_ms=200 * i, end_ms=200 * i + 180, probability=probability)
        for i, w in enumerate(text.split())
    )
    return FinalTranscript(
        at_ms=9_000, channel=Channel.CUSTOMER, utterance_id="u1", rev=1, start_ms=0,
        end_ms=200 * len(words), text=text, words=words,
    )  # fmt: skip


def scored(permille: dict[str, int], peak: int = 0, status: str = "ok") -> UtteranceScored:
    return UtteranceScored(
        at_ms=9_000, utterance_id="u1", channel=Channel.CUSTOMER, pack="en", model_sha256="m",
        permille=permille, peaks=dict.fromkeys(permille, peak), status=status,
    )  # fmt: skip


def acts(events: list[Event]) -> list[ActDetected]:
    return [e for e in events if isinstance(e, ActDetected)]


def test_a_score_counts_from_its_threshold_on() -> None:
    assert kinds(PATTERNLESS, frustration=500) == {"frustration": 0.5}
    assert kinds(PATTERNLESS, frustration=499) == {}


def test_a_sure_pattern_lifts_a_score_to_its_measured_precision_and_no_further() -> None:
    assert kinds("this is absolutely ridiculous", frustration=30) == {"frustration": 0.6}
    assert kinds("this is absolutely ridiculous", frustration=970) == {"frustration": 0.97}
    assert kinds("i am furious", anger=30) == {}, "its patterns were never measured"


def test_a_vetoed_pattern_lifts_nothing() -> None:
    assert kinds("my son says this is absolutely ridiculous", frustration=30) == {}


def test_an_act_of_the_model_alone_spans_the_clause_of_the_word_that_speaks_most_for_it() -> None:
    event = detector()
    assert event.observe(scored({"frustration": 900}, peak=8)) == []
    (act,) = acts(list(event.observe(final(PATTERNLESS))))
    assert act.text == "what a carry on"
    assert (act.start_ms, act.end_ms) == (6 * 200, 9 * 200 + 180)


def test_a_long_clause_is_cut_around_the_word_that_speaks_most() -> None:
    words = [f"word{i}" for i in range(60)]
    found = detector().decide("customer", words, {"frustration": Score(900, 30)})
    assert (found[0].start, found[0].end) == (18, 43)


def test_scores_serve_one_final_and_are_then_forgotten() -> None:
    event = detector()
    event.observe(scored({"frustration": 900}))
    assert acts(list(event.observe(final(PATTERNLESS))))
    assert not acts(list(event.observe(final(PATTERNLESS))))


def test_when_scoring_was_shed_patterns_decide_alone() -> None:
    event = detector()
    event.observe(scored({}, status="shed"))
    (act,) = acts(list(event.observe(final("this is absolutely ridiculous"))))
    assert (act.kind, act.confidence) == ("frustration", 0.95)


def test_words_that_were_hardly_heard_carry_no_act() -> None:
    event = detector()
    event.observe(scored({"frustration": 900}))
    assert not acts(list(event.observe(final(PATTERNLESS, probability=0.3))))


def test_an_act_that_the_pack_does_not_know_is_left_out() -> None:
    event = detector()
    event.observe(scored({"sorcery": 900, "gratitude": 900}))
    assert {a.kind for a in acts(list(event.observe(final(PATTERNLESS))))} == {"gratitude"}


def test_the_english_pack_describes_a_head_for_every_output_of_its_model() -> None:
    heads = load_heads("en-GB")
    assert heads is not None
    assert set(heads.order) == set(heads.kinds)
    assert all(0 < head.threshold < 1000 for head in heads.kinds.values())
    assert load_heads("xx") is None


def test_a_broken_description_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load_heads.cache_clear()
    monkeypatch.setattr("conversation.language.heads.tomllib.loads", lambda _: {"order": 3})
    with pytest.raises(PackError, match="'en'"):
        load_heads("en")
    load_heads.cache_clear()


def test_replaying_scores_and_finals_reproduces_the_acts_byte_for_byte() -> None:
    start = CallStarted(
        at_ms=0, call_id="c", started_at="2026-01-01T00:00:00+00:00",
        channels=(Channel.AGENT, Channel.CUSTOMER), source="test",
    )  # fmt: skip
    observed: list[Observation] = [start, scored({"frustration": 900}, peak=8), final(PATTERNLESS)]
    runs = []
    for _ in range(2):
        core = Conversation.create(ConversationSettings())
        runs.append([EventLog.encode(e) for o in observed for e in core.receive(o)])
    assert runs[0] == runs[1]
    told = [EventLog.decode(line) for line in runs[0]]
    assert [e.kind for e in told if isinstance(e, ActDetected)] == ["frustration"]
    assert is_observation(observed[1])
