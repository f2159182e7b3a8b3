"""Voice activity: what is scored together gets the same bits as alone; noise is no speech."""

from __future__ import annotations

import numpy as np
import pytest

from audio.channel import ChannelFrontEnd
from audio.chunks import AudioChunk
from audio.settings import AudioSettings
from audio.sources import open_recording
from audio.vad import VadStream, VoiceActivity
from conversation.events import Channel, SpeechEnded
from server.analyze import SAMPLE

pytestmark = pytest.mark.model
_STREAMS = 12


def test_streams_scored_together_get_what_each_gets_alone() -> None:
    model = VoiceActivity()
    model.load()
    call = open_recording(SAMPLE)
    whole = np.repeat(call.samples(call.channels[0]), 2)
    parts = [whole[n * 5_000 : n * 5_000 + 60_000 + 512 * n] for n in range(_STREAMS)]
    alone = []
    for part in parts:
        stream = VadStream(model)
        stream.feed(part)
        alone.append(stream.take())
    together = [VadStream(model) for _ in parts]
    found: list[list[tuple[float, ...]]] = [[] for _ in parts]
    for begin in range(0, len(parts[-1]), 1_600):
        for stream, part in zip(together, parts, strict=True):
            stream.feed(part[begin : begin + 1_600])
        model.score(together)
        for stream, probabilities in zip(together, found, strict=True):
            probabilities += stream.take()
    assert found == alone
    assert max(max(alone[0])) > 0.9 > 0.1 > min(min(alone[0]))


def _speech_ms(line: np.ndarray) -> int:
    """Return how long speech is heard on a line at 8 kHz."""
    model = VoiceActivity()
    model.load()
    front = ChannelFrontEnd(Channel.AGENT, 8_000, VadStream(model), settings=AudioSettings())
    events = front.push(AudioChunk(Channel.AGENT, 0, line.astype(np.float32), 8_000))
    events += front.finish()
    return sum(e.end_ms - e.start_ms for e in events if isinstance(e, SpeechEnded))


@pytest.mark.parametrize("jump_db", [10, 20, 30])
def test_noise_that_sets_in_is_no_speech_for_longer_than_a_second(jump_db: int) -> None:
    random = np.random.default_rng(3)
    quiet = random.normal(0, 10 ** (-70 / 20), 30 * 8_000)
    loud = random.normal(0, 10 ** ((jump_db - 70) / 20), 30 * 8_000)
    assert _speech_ms(np.concatenate([quiet, loud])) <= 1_000


@pytest.mark.parametrize("level_db", [-65.0, -45.0, -30.0])
def test_clicks_bursts_and_hum_are_nobodys_speech(level_db: float) -> None:
    random = np.random.default_rng(4)
    time = np.arange(30 * 8_000) / 8_000
    line = random.normal(0, 10 ** (level_db / 20), len(time))
    line += 10 ** (-30 / 20) * np.sin(2 * np.pi * 50 * time)
    for at in range(8_000, len(line) - 8_000, 12_000):
        length = int(random.integers(20, 400))
        line[at : at + length] += random.normal(0, 10 ** (-20 / 20), length)
    assert _speech_ms(line) == 0
