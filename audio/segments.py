"""From speech probabilities to speech events.

Speech starts when three windows in a row are at or above the on-threshold and loud enough, and
is dated back to the first of them. It ends when three in a row are below the off-threshold, and
is dated back to the end of the last speech window. Both edges are then moved to the outermost step
of 8 ms, within one window, that is loud enough. No padding, no hangover.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from audio.settings import AudioSettings
from conversation.events import Channel, SpeechEnded, SpeechStarted

WINDOW_MS = 32
_SILENCE_DB = -120.0
_MIN_WINDOWS_FOR_FLOOR = 30
_SPEECH_WINDOWS = 312
"""Windows of speech, about 10 s, whose median is the speech level."""
_LEAST_SPEECH_WINDOWS = 31
"""Speech, about 1 s, before its level counts."""
_SURELY_SPEECH = 0.8
_SUREST = 0.999
"""Probabilities are kept this far inside 0 and 1 where log odds are added."""
_STEP_WINDOWS = 16
"""Windows whose levels are kept: a confirmation, and the tail of the speech before it."""
_TAIL_MS = (240, 40)
"""Time before the end of speech in which its tail is measured; the very end is left out, because
a channel that is cut off fades too."""


class _Newest:
    """The newest values, in order of size too: a percentile costs nothing."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._values: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._values)

    def append(self, value: float) -> None:
        self._values.append(value)
        insort(self._sorted, value)
        if len(self._values) > self._length:
            del self._sorted[bisect_left(self._sorted, self._values.popleft())]

    def before(self, ago: int) -> float:
        """Return the value `ago` steps ago; 1 is the newest."""
        return self._values[-ago]

    def percentile(self, share: float) -> float:
        """Return the value below which a share of them lies, interpolated as `np.percentile`."""
        at = (len(self._sorted) - 1) * share
        low = math.floor(at)
        left, right = self._sorted[low], self._sorted[min(low + 1, len(self._sorted) - 1)]
        part, step = at - low, right - left
        return left + step * part if part < 0.5 else right - step * (1 - part)

    def median(self) -> float:
        """Return the middle value, the mean of two for an even number."""
        middle = len(self._sorted) // 2
        if len(self._sorted) % 2:
            return self._sorted[middle]
        return (self._sorted[middle - 1] + self._sorted[middle]) / 2


class SpeechSegmenter:
    """Pure state machine of one channel, fed window by window."""

    def __init__(self, channel: Channel, settings: AudioSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._levels = _Newest(settings.noise_window_ms // WINDOW_MS)
        self._windows = 0
        self._speech_levels = _Newest(_SPEECH_WINDOWS)
        self._noisy = False
        self._floor_db = _SILENCE_DB
        self._run: list[float] = []
        self._start_ms: int | None = None
        self._last_speech_end_ms = 0
        self._ended_ms = 0
        self._quiet_windows = 0
        self._steps: deque[tuple[int, tuple[float, ...]]] = deque(maxlen=_STEP_WINDOWS)
        self._threshold_db = _SILENCE_DB

    def push(
        self, begin_ms: int, probability: float, level_db: float, steps: Sequence[float] = ()
    ) -> list[SpeechStarted | SpeechEnded]:
        """Take the window that begins at `begin_ms`; return what it settles.

        Args:
            begin_ms: stream time of the window.
            probability: of speech, 0 to 1.
            level_db: of the whole window, dB re full scale.
            steps: levels of equal parts of the window; empty leaves edges on window bounds.
        """
        loud = self._is_loud(level_db, steps)
        end_ms = begin_ms + WINDOW_MS
        if probability >= _SURELY_SPEECH:
            self._speech_levels.append(level_db)
        if self._noisy:
            probability = self._weighed(probability)
        self._steps.append((begin_ms, tuple(steps)))
        if self._start_ms is None:
            return self._while_silent(end_ms, probability, loud)
        return self._while_speaking(end_ms, probability, loud)

    def cut(self, at_ms: int) -> list[SpeechStarted | SpeechEnded]:
        """End open speech at `at_ms` because audio is missing from there on."""
        self._run = []
        return self._end(at_ms, at_ms, truncated=True)

    def finish(self, at_ms: int) -> list[SpeechStarted | SpeechEnded]:
        """End open speech because the call is over."""
        return self._end(at_ms, min(at_ms, self._last_speech_end_ms), truncated=False)

    def _is_loud(self, level_db: float, steps: Sequence[float]) -> bool:
        self._levels.append(level_db)
        self._windows += 1
        if self._windows < _MIN_WINDOWS_FOR_FLOOR:
            return True
        if self._windows % 8 == 0 or self._windows == _MIN_WINDOWS_FOR_FLOOR:
            self._floor_db = self._levels.percentile(0.1)
            if len(self._speech_levels) >= _LEAST_SPEECH_WINDOWS:
                speech_db = self._speech_levels.median()
                snr_db = speech_db - self._floor_db
                self._noisy = self._settings.least_snr_db <= snr_db < self._settings.low_snr_db
            self._threshold_db = (
                _SILENCE_DB if self._noisy else self._floor_db + self._settings.level_above_noise_db
            )
        return max((level_db, *steps)) >= self._threshold_db

    def _weighed(self, probability: float) -> float:
        """Add what the level says on a noisy channel, where voice activity alone is late."""
        settings = self._settings
        level_db = (self._levels.before(1) + self._levels.before(2)) / 2
        over_db = level_db - self._floor_db - settings.noisy_even_db
        limit = settings.noisy_level_limit
        weight = min(limit, max(-limit, settings.noisy_level_weight * over_db))
        sure = min(_SUREST, max(1 - _SUREST, probability))
        return 1 / (1 + math.exp(-weight) * (1 - sure) / sure)

    @property
    def _on(self) -> float:
        return self._settings.noisy_speech_on if self._noisy else self._settings.speech_on

    @property
    def _off(self) -> float:
        return self._settings.noisy_speech_off if self._noisy else self._settings.speech_off

    def _edge(self, at_ms: int, *, begins: bool) -> int:
        """Move an edge to the outermost loud step within one window of it."""
        if self._noisy:
            return at_ms
        loud = [
            (begin_ms + i * WINDOW_MS // len(steps), begin_ms + (i + 1) * WINDOW_MS // len(steps))
            for begin_ms, steps in self._steps
            if begin_ms + WINDOW_MS > at_ms - WINDOW_MS and begin_ms < at_ms + WINDOW_MS
            for i, level in enumerate(steps)
            if level >= self._threshold_db
        ]
        if not loud:
            return at_ms
        return loud[0][0] if begins else loud[-1][1]

    def _tail_db(self, end_ms: int) -> float | None:
        """How loud the last syllables were against the speaker's usual level."""
        if len(self._speech_levels) < _LEAST_SPEECH_WINDOWS:
            return None
        tail = [
            level
            for begin_ms, steps in self._steps
            for i, level in enumerate(steps)
            if end_ms - _TAIL_MS[0] <= begin_ms + i * WINDOW_MS // len(steps) < end_ms - _TAIL_MS[1]
        ]
        if not tail:
            return None
        return round(max(tail) - self._speech_levels.median(), 1)

    def _while_silent(
        self, end_ms: int, probability: float, loud: bool
    ) -> list[SpeechStarted | SpeechEnded]:
        if probability < self._on or not loud:
            self._run = []
            return []
        self._run.append(probability)
        if len(self._run) < self._settings.confirm_windows:
            return []
        start_ms = self._edge(end_ms - len(self._run) * WINDOW_MS, begins=True)
        start_ms = max(start_ms, self._ended_ms)
        margin = sum(self._run) / len(self._run) - 0.5
        self._start_ms = start_ms
        self._last_speech_end_ms = end_ms
        self._quiet_windows = 0
        self._run = []
        return [
            SpeechStarted(
                at_ms=end_ms, channel=self._channel, start_ms=start_ms, margin=round(margin, 4)
            )
        ]

    def _while_speaking(
        self, end_ms: int, probability: float, loud: bool
    ) -> list[SpeechStarted | SpeechEnded]:
        if probability >= self._off and loud:
            self._quiet_windows = 0
            self._last_speech_end_ms = end_ms
            return []
        self._quiet_windows += 1
        if self._quiet_windows < self._settings.confirm_windows:
            return []
        ended_ms = self._edge(self._last_speech_end_ms, begins=False)
        return self._end(end_ms, ended_ms, truncated=False)

    def _end(
        self, at_ms: int, end_ms: int, *, truncated: bool
    ) -> list[SpeechStarted | SpeechEnded]:
        if self._start_ms is None:
            return []
        ended = SpeechEnded(
            at_ms=at_ms,
            channel=self._channel,
            start_ms=self._start_ms,
            end_ms=max(end_ms, self._start_ms),
            truncated=truncated,
            tail_db=None if truncated else self._tail_db(end_ms),
        )
        self._start_ms = None
        self._ended_ms = ended.end_ms
        return [ended]
