"""Two independent ways to raise a recorded voice, and one to cheer it up.

Vocal effort lifts the spectrum above 1 kHz by 0.4-0.7 dB per dB of level (Nordenberg & Sundberg,
2004) and pitch by 0.2-0.6 semitone per dB (Gramming et al., 1988). `vocoder` is the transform of
the sample call. `strained` shares no step with it but the vocoder itself: other estimates of pitch
and aperiodicity, a pitch range that widens, a first formant that rises, a shelf that follows the
syllables, compressed dynamics and slower vowels. A detector that finds both is not fitted to one
of them. Transformed speech proves the mechanism, not the field.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bench.sample_call.voices import RATE_HZ as VOCODER_RATE_HZ
from bench.sample_call.voices import raise_voice
from bench.speech_bank import RATE_HZ

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


class Effort(msgspec.Struct, frozen=True):
    """A transform and its dose."""

    kind: str
    """`vocoder`, `strained` or `cheerful`."""
    semitones: float
    tilt_db: float
    level_db: float
    """Level against the calm clip; conditions that level each clip take it away."""

    @property
    def name(self) -> str:
        """Short name for tables and cache keys."""
        return f"{self.kind}_{self.semitones:g}st_{self.tilt_db:g}db"


DOSES = {
    "raised": (Effort("vocoder", 4.0, 6.0, 4.0), Effort("strained", 4.0, 6.0, 4.0)),
    "loud": (Effort("vocoder", 6.0, 8.0, 6.0), Effort("strained", 6.0, 8.0, 6.0)),
    "shouted": (Effort("vocoder", 9.0, 10.0, 9.0), Effort("strained", 9.0, 10.0, 9.0)),
}
"""The doses of the reported figures; acted anger on simulated telephone is +9.4 st and +7 dB."""
SLIGHT = (Effort("vocoder", 2.0, 3.0, 2.0), Effort("strained", 2.0, 3.0, 2.0))
"""Below what anybody would call raised; reported on its own."""
CHEERFUL = Effort("cheerful", 4.0, 0.0, 1.0)


def apply_effort(samples: Samples, effort: Effort, cache: Path) -> Samples:
    """Return the clip with that effort, 16 kHz; kept in `cache` once made."""
    digest = hashlib.sha256(f"2|{effort}|".encode() + samples.tobytes()).hexdigest()[:24]
    path = cache / f"effort-{digest}.flac"
    if not path.is_file():
        made = _TRANSFORMS[effort.kind](np.asarray(samples, np.float64), effort)
        gain = _rms(samples) * 10 ** (effort.level_db / 20) / max(_rms(made), 1e-9)
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.flac")
        soundfile.write(partial, np.clip(made * gain, -1, 1), RATE_HZ, subtype="PCM_16")
        partial.replace(path)
    return np.asarray(soundfile.read(path, dtype="float32")[0])


def lowered(samples: Samples, semitones: float, formants: float, cache: Path) -> Samples:
    """Return the clip in a voice of other pitch and, below 1, a longer vocal tract."""
    key = f"lowered 1|{semitones}|{formants}|".encode() + samples.tobytes()
    path = cache / f"effort-{hashlib.sha256(key).hexdigest()[:24]}.flac"
    if not path.is_file():
        import pyworld

        audio = np.asarray(samples, np.float64)
        f0, times = pyworld.harvest(audio, RATE_HZ)
        shapes = [
            pyworld.cheaptrick(audio, f0, times, RATE_HZ),
            pyworld.d4c(audio, f0, times, RATE_HZ),
        ]
        source = np.arange(shapes[0].shape[1]) / formants
        low = source.astype(int).clip(0, len(source) - 2)
        part = (source - low).clip(0, 1)
        envelope, aperiodicity = (
            np.ascontiguousarray(np.exp(logs[:, low] * (1 - part) + logs[:, low + 1] * part))
            for logs in map(np.log, shapes)
        )
        made = pyworld.synthesize(f0 * 2 ** (semitones / 12), envelope, aperiodicity, RATE_HZ)
        made = made[: len(audio)] * (_rms(samples) / max(_rms(made), 1e-9))
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.flac")
        soundfile.write(partial, np.clip(made, -1, 1), RATE_HZ, subtype="PCM_16")
        partial.replace(path)
    return np.asarray(soundfile.read(path, dtype="float32")[0])


def impose_pitch(samples: Samples, seed: int) -> tuple[Samples, Floats]:
    """Re-synthesise a clip with a pitch contour that is known exactly.

    Returns:
        The audio, and the imposed pitch in Hz every 5 ms from sample 0, 0 where there is no voice.
    """
    import pyworld

    audio = np.asarray(samples, np.float64)
    f0, times = pyworld.harvest(audio, RATE_HZ)
    envelope = pyworld.cheaptrick(audio, f0, times, RATE_HZ)
    aperiodicity = pyworld.d4c(audio, f0, times, RATE_HZ)
    voiced = f0 > 0
    middle = float(np.median(f0[voiced])) if voiced.any() else 150.0
    rng = np.random.default_rng(seed)
    knots = np.arange(0, times[-1] + 0.5, 0.25)
    wander = np.interp(times, knots, rng.normal(0, 2.5, len(knots)))
    imposed = np.where(voiced, np.clip(middle * 2 ** (wander / 12), 75, 450), 0.0)
    made = pyworld.synthesize(imposed, envelope, aperiodicity, RATE_HZ)[: len(audio)]
    return np.asarray(made, np.float32), np.asarray(imposed, np.float64)


def _vocoder(samples: Floats, effort: Effort) -> Floats:
    at_vocoder_rate = soxr.resample(samples, RATE_HZ, VOCODER_RATE_HZ)
    raised = raise_voice(at_vocoder_rate, effort.semitones, effort.tilt_db)
    return np.asarray(soxr.resample(raised, VOCODER_RATE_HZ, RATE_HZ))


def _strained(samples: Floats, effort: Effort) -> Floats:
    import pyworld
    from scipy.signal import butter, sosfiltfilt

    rough, times = pyworld.dio(samples, RATE_HZ, f0_floor=65.0, f0_ceil=600.0, frame_period=5.0)
    f0 = pyworld.stonemask(samples, rough, times, RATE_HZ)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE_HZ)
    aperiodicity = pyworld.d4c(samples, f0, times, RATE_HZ)
    voiced = f0 > 0
    middle = float(np.median(f0[voiced])) if voiced.any() else 150.0
    wider = middle * (f0[voiced] / middle) ** 1.25
    f0[voiced] = np.clip(wider * 2 ** (effort.semitones / 12), 60, 700)
    hertz = np.linspace(0, RATE_HZ / 2, envelope.shape[1])
    lift = 1 + 0.012 * effort.semitones * np.clip((1300 - hertz) / 900, 0, 1)
    source = np.interp(hertz / lift, hertz, np.arange(len(hertz)))
    low = source.astype(int).clip(0, len(hertz) - 2)
    part = source - low
    logs = np.log(envelope)
    envelope = np.exp(logs[:, low] * (1 - part) + logs[:, low + 1] * part)
    stretch = 1 + 0.012 * effort.semitones
    ends = np.cumsum(np.where(voiced, stretch, 1.0))
    frames = np.searchsorted(ends, np.arange(int(ends[-1]))).clip(0, len(f0) - 1)
    made = pyworld.synthesize(
        f0[frames].copy(),
        np.ascontiguousarray(envelope[frames]),
        np.ascontiguousarray(np.clip(aperiodicity[frames] * 0.9, 1e-4, 0.999)),
        RATE_HZ,
    )
    high = sosfiltfilt(butter(2, 1100, "highpass", fs=RATE_HZ, output="sos"), made)
    smooth = butter(2, 8, "lowpass", fs=RATE_HZ, output="sos")
    loudness = np.sqrt(np.clip(sosfiltfilt(smooth, np.square(made)), 1e-10, None))
    weight = np.clip(loudness / np.percentile(loudness, 90), 0, 1)
    bright = made + (10 ** (effort.tilt_db / 20) - 1) * high * (0.5 + 0.5 * weight)
    return np.asarray(bright / np.maximum(loudness, 0.05 * loudness.max()) ** 0.25)


def _cheerful(samples: Floats, effort: Effort) -> Floats:
    import pyworld

    f0, times = pyworld.harvest(samples, RATE_HZ)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE_HZ)
    aperiodicity = pyworld.d4c(samples, f0, times, RATE_HZ)
    voiced = f0 > 0
    middle = float(np.median(f0[voiced])) if voiced.any() else 150.0
    f0[voiced] = middle * (f0[voiced] / middle) ** 1.5 * 2 ** (effort.semitones / 12)
    return np.asarray(pyworld.synthesize(f0, envelope, aperiodicity, RATE_HZ))


def _rms(samples: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


_TRANSFORMS = {"vocoder": _vocoder, "strained": _strained, "cheerful": _cheerful}
