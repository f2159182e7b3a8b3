"""What speaks for a listening signal, and for a clause that was not finished."""

from __future__ import annotations

import pytest

from conversation.backchannels import Listener, backchannel_score, is_backchannel_text
from conversation.completeness import (
    going_on_completeness,
    lexical_completeness,
    stopped_completeness,
)
from conversation.events import Channel
from conversation.speech import PartySpeech

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text", ["Okay.", "mm-hm", "Yeah, right.", "I see", "oh okay", "All right.", "go on", "uh-huh"]
)
def test_listening_signals(text: str) -> None:
    assert is_backchannel_text(text)


@pytest.mark.parametrize(
    "text", ["", "no", "stop", "okay but listen", "yes yes yes yes", "I think"]
)
def test_what_is_no_listening_signal(text: str) -> None:
    assert not is_backchannel_text(text)


@pytest.mark.parametrize(
    ("length_ms", "score"),
    [(100, 0.9), (400, 0.9), (550, 0.75), (700, 0.6), (1_000, 0.2), (1_500, 0.1), (9_000, 0.1)],
)
def test_without_words_a_sound_is_judged_by_its_length(length_ms: int, score: float) -> None:
    assert backchannel_score(length_ms, None) == pytest.approx(score)


def test_words_outweigh_length_and_a_warm_listener_needs_more_evidence() -> None:
    assert backchannel_score(3_000, "okay") == 0.95
    assert backchannel_score(100, "can you give me") == 0.05
    assert backchannel_score(600, "") == 0.75
    assert backchannel_score(1_100, None, Listener(backchannels=5)) == pytest.approx(0.28)
    assert backchannel_score(1_100, None, Listener(backchannels=50)) == pytest.approx(0.38)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("I was charged for the", 0.1),
        ("because", 0.1),
        ("my number is four five", 0.15),
        ("the bill", 0.35),
        ("I called you three weeks ago", 0.818),
        ("I called you three weeks ago.", 0.818),
        ("I called you when it started", 0.378),
        ("I called you and left a new", 0.119),
        ("there is a hole in the zeppelin", 0.6),
        ("can you tell me when it comes?", 0.9),
        ("that is all thank you", 0.9),
        ("", None),
    ],
)
def test_how_complete_a_clause_is_by_its_words(text: str, complete: float | None) -> None:
    assert lexical_completeness(text) == complete


def test_who_talks_on_was_not_finishing() -> None:
    assert going_on_completeness(0) == pytest.approx(0.6)
    assert going_on_completeness(450) == pytest.approx(0.35)
    assert going_on_completeness(700) == pytest.approx(0.1)
    assert going_on_completeness(9_000) == pytest.approx(0.1)


def test_who_stopped_soon_may_have_been_finishing_and_who_stopped_late_was_not() -> None:
    assert stopped_completeness(200, None, None) > 0.6
    assert stopped_completeness(410, None, None) == pytest.approx(0.5)
    assert stopped_completeness(700, None, None) < 0.1
    assert stopped_completeness(5_000, None, None) == stopped_completeness(800, None, None)
    assert stopped_completeness(20, None, None) == stopped_completeness(200, None, None)


def test_words_voice_and_timing_are_weighed_against_each_other_when_somebody_stops() -> None:
    assert stopped_completeness(400, 0.1, None) < 0.5 < stopped_completeness(400, 0.9, None)
    assert stopped_completeness(350, 0.6, 8.0) < 0.5 < stopped_completeness(350, 0.6, 0.0)
    assert stopped_completeness(400, 0.1, -5.0) > 0.5
    assert stopped_completeness(400, 0.6, 0.0) > 0.5 > stopped_completeness(600, 0.6, 0.0)
    assert stopped_completeness(300, 0.6, 8.0) == stopped_completeness(300, 0.6, 4.0)


def test_the_end_of_a_voice_is_held_against_its_own_earlier_ends() -> None:
    speech = PartySpeech(Channel.AGENT, join_ms=180)
    for i in range(30):
        speech.start(3_000 * i)
        speech.end(3_000 * i + 2_000, tail_db=9.0)
    assert speech.tail_db(2_000) == pytest.approx(6.0)
    assert speech.tail_db(4 * 3_000 + 2_000) == pytest.approx(9 - (3 * 3 + 4 * 9) / 7)
    assert speech.tail_db(29 * 3_000 + 2_000) == pytest.approx(9 - (3 * 3 + 20 * 9) / 23)
    assert speech.tail_db(1) is None


def test_a_record_of_interruptions_counts_only_while_words_are_unknown() -> None:
    record = Listener(alert=True)
    assert backchannel_score(800, None, record) < backchannel_score(800, None)
    assert backchannel_score(800, "meadow", record) == backchannel_score(800, "meadow")


def test_who_is_silent_again_within_a_second_was_probably_only_listening() -> None:
    assert backchannel_score(800, None, ended=True) > 0.8 > backchannel_score(800, None)
    assert backchannel_score(1_500, None, ended=True) == pytest.approx(0.1)
    assert backchannel_score(700, "wait no", ended=True) == 0.05


def test_the_beginning_of_a_phrase_is_no_other_word_yet() -> None:
    unfinished = backchannel_score(650, "of", all_words=False)
    assert unfinished == pytest.approx(backchannel_score(650, None))
    assert backchannel_score(650, "of") < unfinished


def test_one_word_that_may_be_misheard_says_less_than_one_that_a_clause_goes_on_after() -> None:
    def score(length_ms: int, text: str) -> float:
        return backchannel_score(length_ms, text, all_words=False)

    assert score(850, "before") < 0.1
    assert score(850, "reck") > 0.3 > score(1_000, "reck")
    assert score(850, "i see") == score(850, "okay"), "a phrase of signals holds no such word"
    assert score(850, "okay") > score(850, "okay reck") > score(850, "okay because")
