"""Telephone channels with exact truth, to learn on which window of a noisy line somebody speaks.

Speakers are the development and seen voices of `bench.floor`, telephone prompts in five languages
and `flite`, each moved up or down in pitch; the retired and test voices of `bench.floor` have no
part in it. A channel is a minute of one speaker, sentences and single words with pauses between,
over a line of its own: band, level, noise, codec, and sounds that are no speech. Truth comes from
the clean clip, as in `bench.floor.script`: 10 ms steps within 35 dB of its loudest.

Prompts: Debian's `asterisk-core-sounds-{en,es,fr,it,ru}-wav`, `asterisk-prompt-it-menardi-wav`
(CC-BY-SA-3.0; only the model's weights are learnt from them). Music: `asterisk-moh-opsound-wav`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy.fft import irfft, next_fast_len, rfft

from audio.g711 import MULAW_TABLE, encode_mulaw
from bench.floor.bank import KINDS, SPEED, texts
from bench.floor.bank import voices as own_voices
from bench.floor.script import PARTIES
from bench.speech_bank import RATE_HZ, SpeechBank

Signal = npt.NDArray[np.float64]
LINE_HZ = 8_000
SECONDS = 60
_STEP = RATE_HZ // 100
_PROMPTS = Path("/usr/share/asterisk/sounds")
_MUSIC = Path("/usr/share/asterisk/moh")
_PROMPT_VOICES = (
    "en_US_f_Allison",
    "es_MX_f_Allison",
    "fr_CA_f_June",
    "it_IT_m_Carlo",
    "it_IT_f_Menardi",
    "ru_RU_f_IvrvoiceRU",
)
_FLITE = shutil.which("flite") or "flite"
_FLITE_VOICES = ("rms", "slt", "awb")
_OWN_SPLITS = ("development", "seen")
_CLIPS_EACH = 120
_SPEECH_DB = -26.0
_QUIET_DB = 35.0
_LEAST_RANGE_DB = 42.0
"""Between the loudest and the softest steps of a clip: less, and its own noise is in the way."""


class Channel(msgspec.Struct):
    """One side of a call, and where its speaker speaks."""

    samples: npt.NDArray[np.float32]
    """At 8 kHz."""
    speech: npt.NDArray[np.bool_]
    """One a step of 10 ms."""
    snr_db: float


def speakers() -> dict[str, list[Signal]]:
    """Return the clips of every speaker that can be had here, at 16 kHz."""
    found: dict[str, list[Signal]] = {}
    bank = SpeechBank()
    for split, party in product(_OWN_SPLITS, PARTIES):
        said = [text for kind in KINDS for text in texts(split, party, kind)]
        for voice in own_voices(split, party):
            found[voice] = [_clip(bank.say(voice, text, SPEED).samples, RATE_HZ) for text in said]
    for voice in _PROMPT_VOICES:
        paths = sorted((_PROMPTS / voice).rglob("*.wav"))
        chosen = [p for p in paths if p.stat().st_size > RATE_HZ * 0.6]
        step = max(1, len(chosen) // _CLIPS_EACH)
        found[voice] = [_read(path) for path in chosen[::step]]
    lines = texts("development", "agent", "turns") + texts("development", "customer", "turns")
    for voice in _FLITE_VOICES:
        found[f"flite {voice}"] = [_flite(voice, line) for line in lines]
    return {
        name: [clip for clip in clips if _clean(clip)] for name, clips in found.items() if clips
    }


def channel(voices: dict[str, list[Signal]], seed: int) -> Channel:
    """Return a minute of somebody on the telephone."""
    random = np.random.default_rng([seed, 29])
    count = SECONDS * RATE_HZ
    mix, truth = np.zeros(count), np.zeros(SECONDS * 100, dtype=bool)
    clips = voices[str(random.choice(sorted(voices)))]
    shift = float(random.uniform(0.85, 1.18))
    listens = random.random() < 0.3
    at_s = float(random.uniform(0.5, 30.0 if listens else 4.0))
    while at_s < SECONDS - 1:
        clip = clips[int(random.integers(len(clips)))]
        clip = soxr.resample(clip, RATE_HZ * shift, RATE_HZ)
        gain_db = 2.5 * random.standard_normal()
        if random.random() < 0.3:
            clip = _word(clip, random)
            gain_db -= 3.5
        first = round(at_s * 100) * _STEP
        clip = clip[: count - first]
        mix[first : first + len(clip)] += clip * 10 ** (gain_db / 20)
        loud = _loud(clip)
        truth[first // _STEP : first // _STEP + len(loud)] |= loud
        pause = (0.1, 0.6) if random.random() < 0.45 else (1.0, 25.0 if listens else 7.0)
        at_s += len(clip) / RATE_HZ + float(random.uniform(*pause))
    samples, snr_db = _line(mix, truth, random, voices)
    return Channel(samples, truth, snr_db)


def _line(
    mix: Signal, truth: npt.NDArray[np.bool_], random: np.random.Generator, voices: dict[str, list]
) -> tuple[npt.NDArray[np.float32], float]:
    low, high = random.uniform(100, 350), random.uniform(3_000, 3_800)
    mix = _band(mix, low, high)
    spoken = np.repeat(truth, _STEP)
    level = np.sqrt(np.mean(np.square(mix[spoken]))) if spoken.any() else 10 ** (_SPEECH_DB / 20)
    snr_db = random.uniform(3, 20) if random.random() < 0.6 else random.uniform(20, 45)
    noise = _noise(len(mix), random, voices)
    if random.random() < 0.5:
        noise = _band(noise, low, high)
    noise *= level * 10 ** (-snr_db / 20) / (np.sqrt(np.mean(np.square(noise))) + 1e-9)
    out = mix + noise + _sounds(len(mix), random) * level
    out *= 10 ** ((random.uniform(-16, 8) + _SPEECH_DB) / 20) / level
    out = np.clip(soxr.resample(out, RATE_HZ, LINE_HZ), -1, 1).astype(np.float32)
    if random.random() < 0.5:
        out = (MULAW_TABLE[np.frombuffer(encode_mulaw(out), np.uint8)] / 32768.0).astype(np.float32)
    return out, snr_db


def _noise(length: int, random: np.random.Generator, voices: dict[str, list[Signal]]) -> Signal:
    kind = random.choice(
        ["pink", "white", "brown", "babble", "breathing", "switched", "hum"],
        p=[0.28, 0.1, 0.08, 0.1, 0.1, 0.26, 0.08],
    )
    if kind == "babble":
        out = np.zeros(length)
        names = sorted(voices)
        for _ in range(int(random.integers(4, 9))):
            clips, at = voices[str(random.choice(names))], 0
            while at < length:
                part = clips[int(random.integers(len(clips)))][: length - at]
                out[at : at + len(part)] += part
                at += len(part) + int(random.integers(0, RATE_HZ))
        return out
    if kind == "hum":
        time = np.arange(length) / RATE_HZ
        return sum(
            np.sin(2 * np.pi * 50 * n * time + random.uniform(0, 6)) / n for n in range(1, 12)
        ) + 0.2 * random.standard_normal(length)
    slope = {"white": 0.0, "brown": 2.0, "switched": random.uniform(0, 2)}.get(str(kind), 1.0)
    padded = next_fast_len(length, real=True)
    frequency = np.maximum(np.fft.rfftfreq(padded, 1 / RATE_HZ), 50.0)
    shaped = rfft(random.standard_normal(padded)) / frequency ** (slope / 2)
    out = irfft(shaped, padded)[:length]
    if kind == "breathing":
        slow = np.interp(
            np.arange(length),
            np.arange(0, length + RATE_HZ, RATE_HZ),
            random.uniform(-6, 6, length // RATE_HZ + 2)[: length // RATE_HZ + 1],
        )
        out = out * 10 ** (slow / 20)
    if kind == "switched":
        at = 0
        while at < length:
            lasts = int(random.uniform(1, 15) * RATE_HZ)
            out[at : at + lasts] *= 10 ** (random.uniform(-35, 0) / 20)
            at += lasts
    return np.asarray(out / np.sqrt(np.mean(np.square(out))))


def _sounds(length: int, random: np.random.Generator) -> Signal:
    """Return what else a handset carries, in units of the speech level; in every third call none.

    Clicks, bursts that swell or fade, rustling and breath, tones, and music.
    """
    out = np.zeros(length)
    if random.random() < 0.3:
        return out
    for _ in range(int(random.integers(1, 30))):
        first = int(random.integers(0, length - 11 * RATE_HZ))
        sound = _sound(random)
        out[first : first + len(sound)] += sound * 10 ** (random.uniform(-30, 6) / 20)
    return out


def _sound(random: np.random.Generator) -> Signal:
    kind = random.choice(
        ["clicks", "burst", "rustling", "tone", "music"], p=[0.2, 0.35, 0.22, 0.17, 0.06]
    )
    if kind == "clicks":
        out = np.zeros(RATE_HZ)
        for _ in range(int(random.integers(1, 8))):
            first = int(random.integers(0, len(out) - 800))
            out[first : first + 800] += random.standard_normal(800) * np.exp(-np.arange(800) / 120)
        return out * 2
    if kind == "tone":
        time = np.arange(int(random.uniform(0.08, 1.5) * RATE_HZ)) / RATE_HZ
        return np.asarray(
            sum(np.sin(2 * np.pi * random.uniform(350, 1_700) * time) for _ in range(2)) / 2
        )
    if kind == "music":
        tune = _music(str(random.choice(sorted(str(p) for p in _MUSIC.glob("*.wav")))))
        begin = int(random.integers(0, len(tune) - 11 * RATE_HZ))
        return tune[begin : begin + int(random.uniform(3, 10) * RATE_HZ)]
    lasts_s = random.uniform(0.04, 0.6) if kind == "burst" else random.uniform(0.3, 2.5)
    noise = random.standard_normal(int(lasts_s * RATE_HZ))
    low_hz = float(np.exp(random.uniform(np.log(60), np.log(1_500))))
    noise = _band(noise, low_hz, low_hz * random.uniform(1.5, 12) + 200)
    noise /= np.sqrt(np.mean(np.square(noise))) + 1e-9
    shape = np.hanning(len(noise))
    if kind == "burst" and random.random() < 0.6:
        shape = np.exp(-np.arange(len(noise)) / (len(noise) * random.uniform(0.1, 0.5)))
    if kind == "rustling":
        knots = random.uniform(0.0, 1.0, int(lasts_s * random.uniform(4, 25)) + 2) ** 2
        shape = shape * np.interp(
            np.linspace(0, len(knots) - 1, len(noise)), range(len(knots)), knots
        )
    return np.asarray(noise * shape * 1.5)


@cache
def _music(path: str) -> Signal:
    tune = _resampled(*soundfile.read(path, dtype="float64"))
    return np.asarray(tune / np.sqrt(np.mean(np.square(tune))))


def _band(signal: Signal, low_hz: float, high_hz: float) -> Signal:
    padded = next_fast_len(len(signal), real=True)
    frequency = np.fft.rfftfreq(padded, 1 / RATE_HZ)
    rise = np.clip((frequency - low_hz + 100) / 100, 0, 1)
    fall = np.clip((high_hz + 150 - frequency) / 150, 0, 1)
    return np.asarray(irfft(rfft(signal, padded) * rise * fall, padded)[: len(signal)])


def _word(clip: Signal, random: np.random.Generator) -> Signal:
    """Cut a short piece out of a clip, as a listener's "right" or a turn that is cut off."""
    length = min(len(clip), int(random.uniform(0.18, 0.7) * RATE_HZ))
    first = int(random.integers(0, len(clip) - length + 1))
    piece = clip[first : first + length].copy()
    rise, fall = RATE_HZ * 15 // 1000, RATE_HZ * 40 // 1000
    piece[:rise] *= np.linspace(0, 1, rise)
    piece[-fall:] *= np.linspace(1, 0, fall)
    return piece


def _clip(samples: npt.NDArray[np.float32], rate_hz: int) -> Signal:
    clip = _resampled(samples.astype(np.float64), rate_hz)
    steps = np.flatnonzero(_loud(clip))
    if len(steps):
        clip = clip[steps[0] * _STEP : (steps[-1] + 1) * _STEP]
    return clip * 10 ** (_SPEECH_DB / 20) / (np.sqrt(np.mean(np.square(clip))) + 1e-9)


def _resampled(samples: Signal, rate_hz: int) -> Signal:
    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else samples)


def _read(path: Path) -> Signal:
    samples, rate_hz = soundfile.read(path, dtype="float32")
    return _clip(samples, rate_hz)


def _flite(voice: str, text: str) -> Signal:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run([_FLITE, "-voice", voice, "-t", text, "-o", str(path)], check=True)
        return _read(path)


def _levels(clip: Signal) -> Signal:
    whole = len(clip) // _STEP
    power = np.square(clip[: whole * _STEP].reshape(whole, _STEP)).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-12))


def _loud(clip: Signal) -> npt.NDArray[np.bool_]:
    levels = _levels(clip)
    return np.asarray(levels > levels.max() - _QUIET_DB if len(levels) else levels > 0)


def _clean(clip: Signal) -> bool:
    levels = _levels(clip)
    return len(levels) > 20 and bool(levels.max() - np.quantile(levels, 0.02) > _LEAST_RANGE_DB)
