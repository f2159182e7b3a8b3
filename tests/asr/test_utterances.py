"""Where utterances begin and end, and what is decoded when."""

from __future__ import annotations

import pickle
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from asr.jobs import Advice, Job, JobKind, JobResult
from asr.scheduler import Scheduler
from asr.settings import AsrSettings
from asr.utterances import UtteranceTracker
from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CapturePaused,
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

    def voice(self, begin_ms: int, end_ms: int, probability: float) -> None:
        for at_ms in range(begin_ms, end_ms, 32):
            self.tracker.push_voice(at_ms, probability)

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
    (shown,) = line.tracker.receive(answer(job, "hello there"), 2_300)
    assert isinstance(shown, PartialTranscript), "seen before the pause has lasted long enough"
    assert (shown.tail, shown.rev) == ("hello there", 1)
    assert kinds(line.run(2_400)) == []
    assert line.tracker.take_ready(2_400) == []
    assert kinds(line.run(2_600)) == []
    (final,) = line.tracker.take_ready(2_600)
    assert isinstance(final, FinalTranscript)
    assert (final.text, final.rev) == ("hello there", 2)
    assert line.tracker.take_ready(2_700) == []


def test_what_was_seen_of_a_pause_is_not_sent_again_when_speech_goes_on() -> None:
    line = Line()
    line.speak(1_000, 2_000)
    (job,) = [j for j in line.run(2_250) if j.kind is JobKind.SPECULATIVE]
    assert len(line.tracker.receive(answer(job, "hello there"), 2_250)) == 1
    line.tracker.observe(SpeechStarted(at_ms=2_396, channel=AGENT, start_ms=2_300))
    line.run(2_450)
    assert line.tracker.take_ready(2_450) == []


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


def ends_after_ms(text: str) -> int:
    """How much silence ends an utterance of which a partial has said `text`."""
    line = Line()
    line.speak(1_000, 2_000)
    shown = False
    while line.now_ms < 4_000:
        for job in line.run(line.now_ms + 50):
            if job.kind is JobKind.SPECULATIVE:
                line.tracker.receive(answer(job, text), line.now_ms)
                shown = True
        if shown and line.tracker.take_ready(line.now_ms):
            return line.now_ms - 2_000
    raise AssertionError("the utterance never ended")


@pytest.mark.parametrize(
    ("text", "silence_ms"),
    [
        ("that was all.", 300),
        ("was it you?", 300),
        ("it was the meter", 450),
        ("it was because", 700),
        ("and then um", 700),
        ("I was thinking...", 700),
        ("the first one,", 700),
    ],
)
def test_the_words_say_how_much_silence_ends_an_utterance(text: str, silence_ms: int) -> None:
    assert ends_after_ms(text) == pytest.approx(silence_ms, abs=50)


def test_partials_come_every_hop_of_new_speech_and_never_in_silence() -> None:
    line = Line()
    line.speak(1_000, 3_000)
    at = [j.audio_end_ms for j in line.run(6_000) if j.kind is JobKind.PARTIAL]
    assert at[0] == pytest.approx(1_360, abs=20)
    assert len(at) == 5
    assert all(350 <= b - a <= 380 for a, b in pairwise(at))
    assert at[-1] <= 3_096


def test_a_slow_recogniser_is_asked_less_often_and_a_hopeless_one_not_at_all() -> None:
    slow, hopeless = Line(), Line()
    slow.tracker.advise(Advice(level=1, hop_ms=1_000))
    hopeless.tracker.advise(Advice(level=2, hop_ms=1_400, partials=False))
    for line in (slow, hopeless):
        line.speak(1_000, 4_000)
    assert len([j for j in slow.run(4_100) if j.kind is JobKind.PARTIAL]) == 3
    assert [j.kind for j in hopeless.run(5_000)] == [JobKind.FINAL]


def test_a_dip_of_two_windows_is_heard_before_the_hop_is_over() -> None:
    line = Line()
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    line.voice(992, 1_664, 0.9)
    line.voice(1_664, 1_728, 0.1)
    line.voice(1_728, 2_400, 0.9)
    at = [j.audio_end_ms for j in line.run(2_000)]
    assert at[:2] == [pytest.approx(1_360, abs=20), pytest.approx(1_740, abs=20)]
    with_dip = at[1]
    assert with_dip - at[0] >= 200


def test_an_overlap_asks_for_the_words_so_far_and_marks_the_final() -> None:
    line = Line()
    line.tracker.advise(Advice(level=2, hop_ms=1_400, partials=False))
    line.speak(1_000, 3_000)
    jobs = line.run(1_500)
    line.tracker.hint(1_800)
    jobs += line.run(4_000)
    assert [(j.kind, j.hinted) for j in jobs] == [(JobKind.PARTIAL, True), (JobKind.FINAL, True)]
    assert jobs[0].audio_end_ms == 1_800


def test_two_overlaps_in_one_utterance_ask_for_the_words_twice() -> None:
    line = Line()
    line.tracker.advise(Advice(level=2, hop_ms=1_400, partials=False))
    line.speak(1_000, 3_000)
    jobs = line.run(1_500)
    line.tracker.hint(2_400)
    line.tracker.hint(1_800)
    jobs += line.run(4_000)
    at = [j.audio_end_ms for j in jobs if j.kind is JobKind.PARTIAL and j.hinted]
    assert at == [1_800, 2_400]


def test_a_final_hears_the_utterance_before_it_but_not_across_a_pause_of_capture() -> None:
    line = Line(partials=False)
    line.speak(1_000, 2_000)
    line.speak(2_900, 3_500)
    first, second = line.run(4_000)
    assert (first.start_ms, first.words_from_ms) == (700, None)
    assert (second.start_ms, second.words_from_ms) == (700, 2_200)
    assert second.speech_ms == 1_600
    line.tracker.observe(CapturePaused(at_ms=4_050, mode="manual"))
    line.run(4_100)
    line.speak(4_400, 5_000)
    (third,) = line.run(6_000)
    assert (third.start_ms, third.words_from_ms) == (4_100, None)


def test_a_word_of_the_context_that_slid_into_the_pause_is_not_said_again() -> None:
    line = Line(partials=False)
    line.speak(1_000, 2_000)
    line.speak(2_900, 3_500)
    first, second = line.run(4_000)
    line.tracker.receive(answer(first, "the last part, please"), 4_000)
    result = answer(second, "Please? Yes, it is")
    slid = [
        Word(text=w.text, start_ms=at_ms, end_ms=at_ms + 150, probability=0.9)
        for w, at_ms in zip(result.words, (2_500, 2_900, 3_100, 3_300), strict=True)
    ]
    result = JobResult(
        job_id=second.job_id,
        kind=second.kind,
        channel=AGENT,
        utterance_id=second.utterance_id,
        text=result.text,
        words=tuple(slid),
    )
    assert finals([*line.tracker.receive(result, 4_100)]) == ["Yes, it is"]


def test_a_partial_that_loops_is_not_shown_and_the_next_hears_more_context() -> None:
    line = Line()
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    (first,) = line.run(1_400)
    looped = JobResult(
        job_id=first.job_id,
        kind=first.kind,
        channel=AGENT,
        utterance_id=first.utterance_id,
        flags=("loop",),
    )
    assert line.tracker.receive(looped, 1_500) == []
    (second,) = line.run(1_750)
    assert (first.extra_frames, second.extra_frames) == (0, 500)


def test_where_nobody_may_have_spoken_partials_wait_until_two_passes_agree() -> None:
    line = Line()
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    jobs = line.run(2_500)[:4]
    heard = ["they did", "to the other", "to the other one", "to the other one"]
    shown = [
        line.tracker.receive(
            msgspec.structs.replace(answer(job, text), no_speech_probability=0.8, words=()), 2_500
        )
        for job, text in zip(jobs, heard, strict=True)
    ]
    assert shown[:2] == [[], []]
    (agreed,) = shown[2]
    assert isinstance(agreed, PartialTranscript)
    assert (agreed.stable, agreed.tail, agreed.rev) == ("to the other", "one", 1)


def test_a_lone_word_that_waited_is_shown_once_somebody_clearly_speaks() -> None:
    line = Line()
    line.tracker.observe(SpeechStarted(at_ms=1_096, channel=AGENT, start_ms=1_000))
    jobs = line.run(2_500)[:2]
    results = [
        msgspec.structs.replace(answer(job, "Yes"), no_speech_probability=doubt, words=())
        for job, doubt in zip(jobs, (0.8, 0.1), strict=True)
    ]
    assert line.tracker.receive(results[0], 2_500) == []
    (seen,) = line.tracker.receive(results[1], 2_500)
    assert isinstance(seen, PartialTranscript)
    assert (seen.tail, seen.rev) == ("Yes", 1)


def test_what_was_not_decoded_is_decoded_after_the_call_as_a_new_revision() -> None:
    line = Line(partials=False)
    line.speak(1_000, 2_000)
    (job,) = line.run(3_000)
    failed = JobResult(
        job_id=job.job_id,
        kind=job.kind,
        channel=AGENT,
        utterance_id=job.utterance_id,
        error="skipped",
    )
    (missing,) = line.tracker.receive(failed, 3_000)
    assert isinstance(missing, FinalTranscript)
    assert (missing.text, missing.status, missing.rev) == (None, "skipped", 1)
    (again,) = line.tracker.redecode()
    assert (again.kind, again.least_frames, again.pcm) == (JobKind.REDECODE, 3000, job.pcm)
    (final,) = line.tracker.receive(answer(again, "here it is"), 9_000)
    assert isinstance(final, FinalTranscript)
    assert (final.text, final.status, final.rev) == ("here it is", "ok", 2)
    assert "redecoded" in final.flags
    assert line.tracker.redecode() == []


def test_a_final_that_nobody_decodes_any_more_is_listed_as_skipped() -> None:
    line = Line()
    line.speak(1_000, 2_000)
    line.speak(4_000, 5_000)
    jobs = line.run(7_000)
    assert [j.kind for j in jobs if j.kind is not JobKind.PARTIAL] == [JobKind.SPECULATIVE] * 2
    line.tracker.receive(answer(jobs[-1], "heard"), 7_000)
    (missing,) = line.tracker.abandon(7_100)
    assert isinstance(missing, FinalTranscript)
    assert (missing.text, missing.status, missing.start_ms) == (None, "skipped", 1_000)
    assert line.tracker.abandon(7_200) == []


def test_three_hours_of_talk_leave_nothing_behind() -> None:
    tracker = UtteranceTracker(AGENT, AsrSettings(hop_ms=2_000))
    scheduler = Scheduler(AsrSettings(), 1)
    noise = np.random.default_rng(3).normal(0, 0.05, 16_000).astype(np.float32)
    sizes, finals_heard = [], 0
    for second in range(3 * 3_600):
        now_ms = 1_000 * second
        tracker.push_audio(
            AudioChunk(
                channel=AGENT, first_sample=16 * now_ms, samples=noise, sample_rate_hz=16_000
            )
        )
        for window in range(0, 1_000, 32):
            tracker.push_voice(now_ms + window, 0.9)
        if second % 4 == 0:
            begin_ms = now_ms + 100
            tracker.observe(SpeechStarted(at_ms=begin_ms, channel=AGENT, start_ms=begin_ms))
        if second % 4 == 2:
            tracker.observe(
                SpeechEnded(
                    at_ms=now_ms + 600, channel=AGENT, start_ms=now_ms - 1_900, end_ms=now_ms + 500
                )
            )
        for job in tracker.advance(now_ms + 1_000):
            scheduler.submit(job, now_ms)
        while (lease := scheduler.next(now_ms)) is not None:
            scheduler.finish(lease, answer(lease.job, f"word {second}"), now_ms + 300)
        scheduler.tick(now_ms + 300)
        for result in scheduler.take_answers():
            events = tracker.receive(result, now_ms + 1_000)
            finals_heard += sum(isinstance(e, FinalTranscript) for e in events)
        finals_heard += sum(
            isinstance(e, FinalTranscript) for e in tracker.take_ready(now_ms + 1_000)
        )
        if second % 3_600 == 600:
            sizes.append(len(pickle.dumps((tracker, scheduler))))
    assert finals_heard >= 2_690
    assert max(sizes) - min(sizes) < 0.02 * min(sizes)
