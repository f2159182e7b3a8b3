"""Speech events, gaps and capture keep to the sample clock."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from audio.capture import MicrophonePair
from audio.channel import ChannelFrontEnd
from audio.chunks import AudioChunk
from audio.segments import WINDOW_MS, SpeechSegmenter
from audio.settings import AudioSettings
from audio.vad import WINDOW_SAMPLES
from conversation.events import AudioGap, Channel, SpeechEnded, SpeechStarted

pytestmark = pytest.mark.unit


class LoudIsSpeech:
    """Speech probability 1 for every window that is not silent."""

    def __init__(self) -> None:
        self.resets = 0
        self._waiting = np.zeros(0, dtype=np.float32)

    def feed(self, samples: np.ndarray) -> None:
        self._waiting = np.concatenate([self._waiting, samples])

    def take(self) -> list[float]:
        whole = len(self._waiting) // WINDOW_SAMPLES * WINDOW_SAMPLES
        windows = self._waiting[:whole].reshape(-1, WINDOW_SAMPLES)
        self._waiting = self._waiting[whole:]
        return [float(np.abs(window).max() > 0.01) for window in windows]

    def drop_pending(self) -> None:
        self._waiting = np.zeros(0, dtype=np.float32)

    def reset(self) -> None:
        self.resets += 1
        self.drop_pending()


def gap(begin_ms: int, end_ms: int) -> AudioGap:
    return AudioGap(
        at_ms=end_ms, channel=Channel.AGENT, begin_ms=begin_ms, end_ms=end_ms, reason="loss"
    )


def test_the_noise_floor_follows_a_line_that_gets_noisier_after_the_first_window() -> None:
    segmenter = SpeechSegmenter(Channel.AGENT, AudioSettings())
    events: list[SpeechStarted | SpeechEnded] = []
    at_ms = 0
    for level_db, seconds in ((-70.0, 30), (-40.0, 60)):
        for _ in range(seconds * 1000 // WINDOW_MS):
            events += segmenter.push(at_ms, 0.0, level_db)
            at_ms += WINDOW_MS
    for _ in range(10):
        events += segmenter.push(at_ms, 0.9, -38.0)
        at_ms += WINDOW_MS
    assert events == []


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100])
def test_audio_goes_on_after_a_gap_that_is_not_a_whole_number_of_milliseconds(
    rate_hz: int,
) -> None:
    front = ChannelFrontEnd(Channel.AGENT, rate_hz, LoudIsSpeech(), settings=AudioSettings())
    samples = np.full(220, 0.1, dtype=np.float32)
    front.push(
        AudioChunk(channel=Channel.AGENT, first_sample=0, samples=samples, sample_rate_hz=rate_hz)
    )
    begin_ms, end_ms = 220 * 1000 // rate_hz, 440 * 1000 // rate_hz
    front.gap(gap(begin_ms, end_ms))
    front.push(
        AudioChunk(channel=Channel.AGENT, first_sample=440, samples=samples, sample_rate_hz=rate_hz)
    )
    with pytest.raises(ValueError, match="declare lost audio as a gap"):
        front.push(
            AudioChunk(
                channel=Channel.AGENT, first_sample=5_000, samples=samples, sample_rate_hz=rate_hz
            )
        )


@pytest.mark.parametrize(("length_ms", "resets"), [(20, 0), (200, 0), (201, 1)])
def test_voice_activity_starts_anew_only_after_a_long_gap(length_ms: int, resets: int) -> None:
    vad = LoudIsSpeech()
    front = ChannelFrontEnd(Channel.AGENT, 16_000, vad, settings=AudioSettings())
    front.push(
        AudioChunk(
            channel=Channel.AGENT,
            first_sample=0,
            samples=np.zeros(16_000, dtype=np.float32),
            sample_rate_hz=16_000,
        )
    )
    front.gap(gap(1_000, 1_000 + length_ms))
    assert vad.resets == resets


def test_a_gap_ends_open_speech_where_it_begins() -> None:
    front = ChannelFrontEnd(Channel.AGENT, 16_000, LoudIsSpeech(), settings=AudioSettings())
    front.push(
        AudioChunk(
            channel=Channel.AGENT,
            first_sample=0,
            samples=np.full(16_000, 0.1, dtype=np.float32),
            sample_rate_hz=16_000,
        )
    )
    ended, lost = front.gap(gap(1_000, 2_000))
    assert lost == gap(1_000, 2_000)
    assert isinstance(ended, SpeechEnded)
    assert (ended.truncated, ended.end_ms) == (True, 1_000)


def test_an_overrun_is_a_gap_where_the_audio_was_lost_and_moves_nothing_else() -> None:
    microphones = MicrophonePair(0, 1, 16_000)
    receive = microphones._callback(Channel.AGENT)
    block = np.ones((320, 1), dtype=np.float32)
    for _ in range(300):
        receive(block, 320, None, None)
    heard = microphones.items()
    queued = list(islice(heard, 250))
    assert all(isinstance(item, AudioChunk) for item in queued)
    receive(block, 320, None, None)
    lost, following = islice(heard, 2)
    assert isinstance(lost, AudioGap)
    assert (lost.begin_ms, lost.end_ms, lost.reason) == (5_000, 6_000, "overrun")
    assert isinstance(following, AudioChunk)
    assert following.start_ms == 6_000
