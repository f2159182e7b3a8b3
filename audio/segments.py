"""From speech probabilities to speech events.

Speech starts when three windows in a row are at or above the on-threshold and loud enough, and
is dated back to the first of them. It ends when three in a row are below the off-threshold, and
is dated back to the end of the last speech window. No padding, no hangover.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from audio.settings import AudioSettings
from conversation.events import Channel, SpeechEnded, SpeechStarted

WINDOW_MS = 32
_SILENCE_DB = -120.0
_MIN_WINDOWS_FOR_FLOOR = 30


class SpeechSegmenter:
    """Pure state machine of one channel, fed window by window."""

    def __init__(self, channel: Channel, settings: AudioSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._levels: deque[float] = deque(maxlen=settings.noise_window_ms // WINDOW_MS)
        self._windows = 0
        self._speech_level_db = _SILENCE_DB
        self._floor_db = _SILENCE_DB
        self._run: list[float] = []
        self._start_ms: int | None = None
        self._last_speech_end_ms = 0
        self._quiet_windows = 0

    def push(
        self, begin_ms: int, probability: float, level_db: float
    ) -> list[SpeechStarted | SpeechEnded]:
        """Take the window that begins at `begin_ms`; return what it settles."""
        loud = self._is_loud(level_db)
        end_ms = begin_ms + WINDOW_MS
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

    def _is_loud(self, level_db: float) -> bool:
        self._levels.append(level_db)
        self._windows += 1
        if self._windows >= _MIN_WINDOWS_FOR_FLOOR and self._windows % 8 == 0:
            self._floor_db = float(np.percentile(np.array(self._levels), 10))
            self._speech_level_db = float(np.percentile(np.array(self._levels), 90))
        elif self._windows < _MIN_WINDOWS_FOR_FLOOR:
            return True
        low_snr = self._speech_level_db - self._floor_db < 15.0
        margin_db = (
            self._settings.level_above_noise_low_snr_db
            if low_snr
            else self._settings.level_above_noise_db
        )
        return level_db >= self._floor_db + margin_db

    def _while_silent(
        self, end_ms: int, probability: float, loud: bool
    ) -> list[SpeechStarted | SpeechEnded]:
        if probability < self._settings.speech_on or not loud:
            self._run = []
            return []
        self._run.append(probability)
        if len(self._run) < self._settings.confirm_windows:
            return []
        start_ms = end_ms - len(self._run) * WINDOW_MS
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
        if probability >= self._settings.speech_off and loud:
            self._quiet_windows = 0
            self._last_speech_end_ms = end_ms
            return []
        self._quiet_windows += 1
        if self._quiet_windows < self._settings.confirm_windows:
            return []
        return self._end(end_ms, self._last_speech_end_ms, truncated=False)

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
        )
        self._start_ms = None
        return [ended]
