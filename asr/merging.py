"""One decode for several neighbouring utterances, when there is not enough machine for each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from asr.jobs import Job, JobResult

_BYTES_PER_MS = 32
FULL_CONTEXT_FRAMES = 3000


def merge(jobs: Sequence[Job]) -> Job:
    """Return one job over the jobs' audio, in order, what lies between them as digital zeros.

    The jobs are finals of one channel in the order of time.
    """
    first, last = jobs[0], jobs[-1]
    pcm = bytearray()
    for job in jobs:
        begin = (job.start_ms - first.start_ms) * _BYTES_PER_MS
        pcm += bytes(max(0, begin - len(pcm)))
        pcm += job.pcm[max(0, len(pcm) - begin) :]
    voiced = [(job.voice, job.speech_ms) for job in jobs if job.voice is not None]
    speech_ms = sum(weight for _, weight in voiced)
    return msgspec.structs.replace(
        first,
        audio_end_ms=last.audio_end_ms,
        speech_ms=sum(job.speech_ms for job in jobs),
        voice=sum(voice * weight for voice, weight in voiced) / speech_ms if speech_ms else None,
        pcm=bytes(pcm),
        least_frames=FULL_CONTEXT_FRAMES,
        beam=1,
        align=True,
    )


def split(result: JobResult, jobs: Sequence[Job]) -> list[JobResult]:
    """Return the answers of the merged jobs: each word goes where its middle is nearest."""
    words: list[list[int]] = [[] for _ in jobs]
    for index, word in enumerate(result.words):
        middle_ms = (word.start_ms + word.end_ms) // 2
        distances = [max(job.start_ms - middle_ms, middle_ms - job.audio_end_ms, 0) for job in jobs]
        words[distances.index(min(distances))].append(index)
    return [
        msgspec.structs.replace(
            result,
            job_id=job.job_id,
            kind=job.kind,
            utterance_id=job.utterance_id,
            text=" ".join(result.words[i].text for i in mine),
            words=tuple(result.words[i] for i in mine),
            flags=(*result.flags, "merged"),
        )
        for job, mine in zip(jobs, words, strict=True)
    ]
