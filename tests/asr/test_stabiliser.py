"""Which words of a partial stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.settings import AsrSettings
from asr.stabiliser import Stabiliser
from conversation.events import Word

pytestmark = [pytest.mark.unit, pytest.mark.property]


def heard(*passes: tuple[str, int]) -> Stabiliser:
    stabiliser = Stabiliser(AsrSettings())
    for text, end_ms in passes:
        stabiliser.push(text, end_ms)
    return stabiliser


def test_words_are_stable_once_two_passes_agree_and_never_retracted() -> None:
    stabiliser = heard(("I was char", 500), ("I was charged for", 1_000))
    assert stabiliser.stable == ["I", "was"]
    stabiliser.push("I is charged for the", 1_500)
    assert stabiliser.stable[:2] == ["I", "was"]
    stabiliser.push("I was charged for the old", 2_000)
    assert stabiliser.stable[:4] == ["I", "was", "charged", "for"]
    assert stabiliser.contradictions == 1


def test_passes_over_nearly_the_same_audio_prove_nothing() -> None:
    assert heard(("I was there", 1_000), ("I was there", 1_100)).stable == []


def test_the_last_word_waits_for_one_more() -> None:
    stabiliser = heard(("we will send", 1_000), ("we will send", 1_400))
    assert (stabiliser.stable, stabiliser.tail) == (["we", "will"], ["send"])


def test_case_and_punctuation_do_not_matter() -> None:
    stabiliser = heard(("yes well", 1_000), ("Yes, well I", 1_400))
    assert stabiliser.stable == ["Yes,", "well"]


def test_an_unchanged_pass_is_not_news() -> None:
    stabiliser = Stabiliser(AsrSettings())
    assert stabiliser.push("we will", 1_000)
    assert stabiliser.push("we will", 1_400)
    assert not stabiliser.push("we will", 1_800)


def test_one_misheard_word_does_not_stop_the_display() -> None:
    stabiliser = heard(("Was it", 1_000), ("Was it greed", 1_400))
    assert stabiliser.stable == ["Was", "it"]
    assert stabiliser.push("what was agreed the last", 1_800)
    assert stabiliser.tail == ["agreed", "the", "last"]
    stabiliser.push("what was agreed the last time we", 2_200)
    assert stabiliser.stable == ["Was", "it", "agreed", "the", "last"]
    rather = heard(("I would rather", 1_000), ("I would rather keep the", 1_400))
    assert rather.stable == ["I", "would", "rather"]
    rather.push("I will rather keep the old", 1_800)
    assert rather.text == "I would rather keep the old"


def test_what_follows_a_contradiction_is_shown_where_the_passes_meet_again() -> None:
    stabiliser = heard(("I was charged for it", 1_000), ("I was charged for it all", 1_400))
    assert stabiliser.stable == ["I", "was", "charged", "for", "it"]
    stabiliser.push("Well I was charged for it all the time", 1_800)
    assert stabiliser.stable[-1] == "all"
    assert stabiliser.tail == ["the", "time"]
    assert stabiliser.contradictions == 1
    assert not stabiliser.push("something else altogether", 2_200)
    assert stabiliser.text == "I was charged for it all the time"


def test_a_sure_word_with_audio_behind_it_is_stable_at_once() -> None:
    words = [
        Word(text=text, start_ms=100 * n, end_ms=100 * n + 90, probability=p)
        for n, (text, p) in enumerate([("no", 0.99), ("I", 0.98), ("did", 0.7), ("not", 0.99)])
    ]
    stabiliser = Stabiliser(AsrSettings())
    stabiliser.push("no I did not", 1_000, words)
    assert stabiliser.stable == ["no", "I"]
    late = Stabiliser(AsrSettings())
    late.push("no I did not", 400, words)
    assert late.stable == ["no"]
    too_late = Stabiliser(AsrSettings())
    too_late.push("no I did not", 300, words)
    assert too_late.stable == []


@given(st.lists(st.lists(st.sampled_from("one two three four".split()), max_size=8), max_size=12))
def test_stable_words_only_ever_grow(passes: list[list[str]]) -> None:
    stabiliser = Stabiliser(AsrSettings())
    before: list[str] = []
    for number, words in enumerate(passes):
        stabiliser.push(" ".join(words), 400 * number)
        assert stabiliser.stable[: len(before)] == before
        before = list(stabiliser.stable)
