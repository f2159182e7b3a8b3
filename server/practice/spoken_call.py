"""A spoken practice run: the customer's lines are played, the trainee's microphone is heard.

The run yields audio in step, both sides, and is told what was heard in it; it does not care
whether that audio goes to an in-process server at the pace of the clock or through a session on
the virtual one. It waits for the trainee as a person would: a customer who is talked over stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr

from audio.chunks import AudioChunk, Samples
from audio.sources import read_audio
from conversation.events import (
    ActDetected,
    Channel,
    Event,
    FinalTranscript,
    SpeechEnded,
    SpeechStarted,
)
from server.practice.director import Director
from server.practice.scenario import Scenario, ScenarioError

RATE_HZ = 16_000
BLOCK_MS = 100
_BLOCK = RATE_HZ * BLOCK_MS // 1000
_FIRST_LINE_MS = 1_000
_REPLY_OVER_MS = 1_500
"""Silence after which the trainee's answer is taken to be over."""
_NO_WORDS_MS = 6_000
"""Silence after which an answer without recognised words is taken as it is."""
_NO_ANSWER_MS = 20_000
"""Silence after which a customer goes on by themselves."""
_CUT_IN_MS = 900
"""Speech over the customer's line after which they stop."""
_LAST_MS = 1_500
"""Time after the last line, for its transcript."""
_FADE = RATE_HZ * 40 // 1000


class Microphone(Protocol):
    """Where the trainee is heard."""

    def read(self, count: int, *, quiet: bool) -> Samples:
        """Return the next `count` samples; `quiet` says that the customer is silent."""


class RecordedMicrophone:
    """Recorded answers as a device: each begins a moment after the customer's line has ended."""

    def __init__(self, answers: Sequence[Samples], reaction_ms: int = 600) -> None:
        self._answers = list(answers)
        self._reaction = RATE_HZ * reaction_ms // 1000
        self._quiet = 0
        self._spoken_to = False
        self._now: Samples = np.zeros(0, np.float32)

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> RecordedMicrophone:
        """Read one answer from each file.

        Raises:
            AudioError: a file cannot be read.
        """
        return cls([read_line(path) for path in paths])

    def read(self, count: int, *, quiet: bool) -> Samples:
        """Return the answer that is due, or silence."""
        self._quiet = self._quiet + count if quiet else 0
        self._spoken_to = self._spoken_to or not quiet
        due = self._spoken_to and self._quiet >= self._reaction
        if not len(self._now) and due and self._answers:
            self._now = self._answers.pop(0)
            self._spoken_to = False
        block, self._now = self._now[:count], self._now[count:]
        return np.pad(block, (0, count - len(block)))


def read_line(path: Path) -> Samples:
    """Read speech as mono at 16 kHz, float32, shape (n,), -1..1.

    Raises:
        AudioError: it cannot be read.
    """
    samples, rate_hz = read_audio(path)
    mono: Samples = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)
    return mono


def lines_of(scenario: Scenario, folder: Path) -> dict[str, Samples]:
    """Load the spoken lines of a scenario.

    Raises:
        ScenarioError: a stage has none.
        AudioError: a file cannot be read.
    """
    lines = {}
    for name, stage in scenario.stages.items():
        path = folder / (stage.audio or f"{scenario.id}/{name}.ogg")
        if not path.is_file():
            raise ScenarioError(
                f"{scenario.id}: the stage {name!r} has no spoken line ({path.name} is missing); "
                "practise with --text."
            )
        lines[name] = read_line(path)
    return lines


class SpokenCall:
    """One run; iterate `blocks`, and tell `hear` what the analysis found."""

    def __init__(
        self, director: Director, lines: dict[str, Samples], microphone: Microphone
    ) -> None:
        self._director = director
        self._lines = lines
        self._microphone = microphone
        self._sample = 0
        self._line: Samples | None = None
        self._line_began_ms = 0
        self._line_ended_ms = 0
        self._acts: list[str] = []
        self._talking_since_ms: int | None = None
        self._stopped_ms: int | None = None
        """When the trainee last stopped, since the line began."""
        self._words_until_ms = 0
        self._cut_in = False
        self._started = False

    @property
    def position_ms(self) -> int:
        """Length of the call so far."""
        return self._sample * 1000 // RATE_HZ

    def hear(self, events: Sequence[Event]) -> None:
        """Take what was found in the audio so far."""
        for event in events:
            if isinstance(event, SpeechStarted) and event.channel is Channel.AGENT:
                self._talking_since_ms = event.start_ms
            elif isinstance(event, SpeechEnded) and event.channel is Channel.AGENT:
                self._talking_since_ms = None
                if event.end_ms > self._line_began_ms:
                    self._stopped_ms = event.end_ms
            elif isinstance(event, FinalTranscript) and event.channel is Channel.AGENT:
                self._words_until_ms = max(self._words_until_ms, event.end_ms)
            elif isinstance(event, ActDetected) and event.channel is Channel.AGENT:
                self._acts += [event.kind] if event.end_ms > self._line_began_ms else []

    def blocks(self) -> Iterator[list[AudioChunk]]:
        """Yield both sides in blocks of 100 ms until the talk is over."""
        while not self._is_over():
            self._go_on()
            quiet = self._line is None and self._started
            sides = {
                Channel.AGENT: self._microphone.read(_BLOCK, quiet=quiet),
                Channel.CUSTOMER: self._play(),
            }
            first, self._sample = self._sample, self._sample + _BLOCK
            yield [
                AudioChunk(
                    channel=channel,
                    first_sample=first,
                    samples=samples.astype(np.float32),
                    sample_rate_hz=RATE_HZ,
                )
                for channel, samples in sides.items()
            ]

    def _is_over(self) -> bool:
        done = self._started and self._line is None and self._director.over
        return done and self.position_ms >= self._line_ended_ms + _LAST_MS

    def _go_on(self) -> None:
        now_ms = self.position_ms
        if not self._started:
            if now_ms >= _FIRST_LINE_MS:
                self._started = True
                self._begin_line()
        elif self._line is not None:
            since_ms = self._talking_since_ms
            if since_ms is not None and now_ms - max(since_ms, self._line_began_ms) >= _CUT_IN_MS:
                self._cut_in = self._cut_in or len(self._line) > _CUT_IN_MS * RATE_HZ // 1000
                self._stop_line()
        elif not self._director.over and self._is_answered(now_ms):
            self._director.answer(self._acts, cut_in=self._cut_in)
            self._begin_line()

    def _is_answered(self, now_ms: int) -> bool:
        if self._talking_since_ms is not None:
            return False
        if self._stopped_ms is None or self._stopped_ms < self._line_began_ms + BLOCK_MS:
            return now_ms - self._line_ended_ms >= _NO_ANSWER_MS
        silent_ms = now_ms - self._stopped_ms
        heard = self._words_until_ms >= self._stopped_ms - _REPLY_OVER_MS
        return silent_ms >= (_REPLY_OVER_MS if heard else _NO_WORDS_MS)

    def _begin_line(self) -> None:
        self._line = self._lines[self._director.name]
        self._line_began_ms = self.position_ms
        self._acts, self._stopped_ms, self._cut_in = [], None, False

    def _stop_line(self) -> None:
        if self._line is not None:
            rest = self._line[:_FADE]
            self._line = rest * np.linspace(1, 0, len(rest), dtype=np.float32)

    def _play(self) -> Samples:
        if self._line is None:
            return np.zeros(_BLOCK, np.float32)
        block, self._line = self._line[:_BLOCK], self._line[_BLOCK:]
        if not len(self._line):
            self._line = None
            self._line_ended_ms = self.position_ms + BLOCK_MS
        return np.pad(block, (0, _BLOCK - len(block)))
