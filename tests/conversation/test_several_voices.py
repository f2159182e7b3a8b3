"""More than one person on a channel: when it is said, when it must not be, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    ChannelQuality,
    CueRaised,
    CueWithheld,
    Derived,
    LineDoubted,
    Observation,
    OverlapEnded,
    ProsodyFrame,
    SpeechEnded,
    SpeechStarted,
)
from conversation.settings import ConversationSettings, VoicesSettings
from conversation.several_voices import Utterance, two_voices
from reports.build import build_report
from server.call_view import Doubt, fold_all

pytestmark = pytest.mark.unit
AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER
HIGH, LOW = 29.0, 19.0
TURNS = [HIGH] * 6 + [LOW, LOW, HIGH, LOW, HIGH, LOW, LOW, HIGH]
TURN_MS, SPOKEN_MS = 6_000, 3_000


def speech(channel: Channel, begin_ms: int, end_ms: int) -> list[Observation]:
    return [
        SpeechStarted(at_ms=begin_ms + 96, channel=channel, start_ms=begin_ms, margin=0.45),
        SpeechEnded(at_ms=end_ms + 96, channel=channel, start_ms=begin_ms, end_ms=end_ms),
    ]


def spoken(
    pitches: Sequence[float],
    alphas: Sequence[float] | float = -10.0,
    channel: Channel = CUSTOMER,
    from_ms: int = 10_000,
    scores: dict[float, float] | None = None,
) -> list[Observation]:
    """One utterance of 3 s for each pitch, its first second without, as a gate leaves it."""
    out: list[Observation] = []
    for i, f0_st in enumerate(pitches):
        begin_ms = from_ms + i * TURN_MS
        out += speech(channel, begin_ms, begin_ms + SPOKEN_MS)
        alpha_db = alphas if isinstance(alphas, float) else alphas[i]
        for tick in range(begin_ms // 240 + 1, (begin_ms + SPOKEN_MS) // 240):
            pitched = tick * 240 >= begin_ms + 1_000
            score = None if scores is None else scores[f0_st]
            out.append(frame(channel, tick * 240, f0_st if pitched else None, alpha_db, score))
    return out


def frame(
    channel: Channel, begin_ms: int, f0_st: float | None, alpha_db: float, score: float | None
) -> ProsodyFrame:
    return ProsodyFrame(
        at_ms=begin_ms + 448, channel=channel, begin_ms=begin_ms, end_ms=begin_ms + 240,
        usable_ms=240, level_db=-30.0, level_delta_db=0.0, alpha_db=alpha_db, slope_db_oct=0.0,
        f0_st=f0_st, f0_delta_st=None, z_tilt=None, score=score, state="ready",
    )  # fmt: skip


def call(*parts: Sequence[Observation]) -> list[Observation]:
    observations = sorted((o for part in parts for o in part), key=lambda o: o.at_ms)
    started = CallStarted(
        at_ms=0, call_id="c", started_at="2026-01-01T00:00:00+00:00", source="test",
        channels=(AGENT, CUSTOMER),
    )  # fmt: skip
    return [started, *observations, CallEnded(at_ms=observations[-1].at_ms + 2_000)]


def live(observations: Sequence[Observation]) -> list[Derived]:
    core = Conversation.create(ConversationSettings())
    return [event for observation in observations for event in core.receive(observation)]


def doubts(*parts: Sequence[Observation]) -> list[LineDoubted]:
    return [event for event in live(call(*parts)) if isinstance(event, LineDoubted)]


@pytest.mark.parametrize("channel", [AGENT, CUSTOMER])
@pytest.mark.parametrize("turns", [TURNS, [LOW + HIGH - pitch for pitch in TURNS]])
def test_two_people_who_take_turns_are_told_once_and_from_when_on(
    channel: Channel, turns: list[float]
) -> None:
    found = doubts(spoken(turns, channel=channel))
    assert [(d.code, d.channel, d.over) for d in found] == [("several_voices", channel, False)]
    assert found[0].begin_ms == 10_000 + 6 * TURN_MS
    fourth = [i for i, pitch in enumerate(turns) if pitch != turns[0]][3]
    heard_ms = 10_000 + fourth * TURN_MS + SPOKEN_MS
    assert heard_ms < found[0].at_ms <= heard_ms + TURN_MS, "at the next utterance"


def test_a_raised_voice_is_one_person() -> None:
    """Up by ten semitones and brighter, again and again: what shouting does."""
    turns = [LOW + HIGH - pitch for pitch in TURNS]
    assert doubts(spoken(turns, [-10.0 if pitch == LOW else -6.0 for pitch in turns])) == []


def test_what_prosody_scores_as_raised_is_no_second_person() -> None:
    turns = [LOW + HIGH - pitch for pitch in TURNS]
    assert doubts(spoken(turns, scores={LOW: 0.2, HIGH: 3.1})) == []
    assert len(doubts(spoken(turns, scores={LOW: 0.2, HIGH: 1.1}))) == 1


def test_an_octave_up_is_out_of_reach_for_one_voice_however_bright() -> None:
    turns = [LOW if pitch == HIGH else LOW + 13 for pitch in TURNS]
    assert len(doubts(spoken(turns, [-10.0 if pitch == LOW else -4.0 for pitch in turns]))) == 1


def test_a_colleague_who_takes_over_for_good_is_not_told() -> None:
    assert doubts(spoken([HIGH] * 8 + [LOW] * 8)) == []


def test_a_few_octave_errors_are_one_person() -> None:
    assert doubts(spoken([LOW, LOW, LOW + 12, LOW, LOW, LOW + 12, LOW, LOW + 12, LOW, LOW])) == []


def test_voices_of_like_pitch_are_not_told_apart() -> None:
    assert doubts(spoken([LOW + 5 if pitch == HIGH else LOW for pitch in TURNS])) == []


def test_what_sounds_while_the_other_party_speaks_may_be_an_echo() -> None:
    beside = [
        event
        for i, pitch in enumerate(TURNS)
        if pitch == LOW
        for event in speech(AGENT, 9_900 + i * TURN_MS, 12_000 + i * TURN_MS)
    ]
    assert doubts(spoken(TURNS), beside) == []


def test_a_lively_talker_is_one_person() -> None:
    """Sixty utterances whose pitch varies more than that of any recorded talker at hand."""
    random, settings = np.random.default_rng(5), VoicesSettings()
    taken = 0
    for _ in range(200):
        pitches = 22 + 3.0 / 2**0.5 * random.standard_t(4, 60)
        heard = [
            Utterance(i * TURN_MS, i * TURN_MS + SPOKEN_MS, float(pitch), -10.0)
            for i, pitch in enumerate(pitches)
        ]
        taken += any(two_voices(heard[:n], settings) for n in range(8, 61))
    assert taken <= 2


LATE_MS = 10_000 + len(TURNS) * TURN_MS
AFTER = (
    speech(CUSTOMER, LATE_MS, LATE_MS + 10_000),
    speech(AGENT, LATE_MS + 4_000, LATE_MS + 8_000),
)


def test_interruptions_are_less_sure_and_cues_about_them_are_held_back() -> None:
    settled = []
    for turns in ([HIGH] * len(TURNS), TURNS):
        observations = call(spoken(turns), *AFTER)
        events = live(observations)
        core = Conversation.create(ConversationSettings())
        for observation in observations:
            core.receive(observation)
        settled.append(core.final_pass(observations)[-1])
        cues = [e.rule for e in events if isinstance(e, CueRaised)]
        held = [(e.rule, e.reason) for e in events if isinstance(e, CueWithheld)]
        assert ("talk_over" in cues) is (turns is not TURNS)
        assert (("talk_over", "several_voices") in held) is (turns is TURNS)
    alone, several = settled
    assert alone.overlap_class is several.overlap_class
    assert several.confidence < alone.confidence


def test_an_overlap_before_the_second_voice_keeps_its_confidence() -> None:
    early = (speech(CUSTOMER, 0, 9_000), speech(AGENT, 4_000, 8_000))
    confidences = []
    for turns in ([HIGH] * len(TURNS), TURNS):
        observations = call(*early, spoken(turns))
        core = Conversation.create(ConversationSettings())
        for observation in observations:
            core.receive(observation)
        confidences.append(core.final_pass(observations)[0].confidence)
    assert confidences[0] == confidences[1] > 0.6


def test_cues_come_back_when_the_second_voice_was_not_heard_for_two_minutes() -> None:
    alone = [HIGH] * 25
    from_ms = 10_000 + len(TURNS) * TURN_MS
    late_ms = from_ms + len(alone) * TURN_MS
    after = (
        speech(CUSTOMER, late_ms, late_ms + 9_000),
        speech(AGENT, late_ms + 4_000, late_ms + 7_900),
    )
    events = live(call(spoken([*TURNS, *alone]), *after))
    assert any(isinstance(e, LineDoubted) for e in events)
    assert "talk_over" in [e.rule for e in events if isinstance(e, CueRaised)]


def test_screens_and_the_report_say_it_in_plain_words() -> None:
    observations = call(spoken(TURNS))
    events = [*observations, *live(observations)]
    events.sort(key=lambda event: event.at_ms)
    assert fold_all(events).doubts == (Doubt(code="several_voices", channel=CUSTOMER),)
    warnings = build_report(events).quality.warnings
    assert [
        w for w in warnings if w.startswith("several_voices: from 0:46 on more than one person")
    ]


def test_a_signal_on_both_channels_and_clocks_that_differ_are_told_too() -> None:
    same = ChannelQuality(at_ms=9_000, channel=AGENT, flags=("same_signal",))
    again = ChannelQuality(at_ms=19_000, channel=AGENT, flags=("same_signal",))
    found = doubts([same, again])
    assert [(d.code, d.channel, d.at_ms) for d in found] == [("same_signal", None, 9_000)]
    late = [
        event
        for i in range(12)
        for event in (
            *speech(AGENT, i * 8_000, i * 8_000 + 3_500),
            *speech(CUSTOMER, i * 8_000 + 5_900, i * 8_000 + 9_700),
        )
    ]
    events = live(call(late))
    found = [event for event in events if isinstance(event, LineDoubted)]
    overlaps = [event for event in events if isinstance(event, OverlapEnded)]
    assert max(o.confidence for o in overlaps if o.at_ms > 60_000) < 0.6
    assert [(d.code, d.over) for d in found] == [("misaligned", False)]
    view = fold_all(
        [
            found[0],
            LineDoubted(at_ms=200_000, code="misaligned", channel=None, begin_ms=0, over=True),
        ]
    )
    assert view.doubts == ()
