"""What looks like effort and is not must raise no event."""

import numpy as np
import pytest

from conversation.events import Channel
from prosody.guards import likeness
from prosody.settings import ProsodySettings
from tests.prosody.voices import RATE, Samples, ends, frames, run, starts, voice

pytestmark = pytest.mark.model
LENIENT = ProsodySettings(floor_margin_db=0.0)
"""Lets frames near the noise into the window, so that the ratio itself is tested."""


@pytest.mark.parametrize("step_db", [-12, -6, 6, 12])
def test_a_gain_step_raises_no_event(step_db: int) -> None:
    audio = voice(24) * np.float32(0.5)
    audio[14 * RATE :] *= np.float32(10 ** (step_db / 20))
    assert not starts(run(audio, [(0, 24_000)]))


def test_a_gain_step_is_flagged_and_moves_the_usual_level_with_it() -> None:
    spans = [(i * 2_000, i * 2_000 + 1_400) for i in range(18)]
    audio = voice(36) * np.float32(0.3)
    keep = np.zeros(len(audio), np.float32)
    for begin, end in spans:
        keep[begin * 8 : end * 8] = 1
    audio = audio * keep + np.random.default_rng(1).normal(0, 1e-3, len(audio)).astype(np.float32)
    audio[20 * RATE :] *= np.float32(2.0)
    events = run(audio, spans)
    assert not starts(events)
    flagged = [f for f in frames(events) if "gain_step" in f.flags]
    assert flagged
    assert 20_000 <= flagged[0].at_ms <= 27_000
    last = frames(events)[-1]
    assert last.level_delta_db is not None
    assert abs(last.level_delta_db) < 3


def test_a_clipped_passage_raises_no_event() -> None:
    audio = voice(24)
    part = slice(14 * RATE, 19 * RATE)
    audio[part] = np.clip(audio[part] * 12, -1, 1)
    events = run(audio, [(0, 24_000)])
    assert not starts(events)
    assert any("overdriven" in f.flags for f in frames(events) if 14_000 < f.end_ms < 19_500)


def music(seconds: float, seed: int = 1) -> Samples:
    """Hold music: chords of harmonics, a melody and a beat, without a pause."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros(len(t))
    for begin, length, roots, parts in [
        *(
            (2 * bar, 2.0, 220 * 2 ** (np.array([0, 4, 7]) / 12), 4)
            for bar in range(int(seconds / 2))
        ),
        *((0.5 * note, 0.45, np.array([440.0]), 5) for note in range(int(seconds / 0.5))),
    ]:
        part = slice(int(begin * RATE), int((begin + length) * RATE))
        shift = 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 12]) / 12)
        for k in range(1, parts + 1):
            tones = np.sin(2 * np.pi * np.outer(roots * shift * k, t[part]))
            out[part] += tones.sum(axis=0) / k / len(roots)
    out *= 0.7 + 0.3 * np.exp(-8 * (t % 0.5))
    return np.asarray(0.1 * out / np.sqrt(np.mean(out**2)), np.float32)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_half_a_minute_of_hold_music_that_passes_for_speech_raises_no_event(seed: int) -> None:
    calm = voice(20)
    assert not starts(run(np.concatenate([calm, music(30, seed)]), [(0, 50_000)]))
    assert not starts(run(np.concatenate([music(30, seed), calm]), [(0, 50_000)]))


def test_touch_tones_raise_no_event() -> None:
    t = np.arange(10 * RATE) / RATE
    tones = 0.1 * (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t))
    tones *= (t % 0.4) < 0.2
    audio = np.concatenate([voice(20), tones.astype(np.float32)])
    assert not starts(run(audio, [(0, 30_000)]))


def test_laughter_raises_no_event() -> None:
    audio = voice(26, raised=(18, 24), semitones=6, tilt_db=9, bursts_hz=5.0)
    events = run(audio, [(0, 26_000)])
    assert not starts(events)
    assert any("laughter" in frame.flags for frame in frames(events))


def test_the_other_partys_raised_voice_on_ones_own_line_counts_for_nobody_here() -> None:
    own, other = voice(24), voice(24, raised=(16, 24), tilt_db=12, seed=9)
    own[16 * RATE :] = np.random.default_rng(2).normal(0, 1e-3, 8 * RATE).astype(np.float32)
    other[: 16 * RATE] = 1e-4
    delayed = np.concatenate([np.zeros(80, np.float32), other])[: len(own)]
    audio = (own + delayed * np.float32(0.3)).astype(np.float32)
    events = run(audio, [(0, 24_000)], other=other, other_spans=[(16_000, 24_000)])
    assert not [e for e in starts(events) if e.channel is Channel.CUSTOMER]
    alone = run(audio, [(0, 24_000)])
    assert len(frames(alone)) > len([f for f in frames(events) if f.channel is Channel.CUSTOMER])


def test_likeness_finds_a_delayed_copy_and_no_stranger() -> None:
    rng = np.random.default_rng(3)
    other = rng.normal(0, 1, 2_720)
    copy = other[400 - 120 : 400 - 120 + 1_920] * 0.1
    assert likeness(copy, other, 400) > 0.95
    assert likeness(rng.normal(0, 1, 1_920), other, 400) < 0.2


def test_a_change_of_microphone_is_the_new_usual_and_no_raised_voice() -> None:
    audio = voice(60)
    spectrum = np.fft.rfft(audio[20 * RATE :])
    hertz = np.fft.rfftfreq(40 * RATE, 1 / RATE)
    bright = np.fft.irfft(spectrum * 10 ** (8 * np.clip((hertz - 800) / 800, 0, 1) / 20))
    audio = np.concatenate([audio[: 20 * RATE], bright.astype(np.float32)])
    events = run(audio, [(0, 60_000)])
    assert not starts(events)
    late = [f.z_tilt for f in frames(events) if f.end_ms > 50_000 and f.z_tilt is not None]
    assert abs(float(np.median(late))) < 1.5


def test_noise_that_comes_up_blocks_new_events_for_a_while() -> None:
    spans = [(i * 2_000, i * 2_000 + 1_400) for i in range(13)]
    rng = np.random.default_rng(6)
    audio = voice(26, raised=(18, 22)) * np.float32(0.3)
    for begin, end in zip([e for _, e in spans], [b for b, _ in spans[1:]], strict=False):
        audio[begin * 8 : end * 8] = 0
    noise = rng.normal(0, 1, len(audio)) * np.where(np.arange(len(audio)) < 15 * RATE, 3e-4, 1.2e-2)
    events = run(audio + noise.astype(np.float32), spans)
    blocked = [f for f in frames(events) if "noise_rise" in f.flags]
    assert blocked
    assert not [e for e in starts(events) if e.at_ms <= blocked[-1].at_ms]


def test_noise_that_comes_and_goes_from_the_start_is_usual_and_blocks_nothing() -> None:
    spans = [(i * 2_000, i * 2_000 + 1_400) for i in range(24)]
    rng = np.random.default_rng(6)
    audio = voice(48, raised=(40, 44)) * np.float32(0.3)
    for begin, end in zip([e for _, e in spans], [b for b, _ in spans[1:]], strict=False):
        audio[begin * 8 : end * 8] = 0
    loud = (np.arange(len(audio)) // (4 * RATE)) % 2 == 1
    noise = rng.normal(0, 1, len(audio)) * np.where(loud, 4e-3, 1e-3)
    events = run(audio + noise.astype(np.float32), spans)
    assert [e for e in starts(events) if 40_000 <= e.at_ms <= 42_500]
    assert not [f for f in frames(events) if "noise_rise" in f.flags and f.end_ms > 30_000]


def test_a_speech_span_is_needed_for_a_frame() -> None:
    assert not run(voice(5), [])


def test_low_signal_to_noise_ratio_is_no_judgement() -> None:
    audio = voice(20, raised=(14, 20), semitones=9, tilt_db=16)
    audio[9 * RATE : 11 * RATE] = 0
    audio += np.random.default_rng(4).normal(0, 0.08, len(audio)).astype(np.float32)
    events = run(audio, [(0, 9_000), (11_000, 20_000)], settings=LENIENT)
    late = [f for f in frames(events) if f.end_ms > 12_000]
    assert late
    assert all(f.score is None for f in late)
    assert not starts(events)


def test_a_voice_that_stays_raised_for_good_becomes_the_new_usual() -> None:
    soon = ProsodySettings(event_max_ms=6_000)
    events = run(voice(40, raised=(14, 40)), [(0, 40_000)], settings=soon)
    assert [e.reason for e in ends(events)] == ["reset"]
    assert frames(events)[-1].state == "ready"
    assert abs(frames(events)[-1].z_tilt or 9.0) < 2
