"""Detection of raised voices on every line, ours and simpler systems side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bench.prosody.calls import SENTENCES, GeneratedCall, calm_call, raised_call
from bench.prosody.figures import Found, Window, own_starts, own_windows, starts_of
from bench.prosody.line import CONDITIONS, LINE_RATE_HZ, babble_of, on_the_line
from bench.prosody.listen import Listener, SpeechEvent
from bench.results import Row
from bench.speech_bank import TEST_VOICES, SpeechBank
from conversation.events import Channel, ProsodyFrame, SpeechEnded
from prosody.features import HOP_MS
from prosody.settings import ProsodySettings
from prosody.tracker import ProsodyEvent

Samples = npt.NDArray[np.float32]
ALLOWED_FALSE_PER_MIN = 0.2
_BASE_WINDOWS = 33
_OWN = Channel.CUSTOMER


class Heard(msgspec.Struct, frozen=True):
    """One call on one line, and what voice activity said of it."""

    call: GeneratedCall
    line: Samples
    speech: list[SpeechEvent]


def lines(
    bank: SpeechBank, listener: Listener, voices: Sequence[str], seed: int, *, calm: bool
) -> Iterator[tuple[str, Heard]]:
    """Yield every call of every voice under every condition."""
    for voice in voices:
        babble = babble_for(bank, voice, TEST_VOICES)
        calls = [raised_call(bank, voice, seed)]
        if calm:
            calls.append(calm_call(bank, voice, seed))
        for call in calls:
            for condition in CONDITIONS:
                line = on_the_line(call, condition, babble, seed)
                yield condition, Heard(call, line, listener.speech(_OWN, line))


def babble_for(bank: SpeechBank, voice: str, voices: Sequence[str]) -> Samples:
    """Mix the other voices."""
    others = [other for other in voices if other != voice]
    return babble_of([bank.say(o, text).samples for o in others for text in SENTENCES[:6]])


class Contest:
    """Our detector and the baselines on the same lines."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._found: dict[tuple[str, str], Found] = {}
        self._baselines: dict[tuple[str, str], list[tuple[GeneratedCall, list[Window]]]] = {}
        self._pitch: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def hear(self, condition: str, heard: Heard, *, baselines: bool = True) -> None:
        """Run every system over one line."""
        self._ours("heartline", condition, heard, ProsodySettings())
        if not baselines:
            return
        always = ProsodySettings(f0_always_on=True)
        events = self._ours("always_on_f0", condition, heard, always)
        frames = [e for e in events if isinstance(e, ProsodyFrame) and e.z_tilt is not None]
        yin = _yin_semitones(heard)
        scores = {
            "level_only": [f.level_delta_db for f in frames],
            "tilt_only": [f.z_tilt for f in frames],
            "swift_f0_only": [f.f0_delta_st for f in frames],
            "librosa_yin": _relative([_window_median(yin, f) for f in frames]),
        }
        for system, values in scores.items():
            windows = [
                Window(f.at_ms, f.begin_ms, f.end_ms, value)
                for f, value in zip(frames, values, strict=True)
            ]
            self._baselines.setdefault((system, condition), []).append((heard.call, windows))

    @property
    def heard(self) -> bool:
        """Whether anything was heard."""
        return bool(self._found)

    def rows(self) -> list[Row]:
        """Return the figures; doses as conditions of their own."""
        rows: list[Row] = []
        for (system, condition), found in self._found.items():
            rows += found.rows(system, condition)
            shares = self._pitch[system, condition]
            share = sum(p for p, _ in shares) / max(1, sum(u for _, u in shares))
            rows.append(Row(system, condition, "pitch_share", share, "share", len(shares)))
            if system == "heartline":
                rows += found.dose_rows(system, condition)
            if system == "always_on_f0":
                lost = found.recall - self.found(condition).recall
                rows.append(Row("heartline", condition, "recall_lost_by_cascade", lost, "", 1))
        for (system, condition), calls in self._baselines.items():
            rows += _at_best(calls).rows(system, condition)
        return rows

    def found(self, condition: str) -> Found:
        """Return what our detector found under one condition."""
        return self._found["heartline", condition]

    def _ours(
        self, system: str, condition: str, heard: Heard, settings: ProsodySettings
    ) -> list[ProsodyEvent]:
        events, stage = self._listener.prosody({_OWN: heard.line}, {_OWN: heard.speech}, settings)
        found = self._found.setdefault((system, condition), Found())
        found.add(heard.call, own_windows(events), own_starts(events))
        spent = (stage.pitch_ticks, stage.usable_ticks)
        self._pitch.setdefault((system, condition), []).append(spent)
        return events


def _at_best(calls: Sequence[tuple[GeneratedCall, list[Window]]]) -> Found:
    """A baseline at the lowest threshold that keeps its false events rare on these very calls.

    That is kinder to it than to us, whose thresholds were set on other voices.
    """
    known = [w.score for _, windows in calls for w in windows if w.score is not None]
    best = Found()
    for threshold in np.percentile(known, np.arange(30, 100, 2.5)) if known else []:
        found = Found()
        for call, windows in calls:
            found.add(call, windows, starts_of(windows, float(threshold)))
        best = found
        if found.false_per_min <= ALLOWED_FALSE_PER_MIN:
            break
    return best


def _yin_semitones(heard: Heard) -> npt.NDArray[np.float64]:
    """Pitch by `librosa.yin` at every 16 ms hop, NaN outside loud speech."""
    import librosa

    hop = LINE_RATE_HZ * HOP_MS // 1000
    arguments: Any = {"fmin": 65, "fmax": 500, "sr": LINE_RATE_HZ, "frame_length": 512}
    f0 = librosa.yin(heard.line, hop_length=hop, **arguments)
    level = librosa.feature.rms(y=heard.line, frame_length=512, hop_length=hop)[0][: len(f0)]
    semitones = 12 * np.log2(f0 / 55.0)
    at_ms = np.arange(len(f0)) * HOP_MS
    speech = np.zeros(len(f0), bool)
    for event in heard.speech:
        if isinstance(event, SpeechEnded):
            speech |= (at_ms >= event.start_ms) & (at_ms < event.end_ms)
    loud = level > np.percentile(level[speech], 95) * 10 ** (-18 / 20)
    return np.where(speech & loud, semitones, np.nan)


def _window_median(semitones: npt.NDArray[np.float64], frame: ProsodyFrame) -> float | None:
    part = semitones[max(0, frame.end_ms - 1_500) // HOP_MS : frame.end_ms // HOP_MS]
    known = part[~np.isnan(part)]
    return float(np.median(known)) if len(known) >= 8 else None


def _relative(values: Sequence[float | None]) -> list[float | None]:
    """Values against the median of the first eight seconds of speech."""
    first = [x for x in values[:_BASE_WINDOWS] if x is not None]
    usual = float(np.median(first)) if first else 0.0
    return [None if x is None else x - usual for x in values]
