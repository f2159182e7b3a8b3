"""Turns answers of the recogniser into transcripts."""

from __future__ import annotations

import msgspec

from asr.guard import plain
from asr.jobs import JobResult
from asr.settings import AsrSettings
from asr.stabiliser import Stabiliser
from conversation.events import Channel, FinalTranscript, PartialTranscript, Word

_LONGEST_WORD_MS = 1_000
_WORD_AFTER_VOICE_MS = 200
"""A word aligned to begin later than this after the voice ended was not spoken: over two calls
real words begin at most 24 ms after it, invented ones from 228 ms on."""


class Shown:
    """What has been published of an utterance."""

    def __init__(self, begin_ms: int, settings: AsrSettings) -> None:
        self.begin_ms = begin_ms
        self.end_ms = begin_ms
        self.stabiliser = Stabiliser(settings)
        self.rev = 0
        self.news = False
        """Whether a pass changed the words since they were published."""


def without_echo(result: JobResult, begin_ms: int, last_word: str) -> JobResult:
    """Drop a first word from before the utterance's voice that ends the utterance before, too.

    Alignment sometimes puts the last word of the context into the pause after it.
    """
    words = result.words
    if not words or words[0].start_ms >= begin_ms or plain(words[0].text) != last_word:
        return result
    rest = words[1:]
    return msgspec.structs.replace(result, words=rest, text=" ".join(word.text for word in rest))


def partial_transcript(
    channel: Channel, result: JobResult, shown: Shown, at_ms: int, audio_end_ms: int, level: int
) -> PartialTranscript:
    """Return what the stabiliser shows now, as the next revision."""
    shown.rev += 1
    return PartialTranscript(
        at_ms=at_ms,
        channel=channel,
        utterance_id=result.utterance_id,
        rev=shown.rev,
        start_ms=shown.begin_ms,
        audio_end_ms=audio_end_ms,
        stable=" ".join(shown.stabiliser.stable),
        tail=" ".join(shown.stabiliser.tail),
        stable_words=len(shown.stabiliser.stable),
        asr_level=level,
    )


def final_transcript(
    channel: Channel,
    result: JobResult,
    shown: Shown,
    at_ms: int,
    end_ms: int,
    model: str,
    level: int,
) -> FinalTranscript:
    """Return the final of an utterance whose speech ended at `end_ms`.

    Words that the aligner puts after the voice were not spoken and are left out; the others are
    clamped into the speech, because attention stretches words over pauses.
    """
    shown.rev += 1
    spoken = [w for w in result.words if w.start_ms <= end_ms + _WORD_AFTER_VOICE_MS]
    invented = len(spoken) < len(result.words)
    text = " ".join(w.text for w in spoken) if invented else result.text
    return FinalTranscript(
        at_ms=at_ms,
        channel=channel,
        utterance_id=result.utterance_id,
        rev=shown.rev,
        start_ms=shown.begin_ms,
        end_ms=max(end_ms, shown.begin_ms),
        text=None if result.error is not None else text,
        words=tuple(_clamp(w, shown.begin_ms, end_ms) for w in spoken),
        status=_status(result),
        no_speech_probability=result.no_speech_probability,
        flags=result.flags,
        model=model,
        asr_level=level,
    )


def _status(result: JobResult) -> str:
    if result.error is not None:
        return "skipped" if result.error == "skipped" else "failed"
    if "loop" in result.flags:
        return "truncated"
    return "delayed" if "merged" in result.flags else "ok"


def _clamp(word: Word, begin_ms: int, end_ms: int) -> Word:
    start_ms = min(max(word.start_ms, begin_ms), end_ms)
    return Word(
        text=word.text,
        start_ms=start_ms,
        end_ms=max(start_ms, min(word.end_ms, end_ms, start_ms + _LONGEST_WORD_MS)),
        probability=word.probability,
    )
