"""What has been published of one channel's utterances, and which answers are still awaited."""

from __future__ import annotations

import msgspec

from asr.guard import plain
from asr.jobs import Job, JobKind, JobResult, unanswered
from asr.publishing import Shown, final_transcript, partial_transcript, without_echo
from asr.settings import AsrSettings
from conversation.events import Channel, FinalTranscript, PartialTranscript

_REDECODED = frozenset({"delayed", "failed", "truncated", "skipped"})

Transcripts = list[PartialTranscript | FinalTranscript]


class TranscriptLog:
    """Turns answers into partials, finals and corrections; stale answers give nothing."""

    def __init__(self, channel: Channel, settings: AsrSettings) -> None:
        self._channel = channel
        self._settings = settings
        self.level = 0
        """Level of the ladder that transcripts carry."""
        self._shown: dict[str, Shown] = {}
        self._asked: dict[str, tuple[Job, int]] = {}
        """Jobs without an answer, with the end of the speech in them."""
        self._promoted: set[str] = set()
        """Speculative jobs that have become the final of their utterance."""
        self._last_word = ""
        """Of the newest final."""
        self._redo: list[Job] = []
        self._redo_bytes = 0

    @property
    def unfinished_since_ms(self) -> int | None:
        """Start of the audio of the oldest utterance without its final; None without one."""
        begins = [shown.begin_ms for shown in self._shown.values()]
        return max(0, min(begins) - self._settings.pre_roll_ms) if begins else None

    def begin(self, utterance_id: str, speech_ms: int) -> None:
        """Take note of an utterance whose speech begins at `speech_ms`."""
        self._shown[utterance_id] = Shown(speech_ms, self._settings)

    def drop(self, utterance_id: str) -> None:
        """Forget an utterance that will have no final."""
        self._shown.pop(utterance_id, None)

    def text_up_to(self, utterance_id: str, speech_end_ms: int) -> str | None:
        """Return what is shown of an utterance; None when a pass up to its end is missing."""
        stabiliser = self._shown[utterance_id].stabiliser
        return stabiliser.text if stabiliser.audio_end_ms >= speech_end_ms else None

    def ask(self, job: Job, speech_end_ms: int) -> None:
        """Await the answer of a job in which the speech ends at `speech_end_ms`."""
        self._asked[job.job_id] = (job, speech_end_ms)

    def promote(self, job_id: str) -> None:
        """Make the answer of a speculative job the final of its utterance."""
        self._promoted.add(job_id)

    def abandon(self, at_ms: int) -> Transcripts:
        """Publish what nobody will decode any more as skipped, so that no speech vanishes."""
        missing: Transcripts = []
        for job, end_ms in list(self._asked.values()):
            if job.kind is JobKind.FINAL or job.job_id in self._promoted:
                missing += self._final(
                    job, unanswered(job, "skipped"), self._shown[job.utterance_id], at_ms, end_ms
                )
        self._asked.clear()
        return missing

    def redecode(self) -> list[Job]:
        """Return decodes of what came late, cut or not at all, once each, for after the call."""
        jobs, self._redo, self._redo_bytes = self._redo, [], 0
        for job in jobs:
            self._asked[job.job_id] = (job, job.audio_end_ms)
        return jobs

    def preview(self, result: JobResult, at_ms: int) -> Transcripts:
        """Show what a speculative decode heard; it may still become the final."""
        shown = self._shown.get(result.utterance_id)
        job, end_ms = self._asked.get(result.job_id, (None, 0))
        if shown is None or job is None:
            return []
        return self._partial(result, shown, at_ms, end_ms)

    def receive(self, result: JobResult, at_ms: int) -> Transcripts:
        """Turn an answer into what is published at `at_ms`."""
        shown = self._shown.get(result.utterance_id)
        job, end_ms = self._asked.pop(result.job_id, (None, 0))
        if shown is None or job is None:
            return []
        if result.kind is JobKind.REDECODE:
            return self._corrected(job, result, shown, at_ms)
        if result.kind is JobKind.FINAL or result.job_id in self._promoted:
            return self._final(job, result, shown, at_ms, end_ms)
        return self._partial(result, shown, at_ms, end_ms)

    def _partial(self, result: JobResult, shown: Shown, at_ms: int, end_ms: int) -> Transcripts:
        if result.error is not None or not result.text:
            return []
        changed = shown.stabiliser.push(result.text, end_ms, result.words)
        shown.news = shown.news or changed
        unsure = (result.no_speech_probability or 0.0) > self._settings.no_speech_limit
        if not shown.news or (unsure and not shown.stabiliser.stable):
            return []
        shown.news = False
        return [partial_transcript(self._channel, result, shown, at_ms, end_ms, self.level)]

    def _final(
        self, job: Job, result: JobResult, shown: Shown, at_ms: int, end_ms: int
    ) -> Transcripts:
        self._promoted.discard(result.job_id)
        result = without_echo(result, shown.begin_ms, self._last_word)
        if result.text:
            self._last_word = plain(result.text.split()[-1])
        if result.error is None and not result.text and shown.rev == 0:
            del self._shown[result.utterance_id]
            return []
        final = final_transcript(
            self._channel, result, shown, at_ms, end_ms, self._settings.model, self.level
        )
        fits = self._redo_bytes + len(job.pcm) <= 32 * self._settings.redecode_audio_ms
        if final.status in _REDECODED and fits:
            shown.end_ms = end_ms
            self._redo_bytes += len(job.pcm)
            self._redo.append(
                msgspec.structs.replace(
                    job, job_id=f"{job.job_id}-again", kind=JobKind.REDECODE, least_frames=3000
                )
            )
        else:
            del self._shown[result.utterance_id]
        return [final]

    def _corrected(self, job: Job, result: JobResult, shown: Shown, at_ms: int) -> Transcripts:
        """Publish a decode after the call, unless it is no better than what is there."""
        del self._shown[job.utterance_id]
        if result.error is not None or "loop" in result.flags:
            return []
        result = msgspec.structs.replace(result, flags=(*result.flags, "redecoded"))
        return [
            final_transcript(
                self._channel, result, shown, at_ms, shown.end_ms, self._settings.model, 0
            )
        ]
