"""Telephone lines: the conditions of the figures, 16 kHz speech in and 8 kHz line audio out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr
from scipy.signal import butter, sosfilt

from audio.g711 import decode, encode_mulaw
from bench.prosody.calls import GeneratedCall
from bench.speech_bank import RATE_HZ

LINE_RATE_HZ = 8_000
CONDITIONS = ("raw", "levelled", "mulaw_agc", "babble_15db")
"""`raw`: levels as spoken. `levelled`: every sentence at one level, 300-3400 Hz, mu-law.
`mulaw_agc`: a random gain, automatic gain control, 300-3400 Hz, mu-law. `babble_15db`: the same
after other voices were added, 15 dB below the calm speech."""
Samples = npt.NDArray[np.float32]
_LIMIT = 0.9


def on_the_line(
    call: GeneratedCall, condition: str, babble: Samples | None, seed: int = 1
) -> Samples:
    """Return the call as the far end hears it, 8 kHz.

    Args:
        call: the speech.
        condition: one of `CONDITIONS`.
        babble: other voices at -26 dBFS, 16 kHz; needed for `babble_15db`.
        seed: of the random gain.
    """
    rng = np.random.default_rng([seed, sum(call.name.encode())])
    audio = call.samples.copy()
    if condition == "raw":
        return np.clip(soxr.resample(audio, RATE_HZ, LINE_RATE_HZ), -1, 1).astype(np.float32)
    if condition == "levelled":
        return telephone(levelled(audio, call.speech))
    if condition == "babble_15db":
        if babble is None:
            raise ValueError("The condition babble_15db needs babble; pass other voices.")
        start = int(rng.integers(len(babble)))
        noise = np.resize(np.roll(babble, -start), len(audio))
        audio = audio + noise * np.float32(10 ** (-15 / 20))
    return telephone(automatic_gain(audio, float(rng.uniform(-10, 6))))


def levelled(samples: Samples, spans: tuple[tuple[int, int], ...], level: float = 0.05) -> Samples:
    """Bring every span (ms) to one RMS level."""
    audio = samples.copy()
    for begin_ms, end_ms in spans:
        part = slice(begin_ms * RATE_HZ // 1000, end_ms * RATE_HZ // 1000)
        audio[part] *= level / max(float(np.sqrt(np.mean(np.square(audio[part])))), 1e-6)
    return audio


def telephone(samples: Samples) -> Samples:
    """300-3400 Hz, 8 kHz, G.711 mu-law."""
    narrow = soxr.resample(samples, RATE_HZ, LINE_RATE_HZ)
    band = butter(4, (300, 3400), "bandpass", fs=LINE_RATE_HZ, output="sos")
    return decode(encode_mulaw(np.asarray(sosfilt(band, narrow), np.float32)), "mulaw")


def automatic_gain(samples: Samples, initial_db: float, target_dbfs: float = -22.0) -> Samples:
    """Move the level of speech towards a target by at most 6 dB per second, 20 ms at a time.

    WebRTC's adaptive controller moves as fast; endpoints aim at -19 dBm0 (RFC 7874), which is
    -22 dBFS. It holds still in pauses, as controllers with voice detection do, and a limiter
    takes peaks down at once.
    """
    step = RATE_HZ // 50
    out = samples.copy()
    gain_db, level_db = initial_db, target_dbfs - initial_db
    last_db = gain_db
    for begin in range(0, len(samples) - step + 1, step):
        power = float(np.mean(np.square(samples[begin : begin + step])))
        frame_db = 10 * np.log10(power + 1e-12)
        if frame_db > -45:
            level_db += 0.05 * (frame_db - level_db)
            wanted = float(np.clip(target_dbfs - level_db - 3.0, -20, 20))
            gain_db += float(np.clip(wanted - gain_db, -0.12, 0.12))
        peak = float(np.max(np.abs(samples[begin : begin + step]))) + 1e-9
        gain_db = min(gain_db, 20 * float(np.log10(_LIMIT / peak)))
        ramp = np.linspace(last_db, gain_db, step, endpoint=False)
        out[begin : begin + step] *= 10 ** (ramp / 20)
        last_db = gain_db
    return np.clip(out, -1, 1).astype(np.float32)


def babble_of(clips: list[Samples], seconds: float = 60.0, seed: int = 5) -> Samples:
    """Mix several voices to babble at -26 dBFS, 16 kHz; it may be looped."""
    rng = np.random.default_rng(seed)
    total = np.zeros(round(seconds * RATE_HZ))
    for layer in range(8):
        order = rng.permutation(len(clips))
        chained = np.concatenate(
            [clips[i] for i in order[layer % len(clips) :]] + [clips[order[0]]]
        )
        total += np.roll(np.resize(chained, len(total)), int(rng.integers(len(total))))
    return np.asarray(total * 10 ** (-26 / 20) / np.sqrt(np.mean(total**2)), np.float32)
