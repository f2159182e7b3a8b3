"""Each class of overlap by its rule, and what bleed, delay, words and level do to it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from conversation.alignment import misalignment_ms
from conversation.backchannels import Listener, backchannel_score
from conversation.events import (
    ChannelQuality,
    CueRaised,
    Derived,
    OverlapClass,
    OverlapEnded,
    OverlapUpdated,
)
from conversation.overlap_classes import calibrated
from conversation.settings import ConversationSettings, RoundTrips
from tests.conversation.two_channels import (
    AGENT,
    CUSTOMER,
    classes,
    judge,
    level,
    partials,
    speech,
    talk_over_cues,
    words,
)

pytestmark = pytest.mark.unit


LEAD = speech(CUSTOMER, 10_000, 20_000)


def test_a_quick_stop_is_judged_by_how_the_voice_ended() -> None:
    cut = judge(speech(CUSTOMER, 10_000, 16_400, tail_db=8.0), speech(AGENT, 16_000, 19_000))[1]
    assert classes(cut) == [(AGENT, "successful")]
    faded = judge(speech(CUSTOMER, 10_000, 16_400, tail_db=-4.0), speech(AGENT, 16_000, 19_000))[1]
    assert classes(faded) == [(AGENT, "terminal_overlap")]
    soon = judge(speech(CUSTOMER, 10_000, 16_200), speech(AGENT, 16_000, 19_000))[1]
    assert classes(soon) == [(AGENT, "terminal_overlap")]
    late = judge(speech(CUSTOMER, 10_000, 16_700), speech(AGENT, 16_000, 19_000))[1]
    assert classes(late) == [(AGENT, "successful")]


def test_words_outweigh_the_voice_where_the_clause_is_open() -> None:
    text = "and then I was told that the refund would be sent to the"
    settled = judge(
        speech(CUSTOMER, 10_000, 16_400, tail_db=2.0),
        words(CUSTOMER, 10_000, 16_400, text),
        speech(AGENT, 16_000, 19_000),
    )[1]
    assert classes(settled) == [(AGENT, "successful")]
    assert settled[0].confidence >= 0.6


def test_who_goes_on_after_a_breath_was_not_finished_and_is_not_to_blame() -> None:
    live, settled = judge(
        speech(CUSTOMER, 10_000, 16_450),
        speech(AGENT, 16_000, 20_000),
        speech(CUSTOMER, 17_200, 19_500),
    )
    assert [(e.by, e.overlap_class.value in ("successful", "talk_over")) for e in settled] == [
        (AGENT, True)
    ]
    stated = [e.overlap_class for e in live if isinstance(e, OverlapUpdated) and e.by is AGENT]
    assert OverlapClass.SUCCESSFUL in stated or OverlapClass.TALK_OVER in stated


def stated(live: list[Derived]) -> list[OverlapClass]:
    return [e.overlap_class for e in live if isinstance(e, OverlapUpdated) and e.by is AGENT]


def test_who_stops_while_the_newcomer_draws_breath_talked_on_until_then() -> None:
    newcomer = speech(AGENT, 16_000, 16_250) + speech(AGENT, 16_850, 19_500)
    live, settled = judge(speech(CUSTOMER, 10_000, 16_650), newcomer)
    assert classes(settled) == [(AGENT, "successful")]
    assert OverlapClass.SUCCESSFUL in stated(live)
    live, settled = judge(speech(CUSTOMER, 10_000, 16_250), newcomer)
    assert classes(settled) == [(AGENT, "terminal_overlap")]
    assert OverlapClass.SUCCESSFUL not in stated(live)


def test_who_says_more_within_a_second_had_not_finished_unless_it_is_a_sign_of_listening() -> None:
    cut = speech(CUSTOMER, 10_000, 16_200), speech(AGENT, 16_000, 20_000)
    brief, longer = (16_750, 17_050), (16_750, 17_850)
    said = words(CUSTOMER, *brief, "since the")
    shown = partials(CUSTOMER, 16_750, (17_050, "since the"))
    live, settled = judge(*cut, speech(CUSTOMER, *brief), shown, said)
    assert classes(settled) == [(AGENT, "successful")]
    assert OverlapClass.SUCCESSFUL in stated(live)
    live, settled = judge(*cut, speech(CUSTOMER, *longer))
    assert classes(settled) == [(AGENT, "successful")], "signs of listening are shorter"
    for said in ([], words(CUSTOMER, *brief, "okay")):
        live, settled = judge(*cut, speech(CUSTOMER, *brief), said)
        assert classes(settled) == [(AGENT, "terminal_overlap")], "who listens has finished"
        assert not set(stated(live)) & {OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER}
    _, settled = judge(*cut, speech(CUSTOMER, 16_750, 16_850))
    assert classes(settled) == [(AGENT, "terminal_overlap")], "a click is no word"


def test_an_overlap_goes_on_after_the_other_paused_for_breath() -> None:
    """Both halves count, so that the cue comes while it is of use: at once with words."""
    pause = speech(CUSTOMER, 10_000, 16_130), speech(AGENT, 16_000, 18_500)
    goes_on = speech(CUSTOMER, 16_490, 20_000)
    for said, latest_ms in (
        ([], 17_700),
        (
            partials(CUSTOMER, 10_000, (16_200, "it stopped"), (16_900, "it stopped and the")),
            17_200,
        ),
    ):
        live, settled = judge(*pause, goes_on, said)
        assert [e.overlap_ms for e in settled] == [130 + 2_010]
        assert classes(settled) == [(AGENT, "talk_over")]
        cues = talk_over_cues(live)
        assert [at_ms <= latest_ms for at_ms in cues] == [True], said


def test_words_that_are_final_are_not_counted_again_from_their_partial() -> None:
    """A partial that was heard a little further than the final is no further word."""
    turn = speech(CUSTOMER, 10_000, 20_000)
    shown = partials(AGENT, 16_000, (16_864, "or wow"))
    said = words(AGENT, 16_000, 16_800, "or wow")
    live, _ = judge(turn, speech(AGENT, 16_000, 16_800), shown, said)
    assert not stated(live)


def test_a_partial_tells_what_was_said_since_a_pause_from_what_was_said_before() -> None:
    """The words of both are one partial; those before the pause are no going on."""
    turn = speech(CUSTOMER, 10_000, 16_130), speech(AGENT, 16_000, 20_000)
    more = speech(CUSTOMER, 16_500, 17_200)
    for now, expected in (("it stopped yeah", False), ("it stopped and then", True)):
        heard = partials(CUSTOMER, 10_000, (16_200, "it stopped"), (16_900, now))
        live, _ = judge(*turn, more, heard)
        assert (OverlapClass.TALK_OVER in stated(live)) is expected, now
    unknown = partials(CUSTOMER, 10_000, (15_000, "it"), (16_900, "it stopped since last week"))
    live, _ = judge(*turn, more, unknown)
    assert OverlapClass.TALK_OVER not in stated(live), "which words are new is not known"


def test_what_is_said_much_later_is_no_part_of_an_overlap_that_paused() -> None:
    _, settled = judge(
        speech(CUSTOMER, 10_000, 16_400),
        speech(AGENT, 16_000, 16_500),
        speech(CUSTOMER, 16_900, 22_000),
        speech(AGENT, 20_000, 25_000),
    )
    assert [(e.begin_ms, e.end_ms, e.overlap_ms) for e in settled] == [
        (16_000, 16_400, 400),
        (20_000, 22_000, 2_000),
    ]


def test_two_words_that_may_be_a_misheard_sign_of_listening_do_not_suffice_for_a_cue() -> None:
    for text in ("I he", "a course"):
        assert 0.2 < backchannel_score(700, text, all_words=False) < 0.5, text
    for text in ("you mean", "did anybody"):
        assert backchannel_score(700, text, all_words=False) < 0.1, text


def test_a_few_sounds_with_pauses_between_them_are_no_butting_in() -> None:
    turn = speech(AGENT, 9_000, 14_000)
    sounds = speech(CUSTOMER, 10_500, 10_700), speech(CUSTOMER, 11_300, 11_400)
    _, settled = judge(turn, *sounds, speech(CUSTOMER, 12_000, 12_500))
    assert classes(settled) == [(CUSTOMER, "terminal_overlap")]
    assert settled[0].confidence == 0.5


def test_a_sign_of_listening_after_ones_turn_is_no_going_on() -> None:
    turn = speech(CUSTOMER, 10_000, 16_130), speech(AGENT, 16_000, 20_000)
    for lasts_ms in (250, 700):
        said = 16_500, 16_500 + lasts_ms
        _, settled = judge(*turn, speech(CUSTOMER, *said), words(CUSTOMER, *said, "yeah okay"))
        assert classes(settled) == [(AGENT, "terminal_overlap")], lasts_ms
    _, settled = judge(*turn, speech(CUSTOMER, *said), words(CUSTOMER, *said, "since last week"))
    assert classes(settled) == [(AGENT, "successful")]


def test_who_talks_on_alone_for_longer_than_listeners_do_has_the_floor() -> None:
    """ "Yes, … all of" looks like a sign of listening until more words are known."""
    newcomer = speech(AGENT, 16_000, 16_400) + speech(AGENT, 16_800, 19_000)
    known = words(AGENT, 16_000, 16_400, "yes")
    live, _ = judge(speech(CUSTOMER, 10_000, 16_600), newcomer, known)
    assert stated(live)[:1] == [OverlapClass.SUCCESSFUL]
    live, _ = judge(speech(CUSTOMER, 10_000, 18_000), speech(AGENT, 16_000, 16_400), known)
    assert stated(live) == []


def test_coming_in_while_the_other_is_thinking_is_for_the_report_only() -> None:
    thinking = (
        speech(CUSTOMER, 10_000, 16_000),
        words(CUSTOMER, 10_000, 16_000, "well what I really wanted to say about it was because"),
        speech(AGENT, 16_500, 18_500),
        words(AGENT, 16_500, 18_500, "have you tried another cable yet"),
        speech(CUSTOMER, 16_900, 19_000),
    )
    live, settled = judge(*thinking)
    assert classes(settled) == [(AGENT, "pause_cut_in")]
    assert talk_over_cues(live) == []
    assert settled[0].severity == 0


def test_the_other_channels_words_are_bleed() -> None:
    text = "the number on the back of the box is four seven"
    settled = judge(
        LEAD,
        words(CUSTOMER, 10_000, 20_000, f"so {text}"),
        speech(AGENT, 14_000, 18_000),
        words(AGENT, 14_000, 18_000, "back of the box is"),
    )[1]
    assert classes(settled) == [(AGENT, "bleed")]


def test_asking_back_is_coming_in_to_help() -> None:
    settled = judge(
        LEAD,
        speech(AGENT, 14_000, 14_900),
        words(AGENT, 14_000, 14_900, "sorry could you say that again"),
    )[1]
    assert classes(settled) == [(AGENT, "cooperative")]


def test_a_bad_line_makes_events_possible_and_silences_the_cue() -> None:
    parts = (LEAD, speech(AGENT, 14_000, 18_000))
    clean = judge(*parts)
    assert [e.rule for e in clean[0] if isinstance(e, CueRaised)][:1] == ["talk_over"]
    assert clean[1][0].confidence >= 0.6
    for quality in (
        ChannelQuality(at_ms=9_000, channel=AGENT, bleed_grade="C"),
        ChannelQuality(at_ms=9_000, channel=CUSTOMER, rtt_ms=700, rtt_source="rtcp"),
    ):
        live, settled = judge(*parts, [quality])
        assert talk_over_cues(live) == []
        assert settled[0].confidence < 0.6


def test_one_signal_on_both_channels_ends_all_talk_of_interruptions() -> None:
    same = ChannelQuality(at_ms=9_000, channel=AGENT, flags=("same_signal",))
    live, settled = judge(LEAD, speech(AGENT, 14_000, 18_000), [same])
    assert settled == []
    assert [e for e in live if isinstance(e, OverlapEnded)] == []


def test_the_round_trip_widens_collisions_and_shortens_yields() -> None:
    slow = ConversationSettings()
    trips = RoundTrips(agent=80, customer=500)
    slow = msgspec.structs.replace(
        slow, interruptions=msgspec.structs.replace(slow.interruptions, rtt_ms=trips)
    )
    parts = (speech(AGENT, 10_000, 14_000), speech(CUSTOMER, 10_500, 12_000))
    assert classes(judge(*parts)[1]) == [(CUSTOMER, "butting_in")]
    assert classes(judge(*parts, settings=slow)[1]) == [(CUSTOMER, "collision")]
    cut = (speech(CUSTOMER, 10_000, 17_000), speech(AGENT, 16_000, 19_000))
    assert judge(*cut)[1][0].yield_ms == 1_000 - 120
    assert judge(*cut, settings=slow)[1][0].yield_ms == 1_000 - 500


def test_a_quiet_newcomer_is_likelier_to_listen_than_a_loud_one() -> None:
    def first_update(delta_db: float) -> int:
        live, _ = judge(LEAD, speech(AGENT, 14_000, 18_000), level(AGENT, 14_000, 18_000, delta_db))
        return min(e.at_ms for e in live if isinstance(e, OverlapUpdated))

    assert first_update(4.0) <= first_update(0.0) < first_update(-4.0)
    assert backchannel_score(900, None, Listener(level_delta_db=4.0)) < backchannel_score(900, None)


def test_loud_repeated_and_taken_up_again_cost_more() -> None:
    text = "I was told that the refund would be sent to the"
    cut = (
        speech(CUSTOMER, 10_000, 17_000),
        words(CUSTOMER, 10_000, 17_000, text),
        speech(AGENT, 16_000, 19_000),
    )
    plain = judge(*cut)[1][0]
    loud = judge(*cut, level(AGENT, 16_000, 19_000, 5.0))[1][0]
    again = judge(
        *cut,
        speech(CUSTOMER, 20_000, 22_000),
        words(CUSTOMER, 20_000, 22_000, "sent to the bank account that I gave you"),
    )[1][0]
    assert (loud.severity - plain.severity, again.severity - plain.severity) == (10, 15)
    assert (plain.resumed, again.resumed) == (False, True)


def test_confidence_rises_with_what_speaks_for_it_and_stays_a_share() -> None:
    values = [calibrated(raw / 100) for raw in range(101)]
    assert values == sorted(values)
    assert 0 <= values[0] <= values[-1] <= 1


def turns(count: int, late_ms: int = 0) -> tuple[list[Any], list[Any]]:
    agent = [(i * 8_000, i * 8_000 + 3_500) for i in range(count)]
    customer = [(i * 8_000 + 3_900 + late_ms, i * 8_000 + 7_700 + late_ms) for i in range(count)]
    return agent, customer


@pytest.mark.parametrize("late_ms", [-2_000, -1_000, 2_000])
def test_channels_on_different_clocks_are_told_with_their_offset(late_ms: int) -> None:
    found = misalignment_ms(*turns(12, late_ms))
    assert abs(found - late_ms) <= 500
    assert found * late_ms > 0


def test_people_who_take_turns_are_on_one_clock() -> None:
    assert misalignment_ms(*turns(12)) == 0
    assert misalignment_ms(*turns(2, 2_000)) == 0, "too little speech to say"
    assert misalignment_ms([], []) == 0


def test_cues_stop_while_the_channels_are_on_different_clocks() -> None:
    agent, customer = turns(20, 2_000)
    spoken = [speech(AGENT, b, e) for b, e in agent] + [speech(CUSTOMER, b, e) for b, e in customer]
    live, _ = judge(*spoken, end_ms=170_000)
    cues = talk_over_cues(live)
    assert [at_ms for at_ms in cues if at_ms < 60_000] != []
    assert [at_ms for at_ms in cues if at_ms > 60_000] == []
