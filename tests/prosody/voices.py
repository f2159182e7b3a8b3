"""Speech-like signals with known effort, and a stage that hears them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    Channel,
    HoldEnded,
    HoldStarted,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)
from prosody.settings import ProsodySettings
from prosody.stage import ProsodyStage
from prosody.tracker import ProsodyEvent

RATE = 8_000
Samples = npt.NDArray[np.float32]
Heard = SpeechStarted | SpeechEnded | AudioGap | HoldStarted | HoldEnded


def telephone(audio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keep 300 to 3400 Hz and nothing else."""
    spectrum = np.fft.rfft(audio)
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    return np.fft.irfft(spectrum, len(audio))


def voice(
    seconds: float,
    *,
    raised: tuple[float, float] = (0, 0),
    semitones: float = 6,
    tilt_db: float = 9,
    bursts_hz: float | None = None,
    seed: int = 3,
) -> Samples:
    """Harmonics of a wandering pitch through syllables and two formants, 300-3400 Hz.

    `raised` is the stretch (s) with that many semitones and dB above 1 kHz more; `bursts_hz` makes
    it a train of equal bursts with silence between them.
    """
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    effort = ((t >= raised[0]) & (t < raised[1])).astype(float)
    knots = np.arange(0, seconds + 1, 0.15)
    wander = np.interp(t, knots, rng.normal(0, 0.7, len(knots)))
    f0 = 140 * 2 ** ((wander + semitones * effort) / 12)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    out = np.zeros(n)
    for k in range(1, 28):
        hertz = k * f0
        gain_db = -12 * np.log2(np.maximum(hertz, 100) / 100)
        gain_db += 12 * np.exp(-(((hertz - 550) / 150) ** 2))
        gain_db += 12 * np.exp(-(((hertz - 1500) / 250) ** 2))
        gain_db += effort * tilt_db / (1 + np.exp(-(hertz - 1000) / 100))
        out += np.where(hertz < 3800, 10 ** (gain_db / 20) * np.sin(k * phase), 0)
    strokes = np.arange(0, seconds + 1, 0.17)
    beats = np.interp(t, strokes, rng.uniform(0.2, 1, len(strokes)))
    syllables = 0.15 + 0.85 * beats * np.clip(np.sin(2 * np.pi * 4 * t + 2 * wander), 0, 1)
    if bursts_hz is not None:
        train = np.clip(np.sin(2 * np.pi * bursts_hz * t), 0, 1) ** 2 + 0.01
        syllables = np.where(effort > 0, train, syllables)
    out = telephone(out * syllables)
    out *= 0.1 / np.sqrt(np.mean(out**2))
    out += rng.normal(0, 1e-3, n)
    return np.asarray(out, np.float32)


def run(
    audio: Samples,
    spans: Sequence[tuple[int, int]],
    chunks: Sequence[int] = (160,),
    extra: Sequence[Heard] = (),
    *,
    other: Samples | None = None,
    other_spans: Sequence[tuple[int, int]] = (),
    settings: ProsodySettings | None = None,
    channel: Channel = Channel.CUSTOMER,
) -> list[ProsodyEvent]:
    """Everything the stage says of one line, or of two."""
    lines = {channel: audio}
    if other is not None:
        lines[channel.other] = other
    stage = ProsodyStage(tuple(lines), RATE, settings or ProsodySettings())
    events: list[tuple[Channel, Heard]] = [(channel, event) for event in extra]
    for speaker, parts in ((channel, spans), (channel.other, other_spans)):
        for start, end in parts:
            began = SpeechStarted(at_ms=start + 128, channel=speaker, start_ms=start)
            ended = SpeechEnded(at_ms=end + 200, channel=speaker, start_ms=start, end_ms=end)
            events += [(speaker, began), (speaker, ended)]
    events.sort(key=lambda entry: entry[1].at_ms)
    out: list[ProsodyEvent] = []
    position = i = 0
    while position < len(audio):
        size = chunks[i % len(chunks)]
        i += 1
        for speaker, samples in lines.items():
            part = samples[position : position + size]
            stage.push_audio(AudioChunk(speaker, position, part, RATE))
        position = min(position + size, len(audio))
        now = position * 1000 // RATE
        while events and events[0][1].at_ms <= now:
            stage.observe(*events.pop(0))
        out += stage.advance(now)
    return out + stage.finish(len(audio) * 1000 // RATE)


def starts(events: Sequence[ProsodyEvent]) -> list[RaisedVoiceStarted]:
    """The raised voices among the events."""
    return [e for e in events if isinstance(e, RaisedVoiceStarted)]


def ends(events: Sequence[ProsodyEvent]) -> list[RaisedVoiceEnded]:
    """The ends of raised voices among the events."""
    return [e for e in events if isinstance(e, RaisedVoiceEnded)]


def frames(events: Sequence[ProsodyEvent]) -> list[ProsodyFrame]:
    """The frames among the events."""
    return [e for e in events if isinstance(e, ProsodyFrame)]
