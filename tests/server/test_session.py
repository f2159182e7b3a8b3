"""Chunk sizes never change an event, from the samples to the journal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from audio.chunks import AudioChunk
from audio.sources import open_recording
from conversation.conversation import Conversation
from conversation.events import (
    Channel,
    Event,
    EventLog,
    FinalTranscript,
    Observation,
    SpeechEnded,
    Word,
)
from conversation.settings import ConversationSettings
from prosody.score import Load
from prosody.settings import ProsodySettings
from server.hearing import Hearing, HearingSettings
from server.opening import open_session
from server.session import Clock

pytestmark = [pytest.mark.property, pytest.mark.model]
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
RATE_HZ = 8_000
BEGIN_S, END_S = 6, 36


class FakeTranscriber:
    """Answers at once with words made from the job alone."""

    def __init__(self) -> None:
        self._results: list[JobResult] = []

    def submit(self, job: Job) -> None:
        step_ms = 300
        words = tuple(
            Word(text=f"word{at_ms}", start_ms=at_ms, end_ms=at_ms + step_ms, probability=0.9)
            for at_ms in range(job.start_ms, job.audio_end_ms - step_ms, step_ms)
        )
        self._results.append(
            JobResult(
                job_id=job.job_id,
                kind=job.kind,
                channel=job.channel,
                utterance_id=job.utterance_id,
                text=" ".join(word.text for word in words),
                words=words,
            )
        )

    def poll(self, timeout_s: float) -> list[JobResult]:
        results, self._results = self._results, []
        return results

    @property
    def pending(self) -> int:
        return len(self._results)

    def close(self) -> None:
        pass


class LateTranscriber(FakeTranscriber):
    """Answers late and in any order."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)

    def poll(self, timeout_s: float) -> list[JobResult]:
        self._random.shuffle(self._results)
        ready = int(self._random.integers(int(timeout_s > 0), 3))
        results, self._results = self._results[:ready], self._results[ready:]
        return results


@cache
def call() -> dict[Channel, np.ndarray]:
    recording = open_recording(SAMPLE)
    return {
        c: recording.samples(c)[BEGIN_S * RATE_HZ : END_S * RATE_HZ] for c in recording.channels
    }


@cache
def hearing() -> Hearing:
    loaded = Hearing(HearingSettings(asr=AsrSettings(hop_ms=700)), transcriber=FakeTranscriber())
    loaded.load()
    return loaded


def blocks(cuts: list[int]) -> Iterator[list[AudioChunk]]:
    total = (END_S - BEGIN_S) * RATE_HZ
    edges = sorted({0, total, *(cut % total for cut in cuts)})
    for begin, end in pairwise(edges):
        yield [
            AudioChunk(
                channel=c, first_sample=begin, samples=samples[begin:end], sample_rate_hz=RATE_HZ
            )
            for c, samples in call().items()
        ]


def journal(
    cuts: list[int],
    ears: Hearing | None = None,
    *,
    look_ahead_ms: int = 0,
    clock: Clock = Clock.VIRTUAL,
) -> list[Event]:
    session = open_session(
        call_id="split",
        channels=tuple(call()),
        sample_rate_hz=RATE_HZ,
        source="test",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=ears or hearing(),
        clock=clock,
        look_ahead_ms=look_ahead_ms,
    )
    events = session.opening_events()
    for chunks in blocks(cuts):
        events += session.push(chunks)
    return events + session.finish()


@cache
def whole() -> list[bytes]:
    return [EventLog.encode(e) for e in journal(list(range(0, 10**6, 800)))]


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=200))
def test_splitting_the_audio_anywhere_changes_no_event(cuts: list[int]) -> None:
    assert [EventLog.encode(e) for e in journal(cuts)] == whole()


@pytest.mark.parametrize("look_ahead_ms", [0, 700, 30_000])
def test_neither_looking_ahead_nor_late_answers_change_an_event(look_ahead_ms: int) -> None:
    late = Hearing(hearing().settings, transcriber=LateTranscriber(seed=look_ahead_ms))
    late.load()
    events = journal(list(range(0, 10**6, 800)), late, look_ahead_ms=look_ahead_ms)
    assert [EventLog.encode(e) for e in events] == whole()


def test_words_are_asked_for_wherever_both_begin_to_speak_at_once() -> None:
    asked: list[Job] = []

    class Asked(FakeTranscriber):
        def submit(self, job: Job) -> None:
            asked.append(job)
            super().submit(job)

    asr = AsrSettings(hop_ms=2_000)
    with Hearing(HearingSettings(asr=asr), transcriber=Asked()) as ears:
        events = journal(list(range(0, 10**6, 800)), ears, clock=Clock.LIVE)
    spoken = {
        c: [(e.start_ms, e.end_ms) for e in events if isinstance(e, SpeechEnded) and e.channel is c]
        for c in call()
    }
    due = [
        (c, begin_ms + asr.hint_after_ms)
        for c, spans in spoken.items()
        for begin_ms, end_ms in spans
        if any(b < begin_ms < e - 200 for b, e in spoken[c.other])
        and end_ms > begin_ms + asr.hint_after_ms
    ]
    hinted = [(j.channel, j.audio_end_ms) for j in asked if j.hinted and j.kind is JobKind.PARTIAL]
    assert due
    for channel, at_ms in due:
        assert any(c is channel and 0 <= end_ms - at_ms <= 40 for c, end_ms in hinted), at_ms


@pytest.fixture(scope="module")
def real_hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings()) as loaded:
        yield loaded


def test_splitting_the_audio_anywhere_changes_no_recognised_word(real_hearing: Hearing) -> None:
    steady = journal(list(range(0, 10**6, 800)), real_hearing)
    assert sum(isinstance(e, FinalTranscript) for e in steady) >= 5
    random = np.random.default_rng(11)
    for pieces in (7, 400):
        cuts = [int(cut) for cut in random.integers(0, 10**6, pieces)]
        assert journal(cuts, real_hearing) == steady


def test_replaying_the_observations_gives_the_derived_events_byte_for_byte() -> None:
    events = [EventLog.decode(line) for line in whole()]
    core = Conversation.create(ConversationSettings())
    observations = [e for e in events if isinstance(e, Observation)]
    replayed = [d for o in observations for d in core.receive(o)]
    replayed += core.final_pass(observations)
    derived = [e for e in events if not isinstance(e, Observation)]
    assert [EventLog.encode(e) for e in replayed] == [EventLog.encode(e) for e in derived]


def test_pitch_is_rationed_while_many_calls_are_live_and_free_again_afterwards() -> None:
    prosody = ProsodySettings(many_calls=1)
    hearing = Hearing(HearingSettings(prosody=prosody), transcriber=FakeTranscriber())
    hearing.load()
    sessions = [
        open_session(
            call_id=f"c{i}",
            channels=(Channel.AGENT, Channel.CUSTOMER),
            sample_rate_hz=RATE_HZ,
            source="ingest",
            started_at="2026-01-01T00:00:00+00:00",
            hearing=hearing,
        )
        for i in range(2)
    ]
    loads = [hearing.prosody_load]
    sessions[0].finish(wait_s=0)
    loads.append(hearing.prosody_load)
    assert loads == [Load.MANY, Load.FULL]
