"""Language acts from recognised and written words."""

from __future__ import annotations

import pytest

from conversation.acts import ActDetector
from conversation.events import (
    ActDetected,
    Channel,
    FinalTranscript,
    PartialTranscript,
    Word,
)
from conversation.language import PackError, load_pack

pytestmark = pytest.mark.unit

POSITIVE = [
    ("agent", "greeting", "good morning my name is dana"),
    ("agent", "acknowledge_feeling", "I can hear how frustrating that's been"),
    ("agent", "acknowledge_feeling", "that must be really worrying for you"),
    ("agent", "apology", "im really sorry about the mix up"),
    ("agent", "apology", "We apologise for the delay."),
    ("agent", "ownership", "leave it with me"),
    ("agent", "next_steps", "what I'm going to do is open a ticket"),
    ("agent", "specific_time", "I'll call you back by friday"),
    ("agent", "vague_time", "we will get back to you shortly"),
    ("agent", "promise", "I'll send you an email this afternoon"),
    ("agent", "open_question", "Can you tell me what happened?"),
    ("agent", "hold_notice", "bear with me while I look that up"),
    ("agent", "appreciation", "thank you for your patience"),
    ("agent", "anything_else", "is there anything else I can help with today"),
    ("agent", "positive_close", "have a lovely day"),
    ("agent", "avoid_phrase", "you need to calm down"),
    ("agent", "avoid_phrase", "that's just our policy"),
    ("customer", "frustration", "this is absolutely ridiculous"),
    ("customer", "frustration", "I'm not happy about this"),
    ("customer", "anger", "I am furious"),
    ("customer", "repeat_contact", "this is the third time I've called"),
    ("customer", "urgency", "I need it by tomorrow it's urgent"),
    ("customer", "escalation_request", "let me speak to a supervisor"),
    ("customer", "churn_threat", "I'll take my business elsewhere then I'm leaving"),
    ("customer", "gratitude", "thank you so much"),
    ("customer", "question", "when will it arrive"),
    ("customer", "satisfaction", "that sorts it nicely"),
    ("customer", "floor_protest", "please let me finish"),
    ("customer", "problem_statement", "my internet stopped working on monday"),
]

NEGATIVE = [
    ("agent", "apology", "the email said we are sorry"),
    ("agent", "apology", "if it had been us I would have said I'm sorry"),
    ("agent", "avoid_phrase", "you should have an email by now"),
    ("agent", "promise", "if you like I'll send you an email"),
    ("agent", "promise", "I will not call you back"),
    ("agent", "vague_time", "did you move in a few days ago"),
    ("agent", "specific_time", "you were born on a friday"),
    ("customer", "frustration", "I am not frustrated at all"),
    ("customer", "anger", "my husband was saying I am furious"),
    ("customer", "anger", "I'm not angry"),
    ("customer", "escalation_request", "I don't need a manager"),
    ("customer", "frustration", "the weather is ridiculous"),
    ("customer", "satisfaction", "that is not great"),
    ("customer", "apology", "I'm sorry about that"),
    ("agent", "frustration", "this is ridiculous"),
]


@pytest.mark.parametrize(("speaker", "kind", "text"), POSITIVE)
def test_an_act_is_found_in_plain_wording(speaker: str, kind: str, text: str) -> None:
    assert kind in {act.kind for act in ActDetector().find(speaker, text.split())}


@pytest.mark.parametrize(("speaker", "kind", "text"), NEGATIVE)
def test_negated_quoted_imagined_or_others_acts_are_not_found(
    speaker: str, kind: str, text: str
) -> None:
    assert kind not in {act.kind for act in ActDetector().find(speaker, text.split())}


def final(text: str, channel: Channel = Channel.AGENT) -> FinalTranscript:
    words = tuple(
        Word(text=w, start_ms=1000 + 200 * i, end_ms=1180 + 200 * i, probability=0.9)
        for i, w in enumerate(text.split())
    )
    return FinalTranscript(
        at_ms=9000, channel=channel, utterance_id="u1", rev=3, start_ms=1000,
        end_ms=1000 + 200 * len(words), text=text, words=words,
    )  # fmt: skip


def test_an_act_takes_its_times_from_its_words() -> None:
    acts = ActDetector().observe(final("well I am sorry about that"))
    act = next(a for a in acts if isinstance(a, ActDetected) and a.kind == "apology")
    assert (act.start_ms, act.id, act.utterance_id) == (1200, "act-1", "u1")
    assert act.end_ms <= 1000 + 200 * 6


def test_a_final_repeats_no_act_of_its_partials() -> None:
    detector = ActDetector()
    partial = PartialTranscript(
        at_ms=3000, channel=Channel.AGENT, utterance_id="u1", rev=1, start_ms=1000,
        audio_end_ms=2500, stable="I am so sorry about that", tail="I will", stable_words=6,
    )  # fmt: skip
    first = detector.observe(partial)
    assert [a.kind for a in first if isinstance(a, ActDetected)] == ["apology"]
    assert detector.observe(partial) == []
    later = detector.observe(final("I am so sorry about that I will call you tomorrow"))
    kinds = [a.kind for a in later if isinstance(a, ActDetected)]
    assert "apology" not in kinds
    assert "promise" in kinds


def test_a_channel_with_both_parties_has_no_acts() -> None:
    assert ActDetector().observe(final("I am sorry about that", Channel.MIXED)) == []


def test_a_deny_list_phrase_has_better_wording_and_a_missing_pack_is_named() -> None:
    assert "what I can do" in (load_pack().better_wording("sorry, that's our policy") or "")
    assert load_pack().better_wording("hello there") is None
    with pytest.raises(PackError, match="'xx'"):
        load_pack("xx")
