"""What is asked of the recogniser, and what it answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from conversation.events import Channel, Word


class JobKind(StrEnum):
    """Finals go before speculative ones, and those before partials."""

    PARTIAL = "partial"
    SPECULATIVE = "speculative"
    """A final decoded while the pause may still end: published if it does not."""
    FINAL = "final"


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
    error: str | None = None
    """`failed` after two dead workers, `superseded` for a partial that a newer one replaced."""


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
