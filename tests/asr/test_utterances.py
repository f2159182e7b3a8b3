"""Where utterances begin and end, and what is decoded when."""

from __future__ import annotations

import numpy as np
import pytest

from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from asr.utterances import UtteranceTracker
from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    Channel,
    FinalTranscript,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
    Word,
)

pytestmark = pytest.mark.unit
AGENT = Channel.AGENT


class Line:
    """One channel with steady noise; speech is what its events say."""

    def __init__(self, *, partials: bool = True) -> None:
        self.tracker = UtteranceTracker(AGENT, AsrSettings(partials_enabled=partials))
        self.now_ms = 0
        self._random = np.random.default_rng(3)

    def run(self, until_ms: int) -> list[Job]:
        jobs: list[Job] = []
        while self.now_ms < until_ms:
            noise = self._random.normal(0, 0.05, 800).astype(np.float32)
            self.tracker.push_audio(
                AudioChunk(
                    channel=AGENT,
                    first_sample=self.now_ms * 16,
                    samples=noise,
                    sample_rate_hz=16_000,
                )
            )
            self.now_ms += 50
            jobs += self.tracker.advance(self.now_ms)
        return jobs

    def speak(self, begin_ms: int, end_ms: int) -> None:
        self.tracker.observe(SpeechStarted(at_ms=begin_ms + 96, channel=AGENT, start_ms=begin_ms))
        self.tracker.observe(
            SpeechEnded(at_ms=end_ms + 96, channel=AGENT, start_ms=begin_ms, end_ms=end_ms)
        )


def answer(job: Job, text: str) -> JobResult:
    words = tuple(
        Word(text=word, start_ms=job.start_ms + 400 + 200 * i,
             end_ms=job.start_ms + 600 + 200 * i, probability=0.9)
        for i, word in enumerate(text.split())
    )  # fmt: skip
    return JobResult(
        job_id=job.job_id,
        kind=job.kind,
        channel=AGENT,
        utterance_id=job.utterance_id,
        text=text,
        words=words,
    )


def kinds(jobs: list[Job]) -> list[JobKind]:
    return [job.kind for job in jobs if job.kind is not JobKind.PARTIAL]


def finals(events: list[object]) -> list[str | None]:
    return [e.text for e in events if isinstance(e, FinalTranscript)]


def test_a_pause_that_lasts_publishes_the_final_that_was_decoded_in_advance() -> None:
    line = Line()
    line.speak(1_000, 2_000)
    (job,) = [j for j in line.run(2_300) if j.kind is JobKind.SPECULATIVE]
    assert (job.start_ms, job.audio_end_ms) == (700, 2_200)
    assert line.tracker.receive(answer(job, "hello there"), 2_300) == []
    assert kinds(line.run(2_400)) == []
    assert line.tracker.take_ready(2_400) == []
    assert kinds(line.run(2_600)) == []
    assert finals([*line.tracker.take_ready(2_600)]) == ["hello there"]
    assert line.tracker.take_ready(2_700) == []


def test_an_answer_that_comes_after_the_end_is_published_when_it_comes() -> None:
    line = Line()
    line.speak(1_000, 2_000)
    (job,) = [j for j in line.run(3_000) if j.kind is not JobKind.PARTIAL]
    assert line.tracker.take_ready(3_000) == []
    assert finals([*line.tracker.receive(answer(job, "hello there"), 3_100)]) == ["hello there"]


def test_speech_that_goes_on_makes_the_advance_decode_a_partial() -> None:
    line = Line()
    line.speak(1_000, 2_000)
    first = [j for j in line.run(2_250) if j.kind is JobKind.SPECULATIVE]
    line.speak(2_300, 3_300)
    later = [j for j in line.run(4_000) if j.kind is not JobKind.PARTIAL]
    assert len(first) == len(later) == 1
    assert later[0].audio_end_ms == 3_500
    (shown,) = line.tracker.receive(answer(first[0], "hello"), 4_000)
    assert isinstance(shown, PartialTranscript)
    assert shown.tail == "hello"
    assert finals([*line.tracker.receive(answer(later[0], "hello again"), 4_000)]) == [
        "hello again"
    ]


def test_without_partials_there_is_one_final_after_450_ms_of_silence() -> None:
    line = Line(partials=False)
    line.speak(1_000, 2_000)
    assert line.run(2_400) == []
    (job,) = line.run(2_500)
    assert (job.kind, job.audio_end_ms) == (JobKind.FINAL, 2_450)


def test_lost_audio_ends_an_utterance_and_its_tail_is_decoded() -> None:
    line = Line(partials=False)
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    line.run(1_500)
    line.tracker.observe(
        AudioGap(at_ms=2_500, channel=AGENT, begin_ms=1_500, end_ms=2_500, reason="loss")
    )
    (job,) = line.run(2_600)
    assert (job.kind, job.audio_end_ms) == (JobKind.FINAL, 1_500)


def test_the_end_of_the_call_decodes_what_is_open() -> None:
    line = Line(partials=False)
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    line.run(2_000)
    (job,) = line.tracker.finish()
    assert job.kind is JobKind.FINAL


def test_words_that_the_aligner_puts_after_the_voice_are_dropped() -> None:
    line = Line(partials=False)
    line.speak(1_000, 2_000)
    (job,) = line.run(3_000)
    result = answer(job, "hello there and nothing else was said by anybody")
    (final,) = line.tracker.receive(result, 3_000)
    assert isinstance(final, FinalTranscript)
    assert all(word.end_ms <= 2_000 for word in final.words)
    assert final.text == "hello there and nothing else was"


def test_twelve_seconds_without_a_pause_are_cut() -> None:
    line = Line(partials=False)
    line.speak(1_000, 20_000)
    jobs = line.run(21_000)
    assert kinds(jobs) == [JobKind.FINAL, JobKind.FINAL]
    first, second = jobs
    assert 10_600 <= first.audio_end_ms <= 12_750
    assert second.start_ms == first.audio_end_ms
