"""Pitch trackers on speech whose pitch is known exactly, because it was imposed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from bench.prosody.calls import SENTENCES
from bench.prosody.detection import babble_for
from bench.prosody.effort import impose_pitch
from bench.prosody.line import LINE_RATE_HZ, automatic_gain, telephone
from bench.results import Row
from bench.speech_bank import RATE_HZ, SpeechBank
from prosody.features import HOP_MS, TICK_MS
from prosody.pitch import PitchTrack
from prosody.settings import ProsodySettings

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
_HOP = LINE_RATE_HZ * HOP_MS // 1000
_GROSS = 0.2
_YIN: Any = {"fmin": 65, "fmax": 500, "sr": LINE_RATE_HZ, "frame_length": 512, "hop_length": _HOP}


def swift_f0(line: Samples) -> Floats:
    """The product's stream, fed tick by tick."""
    settings = ProsodySettings()
    track = PitchTrack(0, LINE_RATE_HZ, fmin_hz=settings.f0_min_hz, fmax_hz=settings.f0_max_hz)
    f0 = np.zeros(len(line) // _HOP + 1)
    step = LINE_RATE_HZ * TICK_MS // 1000
    padded = np.concatenate([line, np.zeros(2 * step, np.float32)])
    for begin in range(0, len(padded), step):
        for hop, semitones, confidence in track.push(padded[begin : begin + step]):
            if hop < len(f0) and confidence >= settings.voiced_confidence:
                f0[hop] = 55.0 * 2 ** (semitones / 12)
    return f0


def librosa_yin(line: Samples) -> Floats:
    """YIN, which has no decision on voicing."""
    import librosa

    return np.asarray(librosa.yin(line, **_YIN))


def librosa_pyin(line: Samples) -> Floats:
    """Probabilistic YIN; 0 where it hears no voice."""
    import librosa

    f0, voiced, _ = librosa.pyin(line, **_YIN)
    return np.where(voiced, np.nan_to_num(f0), 0.0)


TRACKERS: dict[str, Callable[[Samples], Floats]] = {
    "heartline": swift_f0,
    "librosa_yin": librosa_yin,
    "librosa_pyin": librosa_pyin,
}


def tracker_rows(bank: SpeechBank, voices: tuple[str, ...], sentences: int) -> Iterator[Row]:
    """Yield gross errors (off by more than 20 %), voiced frames found, and cost of every tracker.

    A frame counts when its pitch was imposed 16 ms around and it is within 25 dB of the loudest.
    """
    counts: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    cost_s = dict.fromkeys(TRACKERS, 0.0)
    audio_s = 0.0
    for tracker in TRACKERS.values():
        tracker(np.zeros(LINE_RATE_HZ, np.float32))
    for voice in voices:
        babble = babble_for(bank, voice, voices)
        for number, text in enumerate(SENTENCES[:sentences]):
            made, truth = impose_pitch(bank.say(voice, text).samples, number)
            noisy = made + babble[: len(made)] * np.float32(10 ** (-15 / 20) * _rms(made) / 0.05)
            for condition, line in (
                ("raw", np.asarray(soxr.resample(made, RATE_HZ, LINE_RATE_HZ), np.float32)),
                ("mulaw_agc", telephone(automatic_gain(made, 0.0))),
                ("babble_15db", telephone(automatic_gain(noisy, 0.0))),
            ):
                known = _truth_at_hops(truth, made, len(line) // _HOP)
                audio_s += len(line) / LINE_RATE_HZ
                for system, tracker in TRACKERS.items():
                    begin = time.process_time()
                    f0 = tracker(line)[: len(known)]
                    cost_s[system] += time.process_time() - begin
                    judged = (known > 0) & (f0 > 0)
                    wrong = np.abs(f0[judged] / known[judged] - 1) > _GROSS
                    entry = (int(wrong.sum()), int(judged.sum()), int((known > 0).sum()))
                    counts.setdefault((system, condition), []).append(entry)
    for (system, condition), entries in counts.items():
        wrong_frames, judged_frames, voiced = (sum(column) for column in zip(*entries, strict=True))
        error = wrong_frames / max(1, judged_frames)
        found = judged_frames / max(1, voiced)
        yield Row(system, condition, "f0_gross_error", error, "share", judged_frames)
        yield Row(system, condition, "f0_voiced_found", found, "share", voiced)
    for system, seconds in cost_s.items():
        percent = 100 * seconds / audio_s
        yield Row(system, "f0_always", "core_percent_per_channel", percent, "%", round(audio_s))


def _truth_at_hops(truth: Floats, made: Samples, hops: int) -> Floats:
    """Imposed pitch at every 16 ms, 0 where it is not certain."""
    at = np.arange(hops) * HOP_MS
    steps = (at / 5).astype(int).clip(0, len(truth) - 1)
    near = [truth[(steps + shift).clip(0, len(truth) - 1)] for shift in (-3, 0, 3)]
    size = RATE_HZ * HOP_MS // 1000
    padded = np.pad(made, (size, size * 2))
    level = np.array([_rms(padded[i * size : (i + 2) * size]) for i in range(hops)])
    certain = (np.min(near, axis=0) > 0) & (level > level.max() * 10 ** (-25 / 20))
    return np.where(certain, near[1], 0.0)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
