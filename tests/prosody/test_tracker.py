"""Raised-voice detection on speech-like signals with known effort."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    Channel,
    HoldStarted,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)
from prosody.pitch import PitchTrack
from prosody.settings import ProsodySettings
from prosody.tracker import ProsodyEvent, ProsodyTracker

pytestmark = pytest.mark.model

RATE = 8_000
Samples = npt.NDArray[np.float32]
Heard = SpeechStarted | SpeechEnded | AudioGap | HoldStarted


def telephone(audio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keep 300 to 3400 Hz and nothing else."""
    spectrum = np.fft.rfft(audio)
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    return np.fft.irfft(spectrum, len(audio))


def voice(seconds: float, *, raised: tuple[float, float] = (0, 0), seed: int = 3) -> Samples:
    """Harmonics of a wandering pitch through syllables and two formants, 300-3400 Hz."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    effort = ((t >= raised[0]) & (t < raised[1])).astype(float)
    knots = np.arange(0, seconds + 1, 0.3)
    wander = np.interp(t, knots, rng.normal(0, 0.7, len(knots)))
    f0 = 140 * 2 ** ((wander + 6 * effort) / 12)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    out = np.zeros(n)
    for k in range(1, 28):
        hertz = k * f0
        gain_db = -12 * np.log2(np.maximum(hertz, 100) / 100)
        gain_db += 12 * np.exp(-(((hertz - 550) / 150) ** 2))
        gain_db += 12 * np.exp(-(((hertz - 1500) / 250) ** 2))
        gain_db += effort * 9 / (1 + np.exp(-(hertz - 1000) / 100))
        out += np.where(hertz < 3800, 10 ** (gain_db / 20) * np.sin(k * phase), 0)
    out *= 0.25 + 0.75 * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
    out = telephone(out)
    out *= 0.1 / np.sqrt(np.mean(out**2))
    out += rng.normal(0, 1e-3, n)
    return np.asarray(out, np.float32)


def run(
    audio: Samples,
    spans: list[tuple[int, int]],
    chunks: tuple[int, ...] = (160,),
    extra: tuple[Heard, ...] = (),
) -> list[ProsodyEvent]:
    tracker = ProsodyTracker(Channel.CUSTOMER, RATE, ProsodySettings())
    events: list[Heard] = list(extra)
    for start, end in spans:
        events.append(SpeechStarted(at_ms=start + 128, channel=Channel.CUSTOMER, start_ms=start))
        events.append(
            SpeechEnded(at_ms=end + 200, channel=Channel.CUSTOMER, start_ms=start, end_ms=end)
        )
    events.sort(key=lambda e: e.at_ms)
    out: list[ProsodyEvent] = []
    position = i = 0
    while position < len(audio):
        part = audio[position : position + chunks[i % len(chunks)]]
        i += 1
        tracker.push_audio(AudioChunk(Channel.CUSTOMER, position, part, RATE))
        position += len(part)
        now = position * 1000 // RATE
        while events and events[0].at_ms <= now:
            tracker.observe(events.pop(0))
        out += tracker.advance(now)
    return out + tracker.finish(len(audio) * 1000 // RATE)


def starts(events: list[ProsodyEvent]) -> list[RaisedVoiceStarted]:
    return [e for e in events if isinstance(e, RaisedVoiceStarted)]


def test_a_raised_voice_is_found_within_two_and_a_half_seconds() -> None:
    events = run(voice(26, raised=(16, 20)), [(0, 26_000)])
    first = starts(events)[0]
    assert 16_000 <= first.at_ms <= 18_500
    assert 15_800 <= first.begin_ms <= 17_500
    ended = [e for e in events if isinstance(e, RaisedVoiceEnded)]
    assert [e.reason for e in ended] == ["off"]
    assert {e.id for e in starts(events)} == {"rv-c-1"}


@pytest.mark.parametrize("step_db", [-12, -6, 6, 12])
def test_a_gain_step_raises_no_event(step_db: int) -> None:
    audio = voice(20) * np.float32(0.5)
    audio[14 * RATE :] *= np.float32(10 ** (step_db / 20))
    assert not starts(run(audio, [(0, 20_000)]))


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
    assert [e.reason for e in events if isinstance(e, RaisedVoiceEnded)] == ["silence"]
    assert all(e.end_ms <= 18_240 for e in events if isinstance(e, ProsodyFrame))
    assert not run(np.zeros(5 * RATE, np.float32), [])


@pytest.mark.property
@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=6))
def test_chunks_change_nothing(sizes: list[int]) -> None:
    audio = voice(6)
    sizes = [max(size, 40) for size in sizes]
    assert run(audio, [(0, 6_000)], tuple(sizes)) == run(audio, [(0, 6_000)])


@pytest.mark.parametrize("hertz", [90.0, 140.0, 260.0])
def test_pitch_survives_the_telephone_band(hertz: float) -> None:
    t = np.arange(2 * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 30) if hertz * k < 3_400)
    audio = (0.1 * telephone(np.asarray(tone))).astype(np.float32)
    frames = PitchTrack(0, RATE, fmin_hz=65, fmax_hz=500).push(audio)
    voiced = [st for _, st, confidence in frames if confidence >= 0.5]
    assert len(voiced) > 50
    assert np.median(voiced) == pytest.approx(12 * np.log2(hertz / 55), abs=0.3)


def test_frames_that_touch_a_gap_are_missing() -> None:
    tracker = ProsodyTracker(Channel.AGENT, RATE, ProsodySettings())
    tracker.observe(SpeechStarted(at_ms=0, channel=Channel.AGENT, start_ms=0))
    tracker.push_audio(AudioChunk(Channel.AGENT, 0, voice(0.24), RATE))
    tracker.observe(
        AudioGap(at_ms=240, channel=Channel.AGENT, begin_ms=240, end_ms=960, reason="loss")
    )
    tracker.push_audio(AudioChunk(Channel.AGENT, 960 * 8, voice(1.0), RATE))
    frames = [e for e in tracker.advance(1_960) if isinstance(e, ProsodyFrame)]
    assert [f.begin_ms for f in frames if 240 <= f.begin_ms < 960] == []
    assert frames


def test_a_chunk_at_another_rate_is_refused() -> None:
    tracker = ProsodyTracker(Channel.AGENT, RATE, ProsodySettings())
    with pytest.raises(ValueError, match="16000 Hz"):
        tracker.push_audio(AudioChunk(Channel.AGENT, 0, np.zeros(160, np.float32), 16_000))


def test_a_hold_ends_an_event_and_stops_the_frames() -> None:
    hold = HoldStarted(at_ms=18_000)
    events = run(voice(20, raised=(14, 20)), [(0, 20_000)], extra=(hold,))
    ended = [e for e in events if isinstance(e, RaisedVoiceEnded)]
    assert [e.reason for e in ended] == ["hold"]
    assert 18_000 <= ended[0].at_ms < 18_240
    assert all(e.at_ms <= 18_240 for e in events if isinstance(e, ProsodyFrame))
    assert [e.at_ms for e in events] == sorted(e.at_ms for e in events)
