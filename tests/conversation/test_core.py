"""Whole conversations through the core: turns, classes of overlap, silence, pace, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.conversation import Conversation, OrderError
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    Channel,
    ClockAdvanced,
    CueRaised,
    Derived,
    EventLog,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    MetricsUpdated,
    Observation,
    OverlapClass,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    SilenceEnded,
    SilenceStarted,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
    Word,
)
from conversation.settings import ConversationSettings

pytestmark = pytest.mark.unit
AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER
CONFIRM_MS = 96
Spoken = tuple[Channel, int, int]
BOTH = (AGENT, CUSTOMER)


def started(channels: tuple[Channel, ...] = BOTH) -> CallStarted:
    return CallStarted(
        at_ms=0,
        call_id="c",
        started_at="2026-01-01T00:00:00+00:00",
        channels=channels,
        source="test",
    )


def said(channel: Channel, begin_ms: int, end_ms: int, text: str) -> FinalTranscript:
    """Words spread evenly over the time, known 750 ms after its end."""
    texts = text.split()
    step = (end_ms - begin_ms) / len(texts)
    words = tuple(
        Word(
            text=word,
            start_ms=round(begin_ms + i * step),
            end_ms=round(begin_ms + (i + 1) * step),
            probability=0.9,
        )
        for i, word in enumerate(texts)
    )
    return FinalTranscript(
        at_ms=end_ms + 750,
        channel=channel,
        utterance_id=f"{channel}-{begin_ms}",
        rev=1,
        start_ms=begin_ms,
        end_ms=end_ms,
        text=text,
        words=words,
    )


def call(
    *spoken: Spoken, end_ms: int = 0, extra: tuple[Observation, ...] = ()
) -> list[Observation]:
    """A call in which the given stretches of speech happen, known as the front end knows them."""
    events: list[Observation] = list(extra)
    for channel, begin_ms, stop_ms in spoken:
        events.append(
            SpeechStarted(
                at_ms=begin_ms + CONFIRM_MS, channel=channel, start_ms=begin_ms, margin=0.45
            )
        )
        events.append(
            SpeechEnded(
                at_ms=stop_ms + CONFIRM_MS, channel=channel, start_ms=begin_ms, end_ms=stop_ms
            )
        )
    events.sort(key=lambda e: e.at_ms)
    last_ms = max([end_ms, *(e.at_ms for e in events)])
    return [started(), *events, CallEnded(at_ms=last_ms)]


def run(observations: list[Observation]) -> list[Derived]:
    core = Conversation.create(ConversationSettings())
    return [derived for observation in observations for derived in core.receive(observation)]


def overlaps(observations: list[Observation]) -> list[tuple[Channel, OverlapClass]]:
    return [(e.by, e.overlap_class) for e in run(observations) if isinstance(e, OverlapEnded)]


# --------------------------------------------------------------------------- turns and silence


def test_a_turn_begins_after_a_second_of_speech_and_passes_when_the_other_is_silent() -> None:
    events = run(call((AGENT, 1_000, 4_000), (CUSTOMER, 4_500, 8_000), end_ms=9_000))
    turns = [e for e in events if isinstance(e, TurnStarted)]
    assert [(t.channel, t.start_ms, t.floor_transfer_offset_ms) for t in turns] == [
        (AGENT, 1_000, None),
        (CUSTOMER, 4_500, 500),
    ]
    ended = [e for e in events if isinstance(e, TurnEnded)]
    assert [(t.channel, t.start_ms, t.end_ms) for t in ended] == [
        (AGENT, 1_000, 4_000),
        (CUSTOMER, 4_500, 8_000),
    ]


def test_less_than_a_second_of_speech_is_no_turn() -> None:
    events = run(call((AGENT, 1_000, 4_000), (CUSTOMER, 4_500, 5_400), end_ms=6_000))
    assert [e.channel for e in events if isinstance(e, TurnStarted)] == [AGENT]


def test_the_floor_is_free_after_three_seconds_of_silence() -> None:
    events = run(call((AGENT, 1_000, 4_000), (AGENT, 8_000, 10_000), end_ms=11_000))
    turns = [e.start_ms for e in events if isinstance(e, TurnStarted)]
    assert turns == [1_000, 8_000]
    joined = run(call((AGENT, 1_000, 4_000), (AGENT, 6_500, 8_500), end_ms=9_000))
    assert [e.start_ms for e in joined if isinstance(e, TurnStarted)] == [1_000]


def test_a_silence_names_who_is_expected_to_speak() -> None:
    events = run(call((CUSTOMER, 0, 3_000), (AGENT, 6_000, 8_000), end_ms=8_500))
    (began,) = [e for e in events if isinstance(e, SilenceStarted)]
    (ended,) = [e for e in events if isinstance(e, SilenceEnded)]
    assert began.owed_by is AGENT
    assert (ended.begin_ms, ended.owed_by) == (began.begin_ms, AGENT)
    assert abs(began.begin_ms - 3_000) <= 100
    assert abs(ended.end_ms - 6_000) <= 100


# --------------------------------------------------------------------------- classes of overlap


def test_both_starting_within_a_reaction_time_is_a_collision_and_nobodys_fault() -> None:
    assert overlaps(call((CUSTOMER, 5_000, 7_000), (AGENT, 5_150, 6_000), end_ms=9_000)) == [
        (AGENT, OverlapClass.COLLISION)
    ]


def test_a_short_sound_while_the_other_goes_on_is_a_listening_signal() -> None:
    assert overlaps(call((CUSTOMER, 0, 8_000), (AGENT, 4_000, 4_400), end_ms=10_000)) == [
        (AGENT, OverlapClass.BACKCHANNEL)
    ]


def test_a_quarter_of_a_second_at_the_end_of_a_turn_is_a_smooth_change() -> None:
    assert overlaps(call((CUSTOMER, 0, 5_000), (AGENT, 4_760, 8_000), end_ms=10_000)) == [
        (AGENT, OverlapClass.TERMINAL_OVERLAP)
    ]


def test_who_stops_unfinished_while_the_newcomer_goes_on_was_interrupted() -> None:
    observations = call((CUSTOMER, 0, 5_200), (AGENT, 4_000, 8_000), end_ms=10_000)
    (ended,) = [e for e in run(observations) if isinstance(e, OverlapEnded)]
    assert (ended.by, ended.over, ended.overlap_class) == (
        AGENT,
        CUSTOMER,
        OverlapClass.SUCCESSFUL,
    )
    assert (ended.begin_ms, ended.end_ms, ended.overlap_ms) == (4_000, 5_200, 1_200)
    assert ended.yield_ms == 1_200 - 120


def test_who_comes_in_and_gives_up_while_the_other_goes_on_was_butting_in() -> None:
    assert overlaps(call((CUSTOMER, 0, 9_000), (AGENT, 4_000, 5_600), end_ms=11_000)) == [
        (AGENT, OverlapClass.BUTTING_IN)
    ]


def test_two_seconds_at_once_is_talking_over() -> None:
    assert overlaps(call((CUSTOMER, 0, 9_000), (AGENT, 4_000, 7_000), end_ms=11_000)) == [
        (AGENT, OverlapClass.TALK_OVER)
    ]


def test_words_make_a_longer_sound_a_listening_signal_or_an_interruption() -> None:
    spoken = ((CUSTOMER, 0, 9_000), (AGENT, 4_000, 4_900))
    mild = call(*spoken, end_ms=11_000, extra=(said(AGENT, 4_000, 4_900, "oh okay"),))
    assert [e[1] for e in last_pass(mild)] == [OverlapClass.BACKCHANNEL]
    sharp = call(*spoken, end_ms=11_000, extra=(said(AGENT, 4_000, 4_900, "no wait listen"),))
    assert [e[1] for e in last_pass(sharp)] == [OverlapClass.BUTTING_IN]


def last_pass(observations: list[Observation]) -> list[tuple[Channel, OverlapClass]]:
    core = Conversation.create(ConversationSettings())
    for observation in observations:
        core.receive(observation)
    ended = core.final_pass(observations)
    assert {e.revision for e in ended} <= {1}
    return [(e.by, e.overlap_class) for e in ended]


def test_the_pass_after_the_call_judges_timing_as_the_live_one_did() -> None:
    observations = call(
        (CUSTOMER, 0, 5_200), (AGENT, 4_000, 8_000), (CUSTOMER, 9_000, 15_000),
        (AGENT, 12_000, 12_400), end_ms=18_000,
    )  # fmt: skip
    assert last_pass(observations) == overlaps(observations)


def test_an_overlap_starts_at_its_onset_and_is_judged_while_it_lasts() -> None:
    events = run(call((CUSTOMER, 0, 9_000), (AGENT, 4_000, 7_000), end_ms=11_000))
    (began,) = [e for e in events if isinstance(e, OverlapStarted)]
    assert (began.begin_ms, began.at_ms) == (4_000, 4_096)
    updates = [e for e in events if isinstance(e, OverlapUpdated)]
    assert 1 <= len(updates) <= 3
    assert 4_700 <= updates[0].at_ms <= 5_500
    assert updates[0].overlap_class is OverlapClass.TALK_OVER


# --------------------------------------------------------------------------- cues


def test_let_them_finish_comes_from_voices_alone_and_for_the_agent_only() -> None:
    lead = (CUSTOMER, 10_000, 20_000)
    agent = run(call(lead, (AGENT, 16_000, 22_000), end_ms=24_000))
    (cue,) = [e for e in agent if isinstance(e, CueRaised) and e.rule == "talk_over"]
    assert 16_700 <= cue.at_ms <= 17_600
    customer = run(call((AGENT, 10_000, 20_000), (CUSTOMER, 16_000, 22_000), end_ms=24_000))
    assert [e for e in customer if isinstance(e, CueRaised) and e.rule == "talk_over"] == []


def test_a_call_on_one_channel_has_no_overlap_no_turn_and_no_cue() -> None:
    observations: list[Observation] = [started((Channel.MIXED,))]
    for at_ms in range(1_000, 60_000, 3_000):
        observations += [
            SpeechStarted(at_ms=at_ms + 96, channel=Channel.MIXED, start_ms=at_ms),
            SpeechEnded(
                at_ms=at_ms + 2_096, channel=Channel.MIXED, start_ms=at_ms, end_ms=at_ms + 2_000
            ),
        ]
    assert run([*observations, CallEnded(at_ms=61_000)]) == []


# --------------------------------------------------------------------------- unknown time


def test_lost_audio_settles_an_overlap_that_was_open() -> None:
    gap = AudioGap(at_ms=5_000, channel=AGENT, begin_ms=4_500, end_ms=5_000, reason="loss")
    observations = call((CUSTOMER, 0, 9_000), (AGENT, 4_000, 4_400), end_ms=9_500, extra=(gap,))
    (ended,) = [e for e in run(observations) if isinstance(e, OverlapEnded)]
    assert ended.at_ms == 5_000


def test_nothing_is_attributed_during_a_hold() -> None:
    hold = (HoldStarted(at_ms=4_000), HoldEnded(at_ms=30_000))
    spoken = ((CUSTOMER, 1_000, 3_000), (AGENT, 10_000, 20_000), (CUSTOMER, 12_000, 18_000))
    observations = call(*spoken, end_ms=31_000, extra=hold)
    assert last_pass(observations) == []
    events = run(observations)
    held = [e for e in events if 4_000 < e.at_ms < 30_000]
    assert [e for e in held if not isinstance(e, MetricsUpdated)] == []


# --------------------------------------------------------------------------- pace


def test_pace_counts_short_pauses_and_leaves_out_words_said_over_the_other() -> None:
    text = " ".join(["word"] * 50)
    spoken = ((AGENT, 1_000, 9_000), (AGENT, 9_500, 21_000))
    extra = (said(AGENT, 1_000, 21_000, text),)
    events = run(call(*spoken, end_ms=23_000, extra=extra))
    last = [e for e in events if isinstance(e, MetricsUpdated)][-1]
    assert last.words_per_minute_agent == pytest.approx(150, abs=1)
    crowded = run(call(*spoken, (CUSTOMER, 5_000, 7_000), end_ms=23_000, extra=extra))
    last = [e for e in crowded if isinstance(e, MetricsUpdated)][-1]
    assert last.words_per_minute_agent == pytest.approx(150, abs=2)


def test_pace_is_unknown_before_fifteen_seconds_of_speech() -> None:
    extra = (said(AGENT, 1_000, 10_000, " ".join(["word"] * 40)),)
    events = run(call((AGENT, 1_000, 10_000), end_ms=12_000, extra=extra))
    assert [e for e in events if isinstance(e, MetricsUpdated)][-1].words_per_minute_agent is None


# --------------------------------------------------------------------------- laws


def test_an_observation_from_the_past_is_refused_by_name_and_time() -> None:
    core = Conversation.create(ConversationSettings())
    core.receive(started())
    core.receive(ClockAdvanced(at_ms=500))
    with pytest.raises(OrderError, match=r"SpeechStarted at 400 ms.*500 ms"):
        core.receive(SpeechStarted(at_ms=400, channel=AGENT, start_ms=300))


def test_after_the_end_of_the_call_nothing_follows() -> None:
    core = Conversation.create(ConversationSettings())
    for observation in call((AGENT, 0, 3_000), end_ms=4_000):
        core.receive(observation)
    assert core.receive(ClockAdvanced(at_ms=90_000)) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(BOTH), st.integers(0, 3_000), st.integers(200, 4_000)),
        max_size=25,
    ),
    st.lists(st.integers(0, 120_000), max_size=40),
)
def test_extra_clock_ticks_change_nothing(
    drawn: list[tuple[Channel, int, int]], ticks: list[int]
) -> None:
    free_ms = dict.fromkeys(BOTH, 0)
    spoken: list[Spoken] = []
    for channel, pause_ms, length_ms in drawn:
        begin_ms = free_ms[channel] + 100 + pause_ms
        free_ms[channel] = begin_ms + length_ms
        spoken.append((channel, begin_ms, begin_ms + length_ms))
    plain = call(*spoken, end_ms=max(free_ms.values()) + 5_000)
    end_ms = plain[-1].at_ms
    clocks = [ClockAdvanced(at_ms=at_ms) for at_ms in ticks if at_ms < end_ms]
    ticked = sorted([*plain[1:-1], *clocks], key=lambda e: e.at_ms)
    assert [EventLog.encode(e) for e in run([plain[0], *ticked, plain[-1]])] == [
        EventLog.encode(e) for e in run(plain)
    ]


def test_a_hold_of_ninety_seconds_asks_to_check_back_until_the_agent_does() -> None:
    hold = (HoldStarted(at_ms=25_000), HoldEnded(at_ms=180_000))
    talk: list[Spoken] = [(CUSTOMER, 10_000, 20_000), (AGENT, 20_500, 24_000)]
    derived = run(call(*talk, end_ms=190_000, extra=hold))
    cues = [e for e in derived if isinstance(e, CueRaised) and e.rule == "hold_long"]
    assert cues[0].at_ms == 115_000
    short = (HoldStarted(at_ms=25_000), HoldEnded(at_ms=114_000))
    derived = run(call(*talk, end_ms=190_000, extra=short))
    assert not [e for e in derived if isinstance(e, CueRaised) and e.rule == "hold_long"]
