"""Cuts one channel's speech into utterances, asks for decodes, and publishes what comes back.

An utterance begins 300 ms before its first speech, ends after 450 ms of silence or at 12 s, and
its tail is always decoded, also when audio is lost or the call ends. Where partials are on, the
final is decoded in advance after 200 ms of silence and published if the silence lasts. Jobs
follow from the stream alone: time advances on a fixed grid, so chunk sizes and call rates change
nothing.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from asr.stabiliser import Stabiliser
from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk, Samples
from conversation.events import (
    AudioGap,
    CapturePaused,
    Channel,
    Event,
    FinalTranscript,
    HoldStarted,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
    Word,
)

_GRID_MS = 50
_QUIET_SEARCH_MS = 2_000
_LONGEST_WORD_MS = 1_000
_WORD_AFTER_VOICE_MS = 200
"""A word aligned to begin later than this after the voice ended was not spoken: over two calls
real words begin at most 24 ms after it, invented ones from 228 ms on."""
_SAMPLES_PER_MS = ANALYSIS_RATE_HZ // 1000


class _Utterance:
    def __init__(self, utterance_id: str, begin_ms: int) -> None:
        self.id = utterance_id
        self.begin_ms = begin_ms
        self.speech: list[list[int | None]] = []
        self.next_partial_ms = 0
        self.speculative: str | None = None
        """Job that decodes the utterance as if the present pause ended it."""

    def speech_ms(self, until_ms: int) -> int:
        return sum(
            max(0, min(until_ms if end is None else end, until_ms) - max(begin or 0, self.begin_ms))
            for begin, end in self.speech
        )

    @property
    def speaking(self) -> bool:
        return bool(self.speech) and self.speech[-1][1] is None

    @property
    def last_end_ms(self) -> int:
        end = self.speech[-1][1]
        return 0 if end is None else end


class _Shown:
    """What has been published of an utterance."""

    def __init__(self, begin_ms: int) -> None:
        self.begin_ms = begin_ms
        self.stabiliser = Stabiliser()
        self.rev = 0


class UtteranceTracker:
    """One channel; a pure function of its audio, events and results."""

    def __init__(self, channel: Channel, settings: AsrSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._audio: deque[AudioChunk] = deque()
        self._events: deque[Event] = deque()
        self._grid_ms = 0
        self._open: _Utterance | None = None
        self._count = 0
        self._jobs = 0
        self._shown: dict[str, _Shown] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        self._speculated: dict[str, JobResult | None] = {}
        """Speculative jobs of the present pause, with their answers as far as they are there."""
        self._promoted: set[str] = set()
        """Speculative jobs that have become the final of their utterance."""
        self._ready: list[JobResult] = []

    @property
    def unfinished_since_ms(self) -> int | None:
        """Start of the audio of the oldest utterance without its final; None without one."""
        begins = [shown.begin_ms for shown in self._shown.values()]
        return max(0, min(begins) - self._settings.pre_roll_ms) if begins else None

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take the next 16 kHz audio of the channel."""
        self._audio.append(chunk)

    def observe(self, event: Event) -> None:
        """Take an event of this channel (or a pause or hold of the call); others are ignored."""
        if isinstance(event, CapturePaused | HoldStarted) or (
            isinstance(event, SpeechStarted | SpeechEnded | AudioGap)
            and event.channel is self._channel
        ):
            self._events.append(event)

    def advance(self, watermark_ms: int) -> list[Job]:
        """Return the jobs that are due once everything up to `watermark_ms` has been heard."""
        jobs: list[Job] = []
        while self._grid_ms + _GRID_MS <= watermark_ms:
            self._grid_ms += _GRID_MS
            while self._events and self._events[0].at_ms <= self._grid_ms:
                jobs += self._take(self._events.popleft())
            jobs += self._due(self._grid_ms)
        self._forget_old_audio()
        return jobs

    def finish(self) -> list[Job]:
        """End the call: decode what is open."""
        jobs: list[Job] = []
        while self._events:
            jobs += self._take(self._events.popleft())
        newest_ms = self._audio[-1].end_ms if self._audio else self._grid_ms
        return jobs + self._close(newest_ms)

    def receive(self, result: JobResult, at_ms: int) -> list[PartialTranscript | FinalTranscript]:
        """Turn an answer into what is published at `at_ms`; stale partials give nothing."""
        shown = self._shown.get(result.utterance_id)
        if shown is None:
            return []
        if result.kind is JobKind.FINAL or result.job_id in self._promoted:
            self._promoted.discard(result.job_id)
            return self._final(result, shown, at_ms)
        if result.kind is JobKind.SPECULATIVE:
            if result.job_id in self._speculated:
                self._speculated[result.job_id] = result
            return []
        audio_end_ms = self._bounds.pop(result.job_id, (0, 0))[1]
        if result.error is not None or not result.text:
            return []
        if not shown.stabiliser.push(result.text, audio_end_ms):
            return []
        shown.rev += 1
        return [
            PartialTranscript(
                at_ms=at_ms,
                channel=self._channel,
                utterance_id=result.utterance_id,
                rev=shown.rev,
                start_ms=shown.begin_ms,
                audio_end_ms=audio_end_ms,
                stable=" ".join(shown.stabiliser.stable),
                tail=" ".join(shown.stabiliser.tail),
                stable_words=len(shown.stabiliser.stable),
            )
        ]

    def take_ready(self, at_ms: int) -> list[PartialTranscript | FinalTranscript]:
        """Publish finals at `at_ms` that were decoded before their utterance ended."""
        ready, self._ready = self._ready, []
        return [event for result in ready for event in self.receive(result, at_ms)]

    # ------------------------------------------------------------------ cutting

    def _take(self, event: Event) -> list[Job]:
        if isinstance(event, SpeechStarted):
            if self._open is None:
                self._count += 1
                begin_ms = max(0, event.start_ms - self._settings.pre_roll_ms)
                self._open = _Utterance(f"{self._channel[0]}-{self._count}", begin_ms)
                self._open.next_partial_ms = event.start_ms + self._settings.hop_ms
                self._shown[self._open.id] = _Shown(event.start_ms)
            self._open.speech.append([event.start_ms, None])
            self._forget_speculation(self._open)
        elif isinstance(event, SpeechEnded):
            if self._open is not None and self._open.speaking:
                self._open.speech[-1][1] = event.end_ms
        elif isinstance(event, AudioGap):
            return self._close(event.begin_ms)
        else:
            return self._close(event.at_ms)
        return []

    def _due(self, now_ms: int) -> list[Job]:
        utterance = self._open
        if utterance is None:
            return []
        silence_ms = 0 if utterance.speaking else now_ms - utterance.last_end_ms
        if silence_ms >= self._settings.endpoint_silence_ms:
            return self._close(utterance.last_end_ms + self._settings.endpoint_silence_ms)
        if now_ms - utterance.begin_ms >= self._settings.max_utterance_ms:
            return self._split(now_ms)
        if self._speculates(utterance, silence_ms):
            jobs = self._job(
                utterance,
                JobKind.SPECULATIVE,
                utterance.last_end_ms + self._settings.speculate_after_ms,
            )
            for job in jobs:
                utterance.speculative = job.job_id
                self._speculated[job.job_id] = None
            return jobs
        if (
            self._settings.partials_enabled
            and now_ms >= utterance.next_partial_ms
            and (utterance.speaking or silence_ms <= _GRID_MS)
        ):
            utterance.next_partial_ms = now_ms + self._settings.hop_ms
            return self._job(utterance, JobKind.PARTIAL, now_ms)
        return []

    def _speculates(self, utterance: _Utterance, silence_ms: int) -> bool:
        return (
            self._settings.partials_enabled
            and utterance.speculative is None
            and silence_ms >= self._settings.speculate_after_ms
            and utterance.speech_ms(utterance.last_end_ms) >= self._settings.min_speech_ms
        )

    def _forget_speculation(self, utterance: _Utterance) -> None:
        if utterance.speculative is not None:
            self._speculated.pop(utterance.speculative, None)
            self._bounds.pop(utterance.speculative, None)
            utterance.speculative = None

    def _split(self, now_ms: int) -> list[Job]:
        """End a long utterance at its quietest point of the last 2 s and go on with the rest."""
        utterance = self._open
        assert utterance is not None  # noqa: S101 - only called while one is open
        cut_ms = self._quietest_ms(now_ms - _QUIET_SEARCH_MS, now_ms)
        rest = [
            [max(begin or 0, cut_ms), end]
            for begin, end in utterance.speech
            if end is None or end > cut_ms
        ]
        jobs = self._close(cut_ms)
        if rest:
            self._count += 1
            self._open = _Utterance(f"{self._channel[0]}-{self._count}", cut_ms)
            self._open.speech = rest
            self._open.next_partial_ms = cut_ms + self._settings.hop_ms
            self._shown[self._open.id] = _Shown(cut_ms)
        return jobs

    def _close(self, end_ms: int) -> list[Job]:
        utterance, self._open = self._open, None
        if utterance is None:
            return []
        if utterance.speaking:
            utterance.speech[-1][1] = end_ms
        if utterance.speech_ms(end_ms) < self._settings.min_speech_ms:
            self._shown.pop(utterance.id, None)
            return []
        job_id = utterance.speculative
        if job_id is None:
            return self._job(utterance, JobKind.FINAL, end_ms)
        self._promoted.add(job_id)
        answer = self._speculated.pop(job_id, None)
        if answer is not None:
            self._ready.append(answer)
        return []

    def _job(self, utterance: _Utterance, kind: JobKind, end_ms: int) -> list[Job]:
        samples = self._samples(utterance.begin_ms, end_ms)
        if len(samples) == 0 or not samples.any():
            return []
        self._jobs += 1
        job_id = f"{self._channel}-{self._jobs}"
        speech_end_ms = end_ms
        if kind is not JobKind.PARTIAL:
            speech_end_ms = utterance.last_end_ms or end_ms
        self._bounds[job_id] = (utterance.begin_ms, speech_end_ms)
        return [
            Job(
                job_id=job_id,
                kind=kind,
                channel=self._channel,
                utterance_id=utterance.id,
                start_ms=utterance.begin_ms,
                audio_end_ms=end_ms,
                speech_ms=utterance.speech_ms(end_ms),
                pcm=np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2").tobytes(),
            )
        ]

    def _final(
        self, result: JobResult, shown: _Shown, at_ms: int
    ) -> list[PartialTranscript | FinalTranscript]:
        del self._shown[result.utterance_id]
        _, end_ms = self._bounds.pop(result.job_id, (0, at_ms))
        if result.error is None and not result.text and shown.rev == 0:
            return []
        spoken = [w for w in result.words if w.start_ms <= end_ms + _WORD_AFTER_VOICE_MS]
        invented = len(spoken) < len(result.words)
        text = " ".join(w.text for w in spoken) if invented else result.text
        return [
            FinalTranscript(
                at_ms=at_ms,
                channel=self._channel,
                utterance_id=result.utterance_id,
                rev=shown.rev + 1,
                start_ms=shown.begin_ms,
                end_ms=max(end_ms, shown.begin_ms),
                text=None if result.error is not None else text,
                words=tuple(_clamp(w, shown.begin_ms, end_ms) for w in spoken),
                status=(
                    "failed"
                    if result.error is not None
                    else ("truncated" if "loop" in result.flags else "ok")
                ),
                no_speech_probability=result.no_speech_probability,
                flags=result.flags,
                model=self._settings.model,
            )
        ]

    # ------------------------------------------------------------------ audio

    def _samples(self, begin_ms: int, end_ms: int) -> Samples:
        begin, end = begin_ms * _SAMPLES_PER_MS, end_ms * _SAMPLES_PER_MS
        parts = []
        for chunk in self._audio:
            low = max(begin - chunk.first_sample, 0)
            high = min(end - chunk.first_sample, len(chunk.samples))
            if low < high:
                parts.append(chunk.samples[low:high])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def _quietest_ms(self, begin_ms: int, end_ms: int) -> int:
        samples = self._samples(begin_ms, end_ms)
        step = 50 * _SAMPLES_PER_MS
        whole = len(samples) // step
        if whole == 0:
            return end_ms
        power = np.square(samples[: whole * step].reshape(whole, step)).mean(axis=1)
        return begin_ms + int(np.argmin(power)) * 50 + 25

    def _forget_old_audio(self) -> None:
        keep_ms = self._grid_ms - 2 * self._settings.pre_roll_ms - 500
        if self._open is not None:
            keep_ms = min(keep_ms, self._open.begin_ms)
        while self._audio and self._audio[0].end_ms < keep_ms:
            self._audio.popleft()


def _clamp(word: Word, begin_ms: int, end_ms: int) -> Word:
    """Keep a word inside its utterance's speech; attention stretches words over pauses."""
    start_ms = min(max(word.start_ms, begin_ms), end_ms)
    return Word(
        text=word.text,
        start_ms=start_ms,
        end_ms=max(start_ms, min(word.end_ms, end_ms, start_ms + _LONGEST_WORD_MS)),
        probability=word.probability,
    )
