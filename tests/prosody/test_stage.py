"""Raised-voice detection on speech-like signals with known effort."""

from itertools import cycle
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel, EventLog, HoldStarted, SpeechStarted
from prosody.features import SpectralBank
from prosody.pitch import PitchTrack
from prosody.raised import RaisedVoice, ScoredTick
from prosody.score import Load
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage
from tests.prosody.voices import RATE, ends, frames, run, starts, telephone, voice

pytestmark = pytest.mark.model


def test_a_raised_voice_is_found_within_two_and_a_half_seconds() -> None:
    events = run(voice(26, raised=(16, 20)), [(0, 26_000)])
    first = starts(events)[0]
    assert 16_000 <= first.at_ms <= 18_500
    assert 15_800 <= first.begin_ms <= 17_500
    assert [e.reason for e in ends(events)] == ["off"]
    assert {e.id for e in starts(events)} == {"rv-c-1"}


def test_an_event_ends_after_a_second_of_calm_ticks_however_few_frames_they_have() -> None:
    detector = RaisedVoice(Channel.CUSTOMER, ProsodySettings())
    changes = []
    for number, score in enumerate([4.0] * 6 + [0.5] * 6):
        begin_ms = 240 * number
        tick = ScoredTick(
            at_ms=begin_ms + 448,
            begin_ms=begin_ms,
            end_ms=begin_ms + 240,
            usable_ms=96,
            score=score,
            extra=0.0,
            trust=1.0,
        )
        changes += [(type(event).__name__, number) for event in detector.hear(tick)]
    assert changes == [("RaisedVoiceStarted", 2), ("RaisedVoiceEnded", 10)]


def test_an_event_says_what_it_rests_on() -> None:
    first = starts(run(voice(22, raised=(16, 20)), [(0, 22_000)]))[0]
    assert first.f0_delta_st is not None
    assert 3 <= first.f0_delta_st <= 9
    assert first.alpha_delta_db is not None
    assert first.alpha_delta_db >= 2
    assert 0.5 <= first.confidence <= 0.95


def test_a_strong_voice_sends_the_same_id_again() -> None:
    events = run(voice(24, raised=(16, 24), semitones=10, tilt_db=14), [(0, 24_000)])
    assert [(e.id, e.grade) for e in starts(events)] == [("rv-c-1", "raised"), ("rv-c-1", "strong")]


def test_pitch_alone_is_no_raised_voice() -> None:
    assert not starts(run(voice(22, raised=(16, 21), semitones=7, tilt_db=-1), [(0, 22_000)]))


def test_mu_law_changes_no_verdict() -> None:
    audio = voice(20, raised=(14, 20))
    code = np.round(np.sign(audio) * np.log1p(255 * np.abs(audio)) / np.log(256) * 127) / 127
    decoded = np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255
    found = starts(run(decoded.astype(np.float32), [(0, 20_000)]))
    assert found
    assert 14_000 <= found[0].at_ms <= 16_500


def test_silence_gives_no_frames_and_ends_an_event() -> None:
    audio = np.concatenate([voice(18, raised=(14, 18)), np.zeros(5 * RATE, np.float32)])
    events = run(audio, [(0, 18_000)])
    assert [e.reason for e in ends(events)] == ["silence"]
    assert all(e.end_ms <= 18_240 for e in frames(events))
    assert not run(np.zeros(5 * RATE, np.float32), [])


@pytest.mark.property
@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(40, 4_000), min_size=1, max_size=6))
def test_random_splitting_gives_the_bits_of_the_whole(sizes: list[int]) -> None:
    audio, other = voice(6, raised=(4, 6)), voice(6, seed=8)
    spans, theirs = [(0, 2_900), (3_400, 6_000)], [(1_000, 4_000)]
    split = run(audio, spans, sizes, other=other, other_spans=theirs)
    whole = run(audio, spans, (len(audio),), other=other, other_spans=theirs)
    assert frames(whole)
    assert any(frame.f0_st is not None for frame in frames(whole))
    assert [EventLog.encode(e) for e in split] == [EventLog.encode(e) for e in whole]


@pytest.mark.property
@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(40, 4_000), min_size=1, max_size=6))
def test_every_feature_of_a_stream_in_random_pieces_is_that_of_one_batch(sizes: list[int]) -> None:
    audio, bank = voice(6, raised=(4, 6)), SpectralBank(RATE)
    with patch.object(
        SpectralBank, "measure", autospec=True, side_effect=SpectralBank.measure
    ) as spy:
        run(audio, [(0, 6_000)], sizes)
    streamed = [call.args[1][0] for call in spy.call_args_list]
    padded = np.concatenate([np.zeros(bank.frame - bank.hop, np.float32), audio])
    blocks = [padded[t * bank.tick : t * bank.tick + bank.block] for t in range(len(streamed))]
    assert len(streamed) == len(audio) // bank.tick
    batch = bank.measure(np.stack(blocks))
    for tick, block in enumerate(streamed):
        alone = bank.measure(block)
        for name in ("alpha_db", "slope_db_oct", "level_db", "clipped"):
            assert np.array_equal(getattr(alone, name), getattr(batch.of(tick), name))


@pytest.mark.property
@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(40, 4_000), min_size=1, max_size=6))
def test_pitch_of_a_stream_in_random_pieces_is_that_of_one_batch(sizes: list[int]) -> None:
    audio = voice(4, raised=(2, 4))
    batch = PitchTrack(0, RATE, fmin_hz=65, fmax_hz=500).push(audio)
    track, position, streamed = PitchTrack(0, RATE, fmin_hz=65, fmax_hz=500), 0, []
    for size in cycle(sizes):
        streamed += track.push(audio[position : position + size])
        position += size
        if position >= len(audio):
            break
    assert len(batch) > 200
    assert [frame[0] for frame in streamed] == [frame[0] for frame in batch]
    assert np.allclose([f[1:] for f in streamed], [f[1:] for f in batch], rtol=0, atol=1e-9)


@pytest.mark.parametrize("hertz", [90.0, 140.0, 260.0])
def test_pitch_survives_the_telephone_band(hertz: float) -> None:
    t = np.arange(2 * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 30) if hertz * k < 3_400)
    audio = (0.1 * telephone(np.asarray(tone))).astype(np.float32)
    heard = PitchTrack(0, RATE, fmin_hz=65, fmax_hz=500).push(audio)
    voiced = [semitones for _, semitones, confidence in heard if confidence >= 0.5]
    assert len(voiced) > 50
    assert np.median(voiced) == pytest.approx(12 * np.log2(hertz / 55), abs=0.3)


def test_frames_that_touch_a_gap_are_missing() -> None:
    stage = ProsodyStage((Channel.AGENT,), RATE, ProsodySettings())
    stage.observe(Channel.AGENT, SpeechStarted(at_ms=0, channel=Channel.AGENT, start_ms=0))
    stage.push_audio(AudioChunk(Channel.AGENT, 0, voice(0.24), RATE))
    gap = AudioGap(at_ms=240, channel=Channel.AGENT, begin_ms=240, end_ms=960, reason="loss")
    stage.observe(Channel.AGENT, gap)
    stage.push_audio(AudioChunk(Channel.AGENT, 960 * 8, voice(1.0), RATE))
    heard = frames(stage.advance(1_960))
    assert [f.begin_ms for f in heard if 240 <= f.begin_ms < 960] == []
    assert heard


def test_a_chunk_at_another_rate_is_refused() -> None:
    stage = ProsodyStage((Channel.AGENT,), RATE, ProsodySettings())
    with pytest.raises(ValueError, match="16000 Hz"):
        stage.push_audio(AudioChunk(Channel.AGENT, 0, np.zeros(160, np.float32), 16_000))


def test_a_hold_ends_an_event_and_stops_the_frames() -> None:
    hold = HoldStarted(at_ms=18_000)
    events = run(voice(20, raised=(14, 20)), [(0, 20_000)], extra=(hold,))
    assert [e.reason for e in ends(events)] == ["hold"]
    assert 18_000 <= ends(events)[0].at_ms < 18_240
    assert all(e.at_ms <= 18_240 for e in events)
    assert [e.at_ms for e in events] == sorted(e.at_ms for e in events)


def test_a_channel_with_both_parties_is_not_judged() -> None:
    assert not run(voice(20, raised=(14, 20)), [(0, 20_000)], channel=Channel.MIXED)


def test_pitch_is_computed_near_the_threshold_only() -> None:
    audio, spans = voice(40), [(0, 40_000)]
    shares = []
    for always in (False, True):
        stage = ProsodyStage((Channel.CUSTOMER,), RATE, ProsodySettings(f0_always_on=always))
        stage.observe(
            Channel.CUSTOMER, SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=spans[0][0])
        )
        stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, audio, RATE))
        stage.finish(40_000)
        shares.append(stage.pitch_ticks / stage.usable_ticks)
    assert shares[1] == 1.0
    assert shares[0] < 0.75


def loaded(load: Load, channel: Channel) -> tuple[ProsodyStage, list[str]]:
    """Hear a voice that is raised from 20 s to 30 s under some load; return the events' grades."""
    audio = voice(32, raised=(20, 30), tilt_db=14)
    stage = ProsodyStage((channel,), RATE, ProsodySettings())
    stage.load = load
    stage.observe(channel, SpeechStarted(at_ms=0, channel=channel, start_ms=0))
    stage.push_audio(AudioChunk(channel, 0, audio, RATE))
    events = stage.finish(32_000)
    if load in (Load.SHED, Load.METER):
        assert all("degraded" in frame.flags for frame in frames(events))
    return stage, [e.grade for e in starts(events)]


def test_with_many_calls_the_customers_pitch_is_rationed_and_the_agent_has_none() -> None:
    stage, grades = loaded(Load.MANY, Channel.CUSTOMER)
    assert grades
    full, _ = loaded(Load.FULL, Channel.CUSTOMER)
    assert 0 < stage.pitch_ticks < full.pitch_ticks
    stage, grades = loaded(Load.MANY, Channel.AGENT)
    assert stage.pitch_ticks == 0
    assert grades


def test_with_many_calls_the_warm_up_has_a_ration_of_pitch() -> None:
    ticks = {}
    for load in (Load.MANY, Load.FULL):
        stage = ProsodyStage((Channel.CUSTOMER,), RATE, ProsodySettings(many_warm_ticks=5))
        stage.load = load
        spoken = SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=0)
        stage.observe(Channel.CUSTOMER, spoken)
        stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, voice(4), RATE))
        stage.finish(4_000)
        ticks[load] = stage.pitch_ticks
    assert ticks[Load.MANY] == 5
    assert ticks[Load.FULL] == stage.usable_ticks > 12


def test_who_was_not_heard_at_their_usual_pitch_is_judged_by_tilt_alone() -> None:
    stage = ProsodyStage((Channel.CUSTOMER,), RATE, ProsodySettings())
    stage.load = Load.SHED
    spoken = SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=0)
    stage.observe(Channel.CUSTOMER, spoken)
    audio = voice(32, raised=(20, 30), tilt_db=14)
    stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, audio, RATE))
    assert not starts(stage.advance(15_000))
    stage.load = Load.MANY
    assert starts(stage.finish(32_000))


def test_a_voice_is_judged_by_tilt_once_its_ration_of_pitch_is_spent() -> None:
    spare = ProsodySettings(many_warm_ticks=8, many_pitch_share=0.0)
    stage = ProsodyStage((Channel.CUSTOMER,), RATE, spare)
    stage.load = Load.MANY
    spoken = SpeechStarted(at_ms=0, channel=Channel.CUSTOMER, start_ms=0)
    stage.observe(Channel.CUSTOMER, spoken)
    audio = voice(32, raised=(20, 30), tilt_db=14)
    stage.push_audio(AudioChunk(Channel.CUSTOMER, 0, audio, RATE))
    first = starts(stage.finish(32_000))[0]
    assert first.begin_ms >= 19_500
    assert first.f0_delta_st is None


def test_when_shedding_no_pitch_is_computed_and_at_last_nothing_is_judged() -> None:
    stage, _ = loaded(Load.SHED, Channel.CUSTOMER)
    assert stage.pitch_ticks == 0
    stage, grades = loaded(Load.METER, Channel.CUSTOMER)
    assert stage.usable_ticks > 0
    assert grades == []


def score_at_dose(semitones: float, tilt_db: float, gain_db: float = 0.0) -> float:
    """Median score while the voice is raised by a dose, on a line with some gain."""
    audio = voice(18, raised=(13, 18), semitones=semitones, tilt_db=tilt_db)
    audio = np.clip(audio * np.float32(10 ** (gain_db / 20)), -1, 1)
    always = ProsodySettings(f0_always_on=True, level_weight=0.0)
    heard = frames(run(audio, [(0, 18_000)], settings=always))
    scores = [f.score for f in heard if f.begin_ms >= 14_500 and f.score is not None]
    return float(np.median(scores))


def test_the_score_rises_with_the_dose_of_effort_and_with_no_gain() -> None:
    doses = [score_at_dose(dose, dose) for dose in (0, 2, 4)]
    assert doses == sorted(doses)
    assert doses[1] - doses[0] > 0.5
    assert doses[2] - doses[1] > 0.5
    for gain_db in (-30, 6):
        assert score_at_dose(2, 2, gain_db) == pytest.approx(doses[1], abs=0.2)
