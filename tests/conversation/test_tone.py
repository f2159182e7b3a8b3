"""Written replies: named flaws are found, good replies are left alone, nothing is kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.language import PackError
from conversation.language.written import load_written
from conversation.tone import GAPS, Said, check_tone

pytestmark = pytest.mark.unit
FOLDER = Path(__file__).parents[1] / "data" / "tone"
UPSET = (Said("customer", "I have waited for three weeks and I am really upset."),)


def replies(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def kinds(text: str, context: tuple[Said, ...] = ()) -> set[str]:
    return {finding.kind for finding in check_tone(text, context).findings}


def marked(text: str, kind: str, context: tuple[Said, ...] = UPSET) -> list[str]:
    findings = check_tone(text, context).findings
    return [text[f.start : f.end] for f in findings if f.kind == kind]


@pytest.mark.parametrize("name", ["test", "development"])
def test_the_named_flaws_are_found_and_good_replies_are_left_alone(name: str) -> None:
    found = wanted = good = falsely = 0
    for reply in replies(name):
        seen = kinds(reply["text"], tuple(Said(**said) for said in reply["context"]))
        flaws = set(reply["flaws"])
        wanted += len(flaws)
        found += len(flaws & seen)
        good += not flaws
        falsely += not flaws and bool(seen)
    print(f"{name}: {found} of {wanted} flaws, {falsely} of {good} good replies marked")
    assert found / wanted >= 0.8
    assert falsely / good <= 0.1


def test_the_test_set_is_what_it_says() -> None:
    flaws = [reply["flaws"] for reply in replies("test")]
    assert (len(flaws), flaws.count([])) == (60, 30)
    assert {kind for named in flaws for kind in named} == set(load_written().kinds)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("You should have read the contract.", "blame", "You should have read"),
        ("It\u2019s our policy.", "avoid_phrase", "It\u2019s our policy"),
        ("This matter is now closed.", "closes_door", "matter is now closed"),
        ("It will definitely arrive.", "over_promise", "will definitely"),
        ("We will send it soon.", "vague_time", "soon"),
    ],
)
def test_a_phrase_is_marked_where_it_stands(text: str, kind: str, words: str) -> None:
    text = f"Dear Émile — 😀,\n\n{text}"
    (phrase,) = marked(text, kind)
    assert phrase == words


@pytest.mark.parametrize(
    "text",
    [
        "You should have received the letter by now; if not, I'll send it again today.",
        "You must have been worried. I have called the depot and will ring you at 5 pm.",
        "Your two-year guarantee runs until 3 March. I've booked the repair for Monday.",
        "I can't promise that, but I'll ask today and write to you by noon.",
        "I hope your father gets better soon. I've moved the date to 31 July.",
        "The money is back on your card within 3 to 5 working days; I'm sorry you waited.",
    ],
)
def test_words_that_only_look_like_a_flaw_are_none(text: str) -> None:
    assert kinds(text) == set()


def test_a_feeling_calls_for_an_answer_and_a_plain_question_does_not() -> None:
    reply = "The parcel leaves our warehouse on Friday."
    assert "no_acknowledgement" in kinds(reply, UPSET)
    assert kinds(reply, (Said("customer", "When will you ship it?"),)) == set()


def test_quoted_lines_are_the_customers_message() -> None:
    quoted = "> I am so upset about this.\n> You should have called.\n\nIt arrives on Friday at 9."
    assert kinds(quoted) == {"no_acknowledgement"}


def test_a_formula_is_canned_unless_the_matter_itself_is_answered() -> None:
    formula = "We apologise for any inconvenience. A new lamp leaves today."
    assert "canned_empathy" in kinds(formula, UPSET)
    assert "canned_empathy" not in kinds(f"Three weeks is far too long. {formula}", UPSET)


def test_a_gap_is_marked_over_the_whole_reply_and_told_last() -> None:
    text = "You should have called. Regards"
    findings = check_tone(text, UPSET).findings
    assert findings[-1].kind in GAPS
    assert text[findings[-1].start : findings[-1].end] == text
    assert all(finding.why and finding.better_wording for finding in findings)


def test_an_empty_reply_has_nothing_to_find() -> None:
    assert check_tone(" \n ", UPSET).findings == ()


def test_a_language_without_a_written_form_is_named() -> None:
    with pytest.raises(PackError, match="'fi'"):
        check_tone("Hei", (), "fi")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_gives_spans_inside_it_and_the_same_twice(text: str, asked: str) -> None:
    context = (Said("customer", asked),)
    first, second = check_tone(text, context), check_tone(text, context)
    assert first == second
    spans = [(f.start, f.end) for f in first.findings] + [(a.start, a.end) for a in first.acts]
    assert all(0 <= start <= end <= len(text) for start, end in spans)


@pytest.mark.parametrize("piece", ["you ", "we will ", "is ", "a", "sorry that ", "5 to ", "not. "])
def test_a_long_reply_is_read_in_time(piece: str) -> None:
    began_s = time.monotonic()
    check_tone((piece * 20_000)[:20_000], UPSET)
    assert time.monotonic() - began_s < 10
