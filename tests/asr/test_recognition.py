"""Words from the real model, and workers that may die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from asr.engine import Engine, Request
from asr.errors import ModelCorrupt, ModelMissing
from asr.guard import is_loop
from asr.jobs import Job, JobKind, JobResult
from asr.models import ModelFiles, resolve_model, verify_model
from asr.pool import WorkerPool
from asr.settings import AsrSettings
from asr.stabiliser import Stabiliser
from audio.resample import StreamingResampler
from audio.sources import open_recording
from conversation.events import Channel

pytestmark = pytest.mark.model
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """The first agent turn of the sample call at 16 kHz."""
    recording = open_recording(SAMPLE)
    resampler = StreamingResampler(recording.sample_rate_hz)
    return resampler.push(recording.samples(Channel.AGENT)[: 8_000 * 7])


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    workers = WorkerPool(AsrSettings(workers=1))
    workers.start()
    workers.wait_ready(60)
    yield workers
    workers.close()


def job(speech: np.ndarray, number: int, kind: JobKind = JobKind.FINAL) -> Job:
    return Job(
        job_id=f"agent-{number}",
        kind=kind,
        channel=Channel.AGENT,
        utterance_id=f"a-{number}",
        start_ms=0,
        audio_end_ms=len(speech) // 16,
        speech_ms=len(speech) // 16,
        pcm=(speech * 32767).astype("<i2").tobytes(),
    )


def test_speech_is_heard_with_word_times_inside_the_clip(speech: np.ndarray) -> None:
    engine = Engine(AsrSettings())
    engine.load()
    decoded = engine.decode(speech, Request(final=True, speech_ms=6_000))
    assert "thank you for calling" in decoded.text.lower()
    assert all(0 <= w.start_s <= w.end_s <= len(speech) / 16_000 for w in decoded.words)


def test_the_words_of_a_known_text_are_timed_in_order(speech: np.ndarray) -> None:
    engine = Engine(AsrSettings())
    engine.load()
    text = engine.decode(speech, Request(final=True, speech_ms=6_000)).text
    words = engine.align(speech, text)
    assert [word.text for word in words] == text.split()
    assert all(a.start_s <= b.start_s for a, b in pairwise(words))


def test_silence_and_faint_noise_give_no_words() -> None:
    engine = Engine(AsrSettings())
    engine.load()
    noise = np.random.default_rng(1).normal(0, 1e-4, 48_000).astype(np.float32)
    for clip in (np.zeros(48_000, dtype=np.float32), noise):
        assert engine.decode(clip, Request(final=True, speech_ms=200)).text == ""


def test_a_killed_worker_is_replaced_and_its_final_still_comes(
    pool: WorkerPool, speech: np.ndarray
) -> None:
    for number in range(4):
        pool.submit(job(speech, number))
    os.kill(pool.pids[0], signal.SIGKILL)
    results: list[JobResult] = []
    for _ in range(60):
        results += pool.poll(1.0)
        if len(results) == 4:
            break
    assert sorted(r.job_id for r in results) == [f"agent-{n}" for n in range(4)]
    assert [(r.error, bool(r.text)) for r in results] == [(None, True)] * 4
    assert pool.restarts == 1


def test_workers_that_die_while_idle_are_replaced_before_they_cost_a_try(
    pool: WorkerPool, speech: np.ndarray
) -> None:
    os.kill(pool.pids[0], signal.SIGKILL)
    pool.submit(job(speech, 0))
    results: list[JobResult] = []
    for _ in range(30):
        results += pool.poll(1.0)
        if results:
            break
    assert [(r.job_id, r.error) for r in results] == [("agent-0", None)]
    assert pool.restarts == 1


def test_every_partial_is_answered_also_when_a_newer_one_replaces_it(
    pool: WorkerPool, speech: np.ndarray
) -> None:
    for number in range(5):
        pool.submit(job(speech, number, JobKind.PARTIAL))
    results: list[JobResult] = []
    for _ in range(30):
        results += pool.poll(1.0)
        if len(results) == 5:
            break
    assert len(results) == 5
    assert pool.pending == 0
    assert [r.job_id for r in results if r.error is None][-1] == "agent-4"


def test_a_corrupt_model_is_refused_by_name(tmp_path: Path) -> None:
    good = resolve_model("tiny.en")
    for file in good.folder.iterdir():
        (tmp_path / file.name).write_bytes(b"{}" if file.name == "config.json" else b"")
    bad = ModelFiles(name="tiny.en", folder=tmp_path, origin="directory", licence="MIT")
    with pytest.raises(ModelCorrupt, match=r"tiny\.en"):
        verify_model(bad)


def test_an_unknown_model_names_the_command_that_fetches_it() -> None:
    with pytest.raises(ModelMissing, match="heartline models fetch no-such-model"):
        resolve_model("no-such-model")


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("no no no no", True),
        ("thank you thank you thank you thank you", True),
        ("no no I said no", False),
        ("it went up to two hundred pounds last month", False),
    ],
)
def test_loops_are_told_from_emphasis(text: str, loops: bool) -> None:
    assert is_loop(text) is loops


def test_words_are_stable_once_two_passes_agree_and_never_retracted() -> None:
    stabiliser = Stabiliser(AsrSettings())
    stabiliser.push("I was char", 500)
    assert stabiliser.stable == []
    stabiliser.push("I was charged for", 1_000)
    assert stabiliser.stable == ["I", "was"]
    stabiliser.push("he is charged for the", 1_500)
    assert stabiliser.stable == ["I", "was"]
    stabiliser.push("I was charged for the old", 2_000)
    assert stabiliser.stable[:2] == ["I", "was"]


def test_a_speculative_final_is_decoded_like_a_final(pool: WorkerPool, speech: np.ndarray) -> None:
    pool.submit(job(speech, 0, JobKind.SPECULATIVE))
    results: list[JobResult] = []
    for _ in range(30):
        results += pool.poll(1.0)
        if results:
            break
    assert [(r.job_id, r.kind, r.error) for r in results] == [
        ("agent-0", JobKind.SPECULATIVE, None)
    ]
    assert results[0].words
