"""When "Let them finish" is shown: what words, pauses and early stops do to it."""

from __future__ import annotations

import pytest

from conversation.backchannels import Listener, backchannel_score
from tests.conversation.two_channels import (
    AGENT,
    CUSTOMER,
    judge,
    partials,
    speech,
    talk_over_cues,
)

pytestmark = pytest.mark.unit
TURN = speech(CUSTOMER, 10_000, 18_000)


def shown(*heard: tuple[int, str], agent_until_ms: int = 18_000) -> list[int]:
    said = partials(AGENT, 16_000, *heard)
    return talk_over_cues(judge(TURN, speech(AGENT, 16_000, agent_until_ms), said)[0])


def test_the_first_words_are_enough_where_no_listener_says_them() -> None:
    for text in ("I am", "hold on", "all the", "please", "well", "the contract"):
        (at_ms,) = shown((16_640, text))
        assert at_ms <= 16_900, text


def test_a_word_that_may_become_a_phrase_says_nothing_until_the_phrase_would_be_over() -> None:
    assert backchannel_score(600, "I", all_words=False) == backchannel_score(600, None)
    assert backchannel_score(750, "I", all_words=False) < 0.1
    assert backchannel_score(600, "valve I", all_words=False) < 0.1
    assert backchannel_score(600, "oh I", all_words=False) > 0.9
    assert backchannel_score(750, "of", all_words=False) > 0.5


def test_who_opens_a_turn_with_one_word_and_draws_breath_gets_it_when_going_on() -> None:
    opened = speech(AGENT, 16_000, 16_560)
    actually = partials(AGENT, 16_000, (16_600, "actually"))
    (at_ms,) = talk_over_cues(judge(TURN, opened, speech(AGENT, 16_950, 19_000), actually)[0])
    assert at_ms <= 17_050
    assert talk_over_cues(judge(TURN, opened, actually)[0]) == [], "whoever is silent needs none"


def test_clear_words_need_half_a_second() -> None:
    (at_ms,) = shown((16_300, "actually that"))
    assert at_ms <= 16_620


def test_a_word_that_may_be_a_misheard_sign_of_listening_needs_more_time() -> None:
    for text in ("I he", "valve"):
        (at_ms,) = shown((16_640, text))
        assert 16_900 < at_ms <= 17_200, text
        assert shown((16_640, text), agent_until_ms=16_750) == [], text


def test_who_has_interrupted_before_is_less_likely_to_listen() -> None:
    before = backchannel_score(750, "valve", all_words=False)
    after = backchannel_score(750, "valve", Listener(interrupted=True), all_words=False)
    assert after < 0.3 < before
    assert backchannel_score(750, "okay", Listener(interrupted=True)) == 0.95


def test_without_words_whoever_talks_for_a_second_is_no_listener() -> None:
    (at_ms,) = shown()
    assert 17_000 < at_ms <= 17_200
    assert shown(agent_until_ms=16_850) == []


def test_who_stops_soon_after_somebody_came_in_may_have_been_finishing() -> None:
    newcomer = speech(AGENT, 16_000, 19_000), partials(AGENT, 16_000, (16_540, "the contract says"))
    loud = 8.0
    for stop_ms, count in ((16_450, 0), (16_560, 1)):
        victim = speech(CUSTOMER, 10_000, stop_ms, tail_db=loud)
        assert len(talk_over_cues(judge(victim, *newcomer)[0])) == count, stop_ms


def test_okay_after_an_end_of_a_turn_is_not_the_turn_going_on() -> None:
    newcomer = speech(AGENT, 16_000, 19_000), partials(AGENT, 16_000, (16_540, "the contract says"))
    victim = speech(CUSTOMER, 10_000, 16_450, tail_db=8.0)
    answer = speech(CUSTOMER, 16_950, 17_400)
    for text, count in (("okay", 0), ("and then the man", 1)):
        heard = partials(CUSTOMER, 16_950, (17_350, text))
        live, _ = judge(victim, *newcomer, answer, heard)
        assert len(talk_over_cues(live)) == count, text
