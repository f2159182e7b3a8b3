"""What sounds raised and is not: every event here is false, and is reported as such."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, lfilter, sosfilt

from bench.prosody.calls import CACHE, SENTENCES, calm_call
from bench.prosody.effort import CHEERFUL, DOSES, apply_effort
from bench.prosody.figures import own_starts
from bench.prosody.line import LINE_RATE_HZ, telephone
from bench.prosody.listen import Listener
from bench.results import Row
from bench.speech_bank import RATE_HZ, SpeechBank
from conversation.events import Channel, SpeechEnded, SpeechStarted

Samples = npt.NDArray[np.float32]
_CALM_SENTENCES = 9
_OWN = Channel.CUSTOMER


class Stage:
    """One voice, calm for half a minute, and what may follow it; 16 kHz."""

    def __init__(self, bank: SpeechBank, voice: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, sum(voice.encode())])
        self.calm = calm_call(bank, voice, seed, _CALM_SENTENCES).samples
        self._bank = bank
        self._voice = voice

    def sentences(self, count: int = 5) -> list[Samples]:
        """Return calm sentences of the voice."""
        return [self._bank.say(self._voice, text).samples for text in SENTENCES[:count]]

    def joined(self, clips: list[Samples]) -> Samples:
        """Join clips with the line's noise between them."""
        parts = [part for clip in clips for part in (clip, self.noise(0.5))]
        return np.concatenate(parts)

    def noise(self, seconds: float, level: float = 1e-3) -> Samples:
        """Return white noise."""
        return self.rng.normal(0, level, round(seconds * RATE_HZ)).astype(np.float32)


def cheerful(stage: Stage) -> Samples:
    """Pitch up 4 semitones and half as lively again, without effort in the spectrum."""
    return stage.joined([apply_effort(c, CHEERFUL, CACHE) for c in stage.sentences()])


def laughter(stage: Stage) -> Samples:
    """Trains of equal voiced bursts, 5 a second, higher than speech."""
    out = []
    for clip in stage.sentences(4):
        high = apply_effort(clip, CHEERFUL, CACHE)
        loud = _loudest(high, 0.2)
        burst = loud * np.hanning(len(loud)).astype(np.float32)
        count = int(stage.rng.integers(7, 11))
        out.append(np.concatenate([burst * np.float32(0.97**i) for i in range(count)]))
    return stage.joined(out)


def coughs(stage: Stage) -> Samples:
    """Bursts of shaped noise, two or three at a time."""
    out = []
    for _ in range(8):
        length = float(stage.rng.uniform(0.2, 0.4))
        raw = stage.noise(length, 1.0)
        shaped = sosfilt(butter(2, (400, 2500), "bandpass", fs=RATE_HZ, output="sos"), raw)
        decay = np.exp(-np.linspace(0, 5, len(raw)))
        out.append((0.25 * shaped * decay).astype(np.float32))
    return stage.joined(out)


def speakerphone(stage: Stage) -> Samples:
    """The same voice through a small loudspeaker and a room: brighter, thinner, reverberant."""
    dry = stage.joined(stage.sentences(12))
    tail = stage.rng.normal(0, 1, int(0.25 * RATE_HZ)) * np.exp(-np.linspace(0, 7, RATE_HZ // 4))
    tail[0] = 6.0
    wet = np.convolve(dry, tail / 6.0)[: len(dry)]
    high = sosfilt(butter(1, 1_000, "highpass", fs=RATE_HZ, output="sos"), wet)
    return np.asarray(0.5 * wet + 0.8 * high, np.float32)


def gain_steps(stage: Stage) -> Samples:
    """Calm speech whose gain steps by 6 and 12 dB, up and down."""
    audio = stage.joined(stage.sentences(12)).copy()
    quarter = len(audio) // 4
    for i, step_db in enumerate((6.0, -6.0, 12.0, 0.0)):
        audio[i * quarter : (i + 1) * quarter] *= np.float32(10 ** (step_db / 20))
    return np.clip(audio, -1, 1)


def hold_music(stage: Stage) -> Samples:
    """Half a minute of chords, a melody and a beat."""
    t = np.arange(30 * RATE_HZ) / RATE_HZ
    out = np.zeros(len(t))
    for note in range(60):
        part = slice(int(note * 0.5 * RATE_HZ), int((note * 0.5 + 0.46) * RATE_HZ))
        for root in (220.0, 277.2, 329.6, 440.0 * 2 ** (stage.rng.integers(0, 13) / 12)):
            for k in range(1, 6):
                out[part] += np.sin(2 * np.pi * root * k * t[part]) / k
    out *= 0.7 + 0.3 * np.exp(-8 * (t % 0.5))
    return np.asarray(0.08 * out / np.sqrt(np.mean(out**2)), np.float32)


def touch_tones(stage: Stage) -> Samples:
    """Twenty seconds of DTMF."""
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    low = np.array([697, 770, 852, 941])[stage.rng.integers(0, 4, 50)][(t / 0.4).astype(int)]
    high = np.array([1209, 1336, 1477])[stage.rng.integers(0, 3, 50)][(t / 0.4).astype(int)]
    tones = np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)
    return np.asarray(0.1 * tones * ((t % 0.4) < 0.2), np.float32)


def noise_onset(stage: Stage) -> Samples:
    """Calm speech while a fan comes on, 15 dB below it."""
    speech = stage.joined(stage.sentences(8))
    fan = lfilter([1.0], [1.0, -0.9], stage.noise(len(speech) / RATE_HZ, 1.0))
    fan *= 0.05 * 10 ** (-15 / 20) / np.sqrt(np.mean(fan**2))
    return np.asarray(speech + fan[: len(speech)], np.float32)


KINDS: dict[str, Callable[[Stage], Samples]] = {
    kind.__name__: kind
    for kind in (
        cheerful,
        laughter,
        coughs,
        speakerphone,
        gain_steps,
        hold_music,
        touch_tones,
        noise_onset,
    )
}


def confusion_rows(
    bank: SpeechBank, listener: Listener, voices: tuple[str, ...], seed: int
) -> Iterator[Row]:
    """Yield false events of every kind, over all voices.

    Music and tones are also heard with voice activity that calls everything speech.
    """
    for name, make in KINDS.items():
        events = forced = 0
        minutes = 0.0
        for voice in voices:
            stage = Stage(bank, voice, seed)
            odd = make(stage)
            line = telephone(np.concatenate([stage.calm, odd]))
            speech = listener.speech(_OWN, line)
            events += len(own_starts(listener.prosody({_OWN: line}, {_OWN: speech})[0]))
            if name in ("hold_music", "touch_tones"):
                begin_ms = len(stage.calm) * 1000 // RATE_HZ
                end_ms = len(line) * 1000 // LINE_RATE_HZ
                kept = [e for e in speech if e.at_ms < begin_ms - 500]
                kept += [
                    SpeechStarted(at_ms=begin_ms + 128, channel=_OWN, start_ms=begin_ms),
                    SpeechEnded(at_ms=end_ms, channel=_OWN, start_ms=begin_ms, end_ms=end_ms),
                ]
                forced += len(own_starts(listener.prosody({_OWN: line}, {_OWN: kept})[0]))
            minutes += len(odd) / RATE_HZ / 60
        yield Row("heartline", name, "false_events", events, "events", len(voices))
        yield Row("heartline", name, "false_per_min", events / minutes, "1/min", len(voices))
        if name in ("hold_music", "touch_tones"):
            yield Row("heartline", f"{name}_as_speech", "false_events", forced, "", len(voices))
    yield from _cross_talk(bank, listener, voices, seed)


def _cross_talk(
    bank: SpeechBank, listener: Listener, voices: tuple[str, ...], seed: int
) -> Iterator[Row]:
    """The other party shouts; it leaks into the own line 15 to 30 dB down."""
    for leak_db in (-15, -20, -30):
        events = 0
        for i, voice in enumerate(voices):
            stage = Stage(bank, voice, seed)
            other = Stage(bank, voices[(i + 1) % len(voices)], seed)
            shout = DOSES["shouted"][0]
            loud = other.joined([apply_effort(c, shout, CACHE) for c in other.sentences(3)])
            own = np.concatenate([stage.calm, stage.noise(len(loud) / RATE_HZ)])
            theirs = np.concatenate([other.noise(len(stage.calm) / RATE_HZ), loud])
            delay = round(0.012 * RATE_HZ)
            echo = np.concatenate([np.zeros(delay, np.float32), theirs])[: len(own)]
            channels = {
                _OWN: telephone(own + np.float32(10 ** (leak_db / 20)) * echo),
                _OWN.other: telephone(theirs),
            }
            speech = {c: listener.speech(c, samples) for c, samples in channels.items()}
            found = listener.prosody(channels, speech)[0]
            events += len(own_starts([e for e in found if e.channel is _OWN]))
        name = f"cross_talk_{-leak_db}db"
        yield Row("heartline", name, "false_events", events, "events", len(voices))


def _loudest(samples: Samples, seconds: float) -> Samples:
    """Return the loudest stretch of that length."""
    size = round(seconds * RATE_HZ)
    power = np.convolve(np.square(samples), np.ones(size), "valid")
    at = int(np.argmax(power))
    return samples[at : at + size]
