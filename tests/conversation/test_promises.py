"""What was promised, by whom, and by when."""

from __future__ import annotations

from datetime import datetime

import pytest

from conversation.conversation import Conversation
from conversation.due import DueReader
from conversation.events import (
    ActDetected,
    CallStarted,
    Channel,
    PromiseMade,
)
from conversation.phrases import load_phrases
from conversation.promises import PromiseTracker
from conversation.settings import ConversationSettings
from conversation.time_words import load_time_words
from tests.conversation.rule_case import final

pytestmark = pytest.mark.unit
MONDAY = datetime.fromisoformat("2026-03-02T09:20:00+00:00")
STARTED = CallStarted(
    at_ms=0, call_id="c", started_at="2026-03-02T09:20:00+00:00", source="test",
    channels=(Channel.AGENT, Channel.CUSTOMER),
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "at", "precision"),
    [
        ("by four o'clock tomorrow", "2026-03-03T16:00", "minute"),
        ("within two hours", "2026-03-02T11:20", "minute"),
        ("in half an hour", "2026-03-02T09:50", "minute"),
        ("in an hour and a half", "2026-03-02T10:50", "minute"),
        ("in twenty five minutes", "2026-03-02T09:45", "minute"),
        ("by Friday at noon", "2026-03-06T12:00", "minute"),
        ("at nine on Monday", "2026-03-09T09:00", "minute"),
        ("by 4:30 pm on Wednesday", "2026-03-04T16:30", "minute"),
        ("by eight this evening", "2026-03-02T20:00", "minute"),
        ("at ten to four", "2026-03-02T15:50", "minute"),
        ("at half past three", "2026-03-02T15:30", "minute"),
        ("by the end of the day", "2026-03-02T17:00", "minute"),
        ("on Thursday", "2026-03-05T23:59", "day"),
        ("next Friday", "2026-03-13T23:59", "day"),
        ("on the fifth of March", "2026-03-05T23:59", "day"),
        ("by the twenty first", "2026-03-21T23:59", "day"),
        ("March 5th at 2pm", "2026-03-05T14:00", "minute"),
        ("in ten business days", "2026-03-16T23:59", "day"),
        ("in three to five working days", "2026-03-09T23:59", "range"),
        ("tomorrow morning", "2026-03-03T12:00", "range"),
        ("Thursday between eight and twelve", "2026-03-05T12:00", "range"),
        ("next week", "2026-03-13T23:59", "range"),
        ("as soon as we can", None, "vague"),
        ("in a few days", None, "vague"),
    ],
)
def test_words_of_time_are_resolved_against_the_call(
    words: str, at: str | None, precision: str
) -> None:
    lexicon = load_time_words()
    assert lexicon is not None
    due = DueReader(lexicon).find(f"I will do it {words}".split(), MONDAY)
    assert due is not None
    assert (due.at and due.at.strftime("%Y-%m-%dT%H:%M"), due.precision) == (at, precision)


@pytest.mark.parametrize(
    "words",
    ["I called you two days ago", "a refund of eighty pounds", "since yesterday", "last Friday",
     "there are two of them", "I have two minutes"],
)  # fmt: skip
def test_what_is_no_due_time_gives_none(words: str) -> None:
    lexicon = load_time_words()
    assert lexicon is not None
    assert DueReader(lexicon).find(words.split(), MONDAY) is None


def say(*texts: str, zone: str = "") -> list[PromiseMade]:
    """Let the agent say texts one after another; a text that promises has a promise act."""
    tracker = PromiseTracker(load_phrases(), time_zone=zone)
    tracker.start(STARTED)
    out: list[PromiseMade] = []
    at_ms = 1_000
    for text in texts:
        heard = final(Channel.AGENT, at_ms, at_ms + 3_000, text)
        kinds = []
        if "will" in text.split() or "I'll" in text.split():
            kinds.append("promise")
        if any(word in text.lower() for word in ("friday", "tomorrow", "noon", "soon")):
            kinds.append("specific_time")
        acts = [
            ActDetected(
                at_ms=heard.at_ms, id=f"act-{at_ms}-{kind}", channel=Channel.AGENT, kind=kind,
                start_ms=at_ms, end_ms=heard.end_ms, text=text, confidence=0.9,
                utterance_id=heard.utterance_id,
            )
            for kind in kinds
        ]  # fmt: skip
        out += tracker.observe(heard, acts)
        at_ms += 4_000
    return out


def test_a_promise_says_what_who_and_when() -> None:
    (made,) = say("I will ring you by Friday at noon.")
    assert (made.what, made.who, made.due) == ("ring you", "me", "by Friday at noon")
    assert (made.due_at, made.precision) == ("2026-03-06T12:00:00+00:00", "minute")


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("I'll send the form tomorrow", "me"),
        ("We will refund it tomorrow", "company"),
        ("My colleague will call you tomorrow", "team"),
        ("The engineer will be there tomorrow", "company"),
        ("You will get a letter tomorrow", "company"),
    ],
)
def test_who_it_is_comes_from_the_subject(text: str, who: str) -> None:
    (made,) = say(text)
    assert made.who == who


def test_without_a_time_nothing_is_made_up() -> None:
    (made,) = say("I will look into it")
    assert (made.due, made.due_at, made.precision) == (None, None, "none")


def test_the_same_promise_is_told_once_and_its_later_time_wins() -> None:
    first, second = say("I will ring you by Friday", "I will ring you by Friday at noon")
    assert first.id == second.id
    assert second.due_at == "2026-03-06T12:00:00+00:00"
    assert len(say("I will ring you by Friday", "yes I will ring you")) == 1


def test_a_time_in_the_next_words_belongs_to_the_promise() -> None:
    first, second = say("I will ring you about that.", "By Friday at noon.")
    assert (first.due_at, second.id) == (None, first.id)
    assert second.due_at == "2026-03-06T12:00:00+00:00"


def test_two_promises_are_two() -> None:
    ids = {made.id for made in say("I will ring you on Friday", "I will refund the eighty pounds")}
    assert len(ids) == 2


def test_due_times_are_in_the_zone_of_the_site() -> None:
    (made,) = say("I will ring you by Friday at noon", zone="Europe/Paris")
    assert made.due_at == "2026-03-06T12:00:00+01:00"


def test_the_core_tells_promises_once() -> None:
    core = Conversation.create(ConversationSettings())
    core.receive(STARTED)
    heard = final(Channel.AGENT, 1_000, 4_000, "I will call you by Friday at noon.")
    made = [e for e in core.receive(heard) if isinstance(e, PromiseMade)]
    assert [m.due_at for m in made] == ["2026-03-06T12:00:00+00:00"]
