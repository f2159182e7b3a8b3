"""The telephone line of a generated call: band, noise, codec, leakage between the channels."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import soxr
from scipy.fft import irfft, next_fast_len, rfft

from audio.g711 import MULAW_TABLE, encode_mulaw
from bench.floor.said import Samples
from bench.floor.script import PARTIES, Script
from bench.speech_bank import RATE_HZ

LINE_HZ = 8_000
Channels = dict[str, Samples]


class Condition(msgspec.Struct, frozen=True):
    """What the line does."""

    name: str
    snr_db: float = 36.0
    """Speech over stationary pink noise, both as they are on the line."""
    mulaw: bool = False
    bleed_db: float | None = None
    """Level of each channel in the other, with a lag drawn from 20 to 600 ms."""
    delayed: bool = False
    """The customer's leg has a round trip of 100 to 500 ms more."""


CONDITIONS = (
    Condition("all"),
    Condition("mulaw", mulaw=True),
    Condition("noise_10db", snr_db=10.0),
    Condition("bleed_20db", bleed_db=-20.0),
    Condition("delay_500ms", delayed=True),
)


def extra_rtt_ms(seed: int) -> int:
    """Return the extra round trip of a delayed call."""
    return int(np.random.default_rng([seed, 13]).integers(100, 501))


def through_the_line(script: Script, condition: Condition) -> Channels:
    """Return both channels at 8 kHz, float32, shape (n,) each."""
    random = np.random.default_rng([script.seed, 11])
    clean = {party: _channel(script, party) for party in PARTIES}
    channels: Channels = {}
    for party in PARTIES:
        other = clean["customer" if party == "agent" else "agent"]
        samples = clean[party].copy()
        if condition.bleed_db is not None:
            lag = int(random.integers(20, 601)) * LINE_HZ // 1000
            samples[lag:] += other[:-lag] * np.float32(10 ** (condition.bleed_db / 20))
        level_db = _speech_db(script, party, clean[party])
        noise = _pink(random, len(samples)) * 10 ** ((level_db - condition.snr_db) / 20)
        samples = (samples + noise).astype(np.float32)
        if condition.mulaw:
            coded = np.frombuffer(encode_mulaw(samples), dtype=np.uint8)
            samples = (MULAW_TABLE[coded] / 32768.0).astype(np.float32)
        channels[party] = samples
    return channels


def _speech_db(script: Script, party: str, samples: Samples) -> float:
    """Return the level of what `party` says, as it is after the band of the line."""
    spoken = [
        samples[begin * LINE_HZ // 1000 : end * LINE_HZ // 1000]
        for begin, end in script.speech(party)
    ]
    power = np.square(np.concatenate([*spoken, np.zeros(1)]), dtype=np.float64).mean()
    return float(10 * np.log10(power + 1e-12))


def _channel(script: Script, party: str) -> Samples:
    length = next_fast_len(script.duration_ms * RATE_HZ // 1000 + RATE_HZ, real=True)
    mix = np.zeros(length)
    for item in script.said:
        if item.party == party:
            first = item.begin_ms * RATE_HZ // 1000
            mix[first : first + len(item.samples)] += item.samples * 10 ** (item.gain_db / 20)
    spectrum = rfft(mix)
    frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
    rise = np.clip((frequency - 250) / 100, 0, 1) * np.clip((3_500 - frequency) / 150, 0, 1)
    narrow = soxr.resample(irfft(spectrum * rise, length), RATE_HZ, LINE_HZ)
    return np.asarray(narrow, dtype=np.float32)


def _pink(random: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    """Return noise of unit RMS that falls 3 dB an octave."""
    padded = next_fast_len(length, real=True)
    spectrum = rfft(random.standard_normal(padded))
    frequency = np.maximum(np.fft.rfftfreq(padded, 1 / LINE_HZ), 50.0)
    noise = irfft(spectrum / np.sqrt(frequency), padded)[:length]
    return np.asarray(noise / np.sqrt(np.mean(np.square(noise))))
