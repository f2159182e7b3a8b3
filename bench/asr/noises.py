"""Sound without words: what a recogniser must say nothing about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, lfilter

from bench.speech_bank import DEVELOPMENT_VOICES, RATE_HZ, SpeechBank

Samples = npt.NDArray[np.float32]
_BABBLE_TALKERS = 6
_BABBLE_LINES = (
    "The meeting was moved to the other room because of the noise.",
    "I do not know whether the train will be on time tomorrow.",
    "They painted the whole kitchen green and nobody liked it.",
)


def silence(seconds: float, random: np.random.Generator) -> Samples:
    """Return the hiss of an open line at -66 dBFS, with stretches of digital zeros."""
    samples = random.normal(0, 10 ** (-66 / 20), round(seconds * RATE_HZ))
    for begin in range(0, len(samples), 20 * RATE_HZ):
        samples[begin : begin + 5 * RATE_HZ] = 0.0
    return samples.astype(np.float32)


def music(seconds: float, random: np.random.Generator) -> Samples:
    """Return hold music at -26 dBFS: chords, a tune and a beat, synthesised."""
    count = round(seconds * RATE_HZ)
    out = np.zeros(count + RATE_HZ)
    roots = (220.0, 174.61, 261.63, 196.0)
    beat = RATE_HZ // 2
    for i, begin in enumerate(range(0, count, beat)):
        time = np.arange(beat) / RATE_HZ
        fade = np.exp(-2.5 * time)
        root = roots[(i // 4) % len(roots)]
        for ratio in (1.0, 1.26, 1.5):
            for harmonic in range(1, 5):
                out[begin : begin + beat] += (
                    0.2 / harmonic * np.sin(2 * np.pi * root * ratio * harmonic * time)
                )
        note = root * 2 ** (random.choice([0, 2, 4, 7, 9, 12]) / 12) * 2
        vibrato = note * time + 3 * np.sin(2 * np.pi * 5 * time) / (2 * np.pi * 5)
        out[begin : begin + beat] += 0.8 * fade * np.sin(2 * np.pi * vibrato)
        out[begin : begin + 800] += random.normal(0, 0.5, 800) * np.exp(-np.arange(800) / 150)
    return _level(out[:count], -26.0)


def keyboard(seconds: float, random: np.random.Generator) -> Samples:
    """Return typing: bursts of short filtered clicks on a quiet line."""
    count = round(seconds * RATE_HZ)
    out = random.normal(0, 10 ** (-66 / 20), count)
    b, a = butter(2, [1500, 6000], btype="band", fs=RATE_HZ)
    at_s = 0.5
    while at_s < seconds - 0.2:
        begin = round(at_s * RATE_HZ)
        length = int(random.integers(200, 700))
        click = random.normal(0, 1, length) * np.exp(-np.arange(length) / (length / 5))
        peak = 10 ** (random.uniform(-30, -18) / 20)
        out[begin : begin + length] += peak * lfilter(b, a, click)
        at_s += random.uniform(0.08, 0.25) if random.random() < 0.9 else random.uniform(1, 4)
    return out.astype(np.float32)


def babble(seconds: float, random: np.random.Generator, bank: SpeechBank) -> Samples:
    """Return six voices at once at -40 dBFS: nobody could say what one of them says."""
    count = round(seconds * RATE_HZ)
    out = np.zeros(count)
    clips = [
        bank.say(voice, line).samples for voice in DEVELOPMENT_VOICES for line in _BABBLE_LINES
    ]
    for _ in range(_BABBLE_TALKERS):
        at = 0
        while at < count:
            clip = clips[int(random.integers(len(clips)))]
            part = clip[: count - at]
            out[at : at + len(part)] += part
            at += len(clip)
    return _level(out, -40.0)


def all_noises(bank: SpeechBank) -> dict[str, Callable[[float, np.random.Generator], Samples]]:
    """Return the makers by condition."""
    return {
        "silence": silence,
        "music": music,
        "keyboard": keyboard,
        "babble": lambda seconds, random: babble(seconds, random, bank),
    }


def _level(samples: npt.NDArray[np.float64], dbfs: float) -> Samples:
    rms = float(np.sqrt(np.mean(np.square(samples))))
    return (samples * 10 ** (dbfs / 20) / rms).astype(np.float32)
