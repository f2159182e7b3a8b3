"""Cuts one channel's speech into utterances, asks for decodes, and publishes what comes back.

    begins   300 ms before its first speech
    ends     after 450 ms of silence; 300 when its words end a sentence, 700 when they end in the
             middle of one; at 12 s, where the voice is faintest in the last 2 s; at lost audio, a
             hold, a pause and the end of the call
    partial  every hop of new speech, at a dip of 64 ms, and where an overlap waits for words
    final    decoded in advance after 200 ms of silence where partials are on, shown at once as a
             partial, and published if the silence lasts; the tail of an utterance is always decoded

Jobs follow from the stream alone, and from advice where the clock is live: time advances on a
fixed grid, so chunk sizes and call rates change nothing.
"""

from __future__ import annotations

from bisect import insort
from collections import deque

from asr.jobs import Advice, Job, JobKind, JobResult
from asr.languages import language_words
from asr.listening import ListeningBuffer
from asr.settings import AsrSettings
from asr.transcripts import TranscriptLog, Transcripts
from asr.utterance import Lead, Utterance
from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CapturePaused,
    Channel,
    Event,
    HoldStarted,
    SpeechEnded,
    SpeechStarted,
)

_GRID_MS = 20
_QUIET_SEARCH_MS = 2_000
_LATE_ONSET_MS = 500
"""Longest time between an onset and the event that tells of it."""
_LOOP_EXTRA_FRAMES = 500
"""Context added after a partial that looped (section 4)."""
_PUNCTUATION = ".,;:!?\"'()-…"


class UtteranceTracker:
    """One channel; a pure function of its audio, events, advice and results."""

    def __init__(
        self,
        channel: Channel,
        settings: AsrSettings,
        *,
        hotwords: tuple[str, ...] = (),
        patient: bool = False,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._hotwords = tuple(dict.fromkeys([*hotwords, *settings.hotwords]))
        self._patient = patient
        self._advice = Advice(hop_ms=settings.hop_ms)
        self._words = language_words(settings.language)
        self._buffer = ListeningBuffer()
        self._events: deque[Event] = deque()
        self._grid_ms = 0
        self._open: Utterance | None = None
        self._former: Utterance | None = None
        self._count = 0
        self._jobs = 0
        self._log = TranscriptLog(channel, settings)
        self._speculated: dict[str, JobResult | None] = {}
        """Speculative jobs of the present pause, with their answers as far as they are there."""
        self._ready: list[JobResult] = []

    @property
    def speaking(self) -> bool:
        """Whether the channel speaks, as far as its audio was cut."""
        return self._open is not None and self._open.speaking

    @property
    def unfinished_since_ms(self) -> int | None:
        """Start of the audio of the oldest utterance without its final; None without one."""
        return self._log.unfinished_since_ms

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take the next 16 kHz audio of the channel."""
        self._buffer.push_audio(chunk)

    def push_voice(self, begin_ms: int, probability: float) -> None:
        """Take the voice-activity probability of the next 32 ms window."""
        self._buffer.push_voice(begin_ms, probability)

    def observe(self, event: Event) -> None:
        """Take an event of this channel (or a pause or hold of the call); others are ignored."""
        if isinstance(event, CapturePaused | HoldStarted) or (
            isinstance(event, SpeechStarted | SpeechEnded | AudioGap)
            and event.channel is self._channel
        ):
            self._events.append(event)

    def advise(self, advice: Advice) -> None:
        """Take what the recogniser can do at present (live clock only)."""
        self._advice = advice
        self._log.level = advice.level

    def hint(self, due_ms: int) -> None:
        """An overlap waits for this channel's words from `due_ms` on (live clock only)."""
        if self._open is not None:
            self._open.overlapped = True
            insort(self._open.hints_ms, due_ms)

    def advance(self, watermark_ms: int) -> list[Job]:
        """Return the jobs that are due once everything up to `watermark_ms` has been heard."""
        jobs: list[Job] = []
        while self._grid_ms + _GRID_MS <= watermark_ms:
            self._grid_ms += _GRID_MS
            while self._events and self._events[0].at_ms <= self._grid_ms:
                jobs += self._take(self._events.popleft())
            jobs += self._due(self._grid_ms)
        settings = self._settings
        keep_ms = self._grid_ms - settings.lead_gap_ms - settings.lead_ms - _LATE_ONSET_MS
        if self._open is not None:
            keep_ms = min(keep_ms, self._open.lead.from_ms)
        self._buffer.forget(keep_ms)
        return jobs

    def finish(self) -> list[Job]:
        """End the call: decode what is open."""
        jobs: list[Job] = []
        while self._events:
            jobs += self._take(self._events.popleft())
        return jobs + self._close(self._buffer.end_ms or self._grid_ms)

    def abandon(self, at_ms: int) -> Transcripts:
        """Publish what nobody will decode any more as skipped, so that no speech vanishes."""
        return self._log.abandon(at_ms)

    def redecode(self) -> list[Job]:
        """Return decodes of what came late, cut or not at all, once each, for after the call."""
        return self._log.redecode()

    def receive(self, result: JobResult, at_ms: int) -> Transcripts:
        """Turn an answer into what is published at `at_ms`; stale ones give nothing."""
        if result.job_id in self._speculated:
            if result.error is None:
                self._speculated[result.job_id] = result
                return self._log.preview(result, at_ms)
            self._forget_speculation(result.job_id)
        elif result.kind is JobKind.PARTIAL and "loop" in result.flags and self._open is not None:
            self._open.extra_frames += _LOOP_EXTRA_FRAMES
        return self._log.receive(result, at_ms)

    def take_ready(self, at_ms: int) -> Transcripts:
        """Publish finals at `at_ms` that were decoded before their utterance ended."""
        ready, self._ready = self._ready, []
        return [event for result in ready for event in self.receive(result, at_ms)]

    # ------------------------------------------------------------------ cutting

    def _take(self, event: Event) -> list[Job]:
        if isinstance(event, SpeechStarted):
            if self._open is None:
                self._begin(max(0, event.start_ms - self._settings.pre_roll_ms), event.start_ms)
            assert self._open is not None  # noqa: S101 - just begun
            self._open.speech.append([event.start_ms, None])
            self._end_pause(self._open)
        elif isinstance(event, SpeechEnded):
            if self._open is not None and self._open.speaking:
                self._open.speech[-1][1] = event.end_ms
        else:
            jobs = self._close(event.begin_ms if isinstance(event, AudioGap) else event.at_ms)
            self._former = None
            return jobs
        return []

    def _begin(self, begin_ms: int, speech_ms: int) -> None:
        self._count += 1
        lead = Lead(begin_ms)
        former, settings = self._former, self._settings
        if former is not None and begin_ms - former.last_end_ms <= settings.lead_gap_ms:
            from_ms = min(begin_ms, max(former.begin_ms, begin_ms - settings.lead_ms))
            spoken_ms = former.speech_ms(begin_ms) - former.speech_ms(from_ms)
            heard_ms = min(begin_ms, former.last_end_ms + settings.speculate_after_ms)
            lead = Lead(from_ms, max(0, spoken_ms), heard_ms)
        self._open = Utterance(f"{self._channel[0]}-{self._count}", begin_ms, lead)
        self._open.last_partial_ms = speech_ms
        self._log.begin(self._open.id, speech_ms)

    def _due(self, now_ms: int) -> list[Job]:
        utterance = self._open
        if utterance is None:
            return []
        settings = self._settings
        silence_ms = 0 if utterance.speaking else now_ms - utterance.last_end_ms
        endpoint_ms = self._endpoint_ms(utterance) if silence_ms else 0
        if silence_ms and silence_ms >= endpoint_ms:
            return self._close(utterance.last_end_ms + endpoint_ms)
        if now_ms - utterance.begin_ms >= settings.max_utterance_ms:
            return self._split(now_ms)
        if self._speculates(utterance, silence_ms):
            jobs = self._job(
                utterance, JobKind.SPECULATIVE, utterance.last_end_ms + settings.speculate_after_ms
            )
            for job in jobs:
                utterance.speculative = job.job_id
                self._speculated[job.job_id] = None
            return jobs
        if utterance.speaking and self._shows(utterance, now_ms):
            hinted = utterance.is_hinted(now_ms)
            utterance.hints_ms = [due_ms for due_ms in utterance.hints_ms if due_ms > now_ms]
            utterance.last_partial_ms = now_ms
            return self._job(utterance, JobKind.PARTIAL, now_ms, hinted=hinted)
        return []

    def _endpoint_ms(self, utterance: Utterance) -> int:
        """Return the silence that ends an utterance, by the words up to its end."""
        settings = self._settings
        answer = self._speculated.get(utterance.speculative or "")
        if answer is not None:
            text = answer.text
        else:
            text = self._log.text_up_to(utterance.id, utterance.last_end_ms) or ""
        words = text.lower().split()
        if not words:
            return settings.endpoint_silence_ms
        if words[-1].strip(_PUNCTUATION) in self._words.unfinished or words[-1].endswith(
            ("...", "…", "-", ",")
        ):
            return settings.endpoint_unfinished_ms
        if words[-1][-1] in ".?!":
            return settings.endpoint_sentence_ms
        return settings.endpoint_silence_ms

    def _speculates(self, utterance: Utterance, silence_ms: int) -> bool:
        return (
            self._settings.partials_enabled
            and self._advice.partials
            and utterance.speculative is None
            and silence_ms >= self._settings.speculate_after_ms
            and utterance.speech_ms(utterance.last_end_ms) >= self._settings.min_speech_ms
        )

    def _shows(self, utterance: Utterance, now_ms: int) -> bool:
        """Whether a partial is due: a hop of new speech, a dip, or an overlap that waits."""
        settings, advice = self._settings, self._advice
        if not settings.partials_enabled:
            return False
        if advice.hinted and utterance.is_hinted(now_ms):
            return True
        new_ms = now_ms - max(utterance.last_partial_ms, utterance.last_begin_ms)
        if not advice.partials or new_ms < settings.agreement_growth_ms:
            return False
        if now_ms - utterance.last_partial_ms >= advice.hop_ms and new_ms >= min(
            advice.hop_ms, settings.hop_ms
        ):
            return True
        return advice.level == 0 and self._buffer.dips(
            now_ms, settings.dip_probability, settings.dip_ms
        )

    def _end_pause(self, utterance: Utterance) -> None:
        if utterance.speculative is not None:
            self._forget_speculation(utterance.speculative)
            utterance.speculative = None

    def _forget_speculation(self, job_id: str) -> None:
        """Speech went on: an answer that is there or comes is no more than a partial."""
        answer = self._speculated.pop(job_id, None)
        if answer is not None:
            self._ready.append(answer)

    def _split(self, now_ms: int) -> list[Job]:
        """End a long utterance where its voice is faintest in the last 2 s; go on with the rest."""
        utterance = self._open
        assert utterance is not None  # noqa: S101 - only called while one is open
        cut_ms = self._buffer.faintest_ms(now_ms - _QUIET_SEARCH_MS, now_ms)
        rest = [
            [max(begin or 0, cut_ms), end]
            for begin, end in utterance.speech
            if end is None or end > cut_ms
        ]
        self._end_pause(utterance)
        jobs = self._close(cut_ms)
        if rest:
            self._begin(cut_ms, cut_ms)
            assert self._open is not None  # noqa: S101 - just begun
            self._open.speech = rest
            self._open.overlapped = utterance.overlapped
        return jobs

    def _close(self, end_ms: int) -> list[Job]:
        utterance, self._open = self._open, None
        if utterance is None:
            return []
        if utterance.speaking:
            utterance.speech[-1][1] = end_ms
        self._former = utterance
        if utterance.speech_ms(end_ms) < self._settings.min_speech_ms:
            self._log.drop(utterance.id)
            return []
        job_id = utterance.speculative
        if job_id is None or job_id not in self._speculated:
            return self._job(utterance, JobKind.FINAL, end_ms)
        self._log.promote(job_id)
        answer = self._speculated.pop(job_id)
        if answer is not None:
            self._ready.append(answer)
        return []

    def _job(
        self, utterance: Utterance, kind: JobKind, end_ms: int, *, hinted: bool = False
    ) -> list[Job]:
        pcm = self._buffer.pcm(utterance.begin_ms, end_ms)
        if not any(pcm):
            return []
        begin_ms, speech_ms, lead = utterance.begin_ms, utterance.speech_ms(end_ms), utterance.lead
        words_from_ms = None
        if (
            kind is not JobKind.PARTIAL
            and lead.from_ms < begin_ms
            and end_ms - lead.from_ms <= self._settings.lead_total_ms
        ):
            begin_ms, words_from_ms = lead.from_ms, lead.words_from_ms
            speech_ms += lead.speech_ms
            pcm = self._buffer.pcm(begin_ms, end_ms)
        self._jobs += 1
        speech_end_ms = end_ms
        if kind is not JobKind.PARTIAL:
            speech_end_ms = utterance.last_end_ms or end_ms
        spans = [(begin or 0, end_ms if end is None else end) for begin, end in utterance.speech]
        job = Job(
            job_id=f"{self._channel}-{self._jobs}",
            kind=kind,
            channel=self._channel,
            utterance_id=utterance.id,
            start_ms=begin_ms,
            audio_end_ms=end_ms,
            speech_ms=speech_ms,
            pcm=pcm,
            voice=self._buffer.mean_voice(spans),
            hinted=hinted if kind is JobKind.PARTIAL else utterance.overlapped,
            hotwords=self._hotwords,
            words_from_ms=words_from_ms,
            extra_frames=utterance.extra_frames if kind is JobKind.PARTIAL else 0,
            patient=self._patient,
        )
        self._log.ask(job, speech_end_ms)
        return [job]
