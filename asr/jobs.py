"""What is asked of the recogniser, and what it answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from conversation.events import Channel, Word


class JobKind(StrEnum):
    """In order of precedence: final, speculative, hinted partial, partial, re-decode."""

    PARTIAL = "partial"
    SPECULATIVE = "speculative"
    """A final decoded while the pause may still end: published if it does not."""
    FINAL = "final"
    REDECODE = "redecode"
    """A final decoded once more after the call, with everything the model has."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of speech to decode."""

    job_id: str
    kind: JobKind
    channel: Channel
    utterance_id: str
    start_ms: int
    """Stream time of the first sample of `pcm`."""
    audio_end_ms: int
    """Stream time just after the last sample."""
    speech_ms: int
    """Voice activity inside, which caps words and gates silence."""
    pcm: bytes
    """int16 little-endian samples at 16 kHz."""
    voice: float | None = None
    """Mean voice-activity probability over the speech, 0 to 1; None when it is not known."""
    hinted: bool = False
    """The utterance overlaps another: its words are waited for."""
    hotwords: tuple[str, ...] = ()
    """Names and terms to expect, most important first."""
    words_from_ms: int | None = None
    """Stream time of the utterance's own first sample; what a final hears before it, as context,
    is not part of its words. None: everything is."""
    extra_frames: int = 0
    """Context on top of the usual, after a pass that looped."""
    patient: bool = False
    """No clock runs: neither superseded, nor skipped, nor decoded any worse under load."""
    beam: int | None = None
    """Beam of a final; None is the setting's."""
    least_frames: int | None = None
    """Least context; None is the setting's floor."""
    most_frames: int | None = None
    """Longest context of the first pass; None does not bound it."""
    align: bool = True
    """Whether the words of a final are timed."""


class JobResult(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a job, in stream time; `error` says why there are none."""

    job_id: str
    kind: JobKind
    channel: Channel
    utterance_id: str
    text: str = ""
    words: tuple[Word, ...] = ()
    no_speech_probability: float | None = None
    flags: tuple[str, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_mib: float = 0.0
    """Resident memory of the worker after the job."""
    error: str | None = None
    """`failed` after two dead workers or while there is none, `skipped` when too many finals
    waited, `superseded` for a partial that a newer one replaced or that waited too long."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the recogniser can do at present, for who asks it for partials."""

    level: int = 0
    """0 to 3, as in the ladder."""
    step: int = 0
    """Rung of the ladder, counting steps within levels."""
    hop_ms: int
    partials: bool = True
    hinted: bool = True
    """Whether partials that an overlap asks for are decoded."""
    available: bool = True
    """Whether any worker can decode at all."""


class Transcriber(Protocol):
    """Decodes jobs somewhere else; every submitted job is answered exactly once."""

    def submit(self, job: Job) -> None:
        """Queue a job and return at once."""

    def poll(self, timeout_s: float) -> list[JobResult]:
        """Return answers that are ready, waiting up to `timeout_s` for the first."""

    @property
    def pending(self) -> int:
        """Jobs not answered yet."""

    def close(self) -> None:
        """End the decoding; open jobs are not answered."""


def unanswered(job: Job, error: str) -> JobResult:
    """Return the answer of a job that was not decoded."""
    return JobResult(
        job_id=job.job_id,
        kind=job.kind,
        channel=job.channel,
        utterance_id=job.utterance_id,
        error=error,
    )


def call_of(job: Job) -> str:
    """Return the call that a job belongs to; its id stands before the job's own."""
    return job.job_id.rpartition("/")[0]
