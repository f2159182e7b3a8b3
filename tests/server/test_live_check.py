"""The channel check says what it hears on which side, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from audio.chunks import AudioChunk, Samples
from audio.sources import open_recording
from conversation.events import Channel
from server.commands.live_check import Check, Side, listen, verdict
from tests.server.live import SAMPLE, hearing

pytestmark = [pytest.mark.unit, pytest.mark.model]
RATE_HZ = 8_000
LENGTH_MS = 5_000


def voice(begin_s: float) -> Samples:
    recording = open_recording(SAMPLE)
    begin = round(begin_s * RATE_HZ)
    return recording.samples(Channel.CUSTOMER)[begin : begin + RATE_HZ * LENGTH_MS // 1_000]


def noise(seed: int = 3) -> Samples:
    shape = RATE_HZ * LENGTH_MS // 1_000
    return np.random.default_rng(seed).normal(0, 0.001, shape).astype(np.float32)


def chunks(agent: Samples, customer: Samples) -> Iterator[AudioChunk]:
    for first in range(0, len(agent), 160):
        for channel, samples in ((Channel.AGENT, agent), (Channel.CUSTOMER, customer)):
            yield AudioChunk(
                channel=channel,
                first_sample=first,
                samples=samples[first : first + 160],
                sample_rate_hz=RATE_HZ,
            )


def heard(agent: Samples, customer: Samples) -> Check:
    vads = {c: hearing().vad_stream() for c in (Channel.AGENT, Channel.CUSTOMER)}
    return listen(chunks(agent, customer), vads, LENGTH_MS - 100)


def test_a_voice_on_its_own_side_is_told_with_its_level() -> None:
    check = heard(voice(12), noise())
    (said,) = verdict(Channel.AGENT, check)
    assert said.startswith("Speech comes from your microphone at -")
    assert check.agent.speech_ms > 2_000
    assert check.customer.speech_ms == 0
    assert check.likeness < 0.1


def test_a_voice_on_the_other_side_asks_to_swap() -> None:
    (said,) = verdict(Channel.AGENT, heard(noise(), voice(12)))
    assert "swap the two devices" in said


def test_silence_a_faint_voice_an_echo_and_one_signal_are_told_apart() -> None:
    assert "not muted" in verdict(Channel.AGENT, heard(noise(), noise(4)))[0]
    assert "turn your microphone up" in " ".join(
        verdict(Channel.AGENT, heard(voice(12) * 0.02, noise() * 0.01))
    )
    echo = np.roll(voice(12), 800) * 0.3 + noise()
    assert "wear a headset" in " ".join(verdict(Channel.AGENT, heard(voice(12), echo)))
    assert "one and the same signal" in verdict(Channel.AGENT, heard(voice(12), voice(12)))[0]


def test_a_voice_that_is_too_loud_asks_to_turn_it_down() -> None:
    loud = Check(Side(2_000, -3.0, 5_000), Side(0, None, 5_000), 0.0, 0.0)
    assert "turn your microphone down" in " ".join(verdict(Channel.AGENT, loud))
