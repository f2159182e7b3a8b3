"""Speech events, gaps and capture keep to the sample clock."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from audio.capture import MicrophonePair
from audio.channel import ChannelFrontEnd
from audio.chunks import AudioChunk
from audio.segments import STEP_MS, WINDOW_MS, SpeechSegmenter
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

    def take(self) -> list[tuple[float, ...]]:
        whole = len(self._waiting) // WINDOW_SAMPLES * WINDOW_SAMPLES
        windows = self._waiting[:whole].reshape(-1, WINDOW_SAMPLES)
        self._waiting = self._waiting[whole:]
        return [(float(np.abs(window).max() > 0.01),) * 4 for window in windows]

    def drop_pending(self) -> None:
        self._waiting = np.zeros(0, dtype=np.float32)

    def reset(self) -> None:
        self.resets += 1
        self.drop_pending()


def gap(begin_ms: int, end_ms: int) -> AudioGap:
    return AudioGap(
        at_ms=end_ms, channel=Channel.AGENT, begin_ms=begin_ms, end_ms=end_ms, reason="loss"
    )


def stepped(pattern: str) -> list[SpeechStarted | SpeechEnded]:
    """Return what a channel makes of steps of 8 ms: `#` is speech, `.` is none."""
    segmenter = SpeechSegmenter(Channel.AGENT, AudioSettings())
    events: list[SpeechStarted | SpeechEnded] = []
    sure = [0.9 if step == "#" else 0.1 for step in pattern]
    for first in range(0, len(sure), 4):
        events += segmenter.push(first * STEP_MS, sure[first : first + 4], -30.0)
    return events


def test_speech_is_dated_to_its_first_and_last_step() -> None:
    started, ended = stepped("." * 13 + "#" * 31 + "." * 20)
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert (started.start_ms, ended.start_ms, ended.end_ms) == (104, 104, 352)
    assert started.at_ms - started.start_ms <= 96 + WINDOW_MS


@pytest.mark.parametrize(("hole", "segments"), [(11, 1), (12, 2)])
def test_a_hole_of_96_ms_parts_speech(hole: int, segments: int) -> None:
    events = stepped("#" * 20 + "." * hole + "#" * 20 + "." * 20)
    assert sum(isinstance(event, SpeechEnded) for event in events) == segments


@pytest.mark.parametrize(("pattern", "heard"), [("###...", False), ("####.", True)])
def test_most_of_96_ms_is_speech_before_it_counts(pattern: str, heard: bool) -> None:
    assert bool(stepped("." * 8 + pattern * 8)) is heard


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
