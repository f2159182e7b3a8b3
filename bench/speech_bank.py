"""Spoken sentences with the time of every word, for benchmarks; each is synthesised once and kept.

    bank = SpeechBank()
    clip = bank.say("nezumi", "I was charged twice for the same month.")

Development and test voices are disjoint. Texts and labels come from scripts, never from a detector;
word times come from forced alignment of the known text. Needs the extra `sample`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from asr.engine import Engine
from asr.settings import AsrSettings
from bench.sample_call.voices import RATE_HZ as _VOICE_RATE_HZ
from bench.sample_call.voices import Voices

RATE_HZ = 16_000
LEVEL_DBFS = -26.0
"""Level of every clip (RMS over its whole length)."""


class Voice(msgspec.Struct, frozen=True):
    """A speaker: a Kokoro voice, and how far its pitch and formants are shifted together."""

    base: str
    """A Kokoro voice, or several with `+` between them: the mean of their styles."""
    shift: float
    """Below 1 a longer vocal tract and a lower voice."""
    test: bool
    floor: bool = False
    """Kept for the test splits of `bench.floor`."""


VOICES = {
    "alpha": Voice("jf_alpha", 1.0, False),
    "gongitsune": Voice("jf_gongitsune", 1.0, False),
    "bertram": Voice("jf_gongitsune", 0.8, False),
    "ada": Voice("jf_alpha", 0.9, False),
    "nezumi": Voice("jf_nezumi", 1.0, True),
    "tebukuro": Voice("jf_tebukuro", 1.0, True),
    "kumo": Voice("jm_kumo", 1.0, True),
    "konrad": Voice("jm_kumo", 0.92, True),
    "theo": Voice("jf_tebukuro", 0.82, True),
    "nora": Voice("jf_nezumi", 1.1, True),
    "milla": Voice("jf_nezumi+jf_alpha", 1.05, True, floor=True),
    "oskar": Voice("jm_kumo+jf_gongitsune", 0.86, True, floor=True),
    "vera": Voice("jf_tebukuro+jf_gongitsune", 0.95, True, floor=True),
    "ruben": Voice("jm_kumo+jf_tebukuro", 0.9, True, floor=True),
    "thea": Voice("jf_alpha+jf_tebukuro", 1.08, True, floor=True),
    "judith": Voice("jf_nezumi+jf_gongitsune", 0.92, True, floor=True),
    "silke": Voice("jf_nezumi+jf_tebukuro", 1.0, True, floor=True),
    "anton": Voice("jm_kumo+jf_alpha", 0.88, True, floor=True),
    "greta": Voice("jf_alpha+jf_gongitsune", 1.1, True, floor=True),
    "emil": Voice("jm_kumo+jf_nezumi", 0.95, True, floor=True),
    "paula": Voice("jf_tebukuro+jf_gongitsune+jf_alpha", 0.9, True, floor=True),
    "hanna": Voice("jf_nezumi+jf_gongitsune+jf_tebukuro", 1.05, True, floor=True),
    "lukas": Voice("jm_kumo+jf_alpha+jf_gongitsune", 0.9, True, floor=True),
    "marta": Voice("jf_alpha+jf_nezumi+jf_tebukuro", 1.03, True, floor=True),
    "rosa": Voice("jf_alpha+jf_gongitsune+jf_nezumi", 0.97, True, floor=True),
    "jonas": Voice("jm_kumo+jf_nezumi+jf_tebukuro", 0.93, True, floor=True),
    "frieda": Voice("jf_gongitsune+jf_nezumi+jf_alpha+jf_tebukuro", 1.08, True, floor=True),
    "otto": Voice("jm_kumo+jf_gongitsune+jf_tebukuro", 0.85, True, floor=True),
    "bruno": Voice("jm_kumo+jf_tebukuro+jf_alpha", 0.92, True, floor=True),
    "clara": Voice("jf_tebukuro+jf_nezumi+jf_alpha+jf_gongitsune", 0.94, True, floor=True),
    "ilse": Voice("jf_alpha+jf_gongitsune+jf_tebukuro", 1.06, True, floor=True),
    "felix": Voice("jm_kumo+jf_gongitsune+jf_nezumi", 0.9, True, floor=True),
    "tilda": Voice("jf_tebukuro+jf_alpha", 0.96, True, floor=True),
    "wanda": Voice("jf_gongitsune+jf_tebukuro", 1.07, True, floor=True),
}
DEVELOPMENT_VOICES = tuple(name for name, voice in VOICES.items() if not voice.test)
TEST_VOICES = tuple(name for name, voice in VOICES.items() if voice.test and not voice.floor)


class SpokenWord(msgspec.Struct, frozen=True):
    """One word of a clip; seconds from its first sample."""

    text: str
    begin_s: float
    end_s: float


class Clip(msgspec.Struct, frozen=True):
    """A spoken sentence, trimmed to its speech."""

    voice: str
    text: str
    samples: npt.NDArray[np.float32]
    """Shape (n,), 16 kHz, -26 dBFS."""
    words: tuple[SpokenWord, ...]

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.samples) / RATE_HZ


class SpeechBank:
    """Clips on disk, made when they are first asked for.

    They are kept in `folder`, by default `HEARTLINE_SPEECH_BANK` or `bench/out/speech`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        default = os.environ.get("HEARTLINE_SPEECH_BANK", "bench/out/speech")
        self._folder = folder or Path(default)
        self._voices: Voices | None = None
        self._engine: Engine | None = None

    def say(self, voice: str, text: str, speed: float = 1.0) -> Clip:
        """Return `text` spoken by `voice`, a key of `VOICES`; `speed` 1 is about 170 words/min."""
        key = hashlib.sha256(f"1|{voice}|{speed:.3f}|{text}".encode()).hexdigest()[:24]
        audio, times = self._folder / f"{key}.flac", self._folder / f"{key}.json"
        if not times.is_file():
            self._make(voice, text, speed, audio, times)
        samples, _ = soundfile.read(audio, dtype="float32")
        words = tuple(SpokenWord(*word) for word in json.loads(times.read_text("utf-8")))
        return Clip(voice, text, samples, words)

    def _make(self, voice: str, text: str, speed: float, audio: Path, times: Path) -> None:
        if self._voices is None or self._engine is None:
            self._voices, self._engine = Voices(), Engine(AsrSettings())
            self._engine.load()
        speaker = VOICES[voice]
        raw = self._voices.say(text, speaker.base, speed / speaker.shift)
        samples = soxr.resample(raw, _VOICE_RATE_HZ * speaker.shift, RATE_HZ)
        level = 10 ** (LEVEL_DBFS / 20) / max(float(np.sqrt(np.mean(np.square(samples)))), 1e-9)
        samples = np.clip(samples * level, -1, 1).astype(np.float32)
        words: list[Any] = [
            (word.text, round(word.start_s, 3), round(word.end_s, 3))
            for word in self._engine.align(samples, text)
        ]
        self._folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, samples, RATE_HZ, subtype="PCM_16")
        partial = times.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(words), "utf-8")
        partial.replace(times)
