"""From speech probabilities to speech events.

Voice activity comes in steps of 8 ms. Steps that may be speech, joined across holes of less than
96 ms, are a chain; it is speech once nine of twelve steps in a row are, and is dated back to the
chain's begin. It ends when twelve steps in a row (96 ms) are below the off-threshold, and is dated
back to the end of the last speech step. No padding, no hangover.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from audio.settings import AudioSettings
from conversation.events import Channel, SpeechEnded, SpeechStarted

WINDOW_MS = 32
STEP_MS = 8
"""Part of a window that has a probability of its own."""
_SPEECH_WINDOWS = 312
"""Windows of speech, about 10 s, whose median is the speech level."""
_LEAST_SPEECH_WINDOWS = 31
"""Speech, about 1 s, before its level counts."""
_SURELY_SPEECH = 0.8
_TAIL_WINDOWS = 16
"""Windows whose levels are kept: a confirmation, and the tail of the speech before it."""
_TAIL_MS = (240, 40)
"""Time before the end of speech in which its tail is measured; the very end is left out, because
a channel that is cut off fades too."""


class _Newest:
    """The newest values, in order of size too: their median costs nothing."""

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
        self._speech_levels = _Newest(_SPEECH_WINDOWS)
        self._levels: deque[tuple[int, Sequence[float]]] = deque(maxlen=_TAIL_WINDOWS)
        self._recent: deque[float] = deque(maxlen=settings.confirm_steps)
        """Probabilities of the newest steps, while there is no speech."""
        self._chain_ms: int | None = None
        """Begin of the newest steps that may be speech, holes bridged."""
        self._quiet_steps = 0
        self._start_ms: int | None = None
        self._last_speech_end_ms = 0
        self._ended_ms = 0

    def push(
        self,
        begin_ms: int,
        probabilities: Sequence[float],
        level_db: float,
        levels: Sequence[float] = (),
    ) -> list[SpeechStarted | SpeechEnded]:
        """Take the window that begins at `begin_ms`; return what it settles.

        Args:
            begin_ms: stream time of the window.
            probabilities: of speech, 0 to 1, one for each step of 8 ms.
            level_db: of the whole window, dB re full scale.
            levels: of its steps.
        """
        least = min(probabilities)
        if least >= _SURELY_SPEECH:
            self._speech_levels.append(level_db)
        self._levels.append((begin_ms, levels))
        end_ms = begin_ms + WINDOW_MS
        settings = self._settings
        if self._start_ms is not None and least >= settings.speech_off:
            self._quiet_steps = 0
            self._last_speech_end_ms = begin_ms + len(probabilities) * STEP_MS
            return []
        if self._start_ms is None and max(probabilities) < settings.speech_on:
            self._recent.extend(probabilities)
            self._quiet_steps += len(probabilities)
            if self._quiet_steps >= settings.hole_steps:
                self._chain_ms = None
            return []
        events: list[SpeechStarted | SpeechEnded] = []
        for i, probability in enumerate(probabilities):
            step_ms = begin_ms + i * STEP_MS
            if self._start_ms is None:
                events += self._while_silent(step_ms, end_ms, probability)
            else:
                events += self._while_speaking(step_ms, end_ms, probability)
        return events

    def cut(self, at_ms: int) -> list[SpeechStarted | SpeechEnded]:
        """End open speech at `at_ms` because audio is missing from there on."""
        self._forget_chain()
        return self._end(at_ms, at_ms, truncated=True)

    def finish(self, at_ms: int) -> list[SpeechStarted | SpeechEnded]:
        """End open speech because the call is over."""
        return self._end(at_ms, min(at_ms, self._last_speech_end_ms), truncated=False)

    def _forget_chain(self) -> None:
        self._recent.clear()
        self._chain_ms = None
        self._quiet_steps = 0

    def _tail_db(self, end_ms: int) -> float | None:
        """How loud the last syllables were against the speaker's usual level."""
        if len(self._speech_levels) < _LEAST_SPEECH_WINDOWS:
            return None
        tail = [
            level
            for begin_ms, levels in self._levels
            for i, level in enumerate(levels)
            if end_ms - _TAIL_MS[0] <= begin_ms + i * STEP_MS < end_ms - _TAIL_MS[1]
        ]
        if not tail:
            return None
        return round(max(tail) - self._speech_levels.median(), 1)

    def _while_silent(
        self, step_ms: int, now_ms: int, probability: float
    ) -> list[SpeechStarted | SpeechEnded]:
        settings = self._settings
        self._recent.append(probability)
        if probability < settings.speech_on:
            self._quiet_steps += 1
            if self._quiet_steps >= settings.hole_steps:
                self._chain_ms = None
            return []
        self._quiet_steps = 0
        if self._chain_ms is None:
            self._chain_ms = step_ms
        sure = [p for p in self._recent if p >= settings.speech_on]
        if len(sure) < settings.confirm_steps * settings.confirm_share:
            return []
        furthest_ms = step_ms + STEP_MS - settings.furthest_back_ms
        start_ms = max(self._chain_ms, furthest_ms, self._ended_ms)
        self._start_ms, self._last_speech_end_ms = start_ms, step_ms + STEP_MS
        self._forget_chain()
        margin = round(sum(sure) / len(sure) - 0.5, 4)
        return [
            SpeechStarted(at_ms=now_ms, channel=self._channel, start_ms=start_ms, margin=margin)
        ]

    def _while_speaking(
        self, step_ms: int, now_ms: int, probability: float
    ) -> list[SpeechStarted | SpeechEnded]:
        if probability >= self._settings.speech_off:
            self._quiet_steps = 0
            self._last_speech_end_ms = step_ms + STEP_MS
            return []
        self._quiet_steps += 1
        if self._quiet_steps < self._settings.hole_steps:
            return []
        return self._end(now_ms, self._last_speech_end_ms, truncated=False)

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
        self._forget_chain()
        return [ended]
