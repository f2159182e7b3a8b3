"""Folds an event log into a report: a pure function, so a stored call can be reported again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conversation.events import (
    Channel,
    ChannelQuality,
    CueCleared,
    CueFeedback,
    CueRaised,
    Event,
    OverlapClass,
    OverlapEnded,
    PromiseMade,
    PromiseReviewed,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
)
from reports.customer_words import customer_words
from reports.log import PARTIES, CallLog
from reports.model import (
    ActPart,
    CallPart,
    CuePart,
    InterrupterPart,
    InterruptionPart,
    InterruptionsPart,
    PromisePart,
    QualityPart,
    RaisedVoicePart,
    RaisedVoicesPart,
    Report,
    SpeechPart,
    TimingPart,
    TranscriptPart,
)
from reports.scorecard import build_scorecard
from reports.spans import intersect, quantile, total_ms
from reports.talk import talk

COUNTED_CONFIDENCE = 0.6
"""Below this an event is `possible` and in no count (`interruptions.md` section 9)."""
MIN_SCORED_SPEECH_MS = 120_000
"""Rates need this much speech (`interruptions.md` section 13)."""
_CUE_WINDOW_MS = 2_500
"""A live cue belongs to an interruption raised at most this long before it."""


def build_report(events: Iterable[Event]) -> Report:
    """Build the report of one call from its journalled events, in journal order.

    Raises:
        ValueError: the log does not begin with `CallStarted`.
    """
    log = CallLog(events)
    started = log.started
    scored_ms = log.end_ms - total_ms(log.unknown)
    return Report(
        call=CallPart(
            id=started.call_id,
            started_at=started.started_at,
            duration_ms=log.end_ms,
            source=started.source,
            agent=started.agent,
            channels=started.channels,
            language=started.language,
            model=started.model,
        ),
        quality=_quality(log, scored_ms),
        talk=talk(log, scored_ms),
        interruptions=_interruptions(log, scored_ms),
        raised_voice=RaisedVoicesPart(events=_raised_voices(log)),
        speech=tuple(
            SpeechPart(channel=channel, begin_ms=begin_ms, end_ms=end_ms)
            for channel, spans in log.speech.items()
            for begin_ms, end_ms in spans
        ),
        transcript=_transcript(log),
        acts=tuple(
            ActPart(
                id=act.id,
                channel=act.channel,
                kind=act.kind,
                start_ms=act.start_ms,
                end_ms=act.end_ms,
                text=act.text,
                confidence=act.confidence,
            )
            for act in log.acts
        ),
        cues=_cues(log),
        promises=_promises(log),
        scorecard=build_scorecard(log) if log.direction_known else (),
        timing=_timing(log),
        customer_words=customer_words(log),
    )


def _quality(log: CallLog, scored_ms: int) -> QualityPart:
    newest: dict[Channel, ChannelQuality] = {
        event.channel: event for event in log.events if isinstance(event, ChannelQuality)
    }
    warnings = []
    if not log.direction_known:
        warnings.append("direction unknown: one channel only, so nobody is said to interrupt")
    undecoded = sum(final.text is None for final in log.finals)
    if undecoded:
        warnings.append(f"{undecoded} utterances could not be transcribed")
    return QualityPart(
        bleed={
            channel: newest[channel].bleed_grade if channel in newest else None
            for channel in PARTIES
        },
        offset_ms=0,
        snr_db={
            channel: newest[channel].snr_db if channel in newest else None for channel in PARTIES
        },
        gaps=tuple(
            {"channel": g.channel, "begin_ms": g.begin_ms, "end_ms": g.end_ms, "reason": g.reason}
            for g in log.gaps
        ),
        direction_known=log.direction_known,
        scored_ms=scored_ms,
        warnings=tuple(warnings),
    )


def _interruptions(log: CallLog, scored_ms: int) -> InterruptionsPart:
    cues = [e for e in log.events if isinstance(e, CueRaised) and e.rule == "talk_over"]
    speech_ms = sum(total_ms(log.speech[party]) for party in PARTIES)
    events = tuple(_interruption(event, cues) for event in log.overlaps)
    return InterruptionsPart(
        by={
            party: _interrupter(log, [e for e in events if e.by is party], scored_ms, speech_ms)
            for party in PARTIES
        },
        events=events,
    )


def _interruption(event: OverlapEnded, cues: Sequence[CueRaised]) -> InterruptionPart:
    shown = [
        cue.at_ms
        for cue in cues
        if event.by is Channel.AGENT and 0 <= cue.at_ms - event.begin_ms <= _CUE_WINDOW_MS
    ]
    return InterruptionPart(
        id=event.id,
        by=event.by,
        over=event.over,
        overlap_class=event.overlap_class,
        begin_ms=event.begin_ms,
        end_ms=event.end_ms,
        overlap_ms=event.overlap_ms,
        yield_ms=event.yield_ms,
        severity=event.severity,
        confidence=event.confidence,
        interrupted_text=event.interrupted_text,
        interrupting_text=event.interrupting_text,
        resumed=event.resumed,
        live_cue_ms=shown[0] if shown else None,
        evidence=event.evidence,
    )


def _interrupter(
    log: CallLog, events: Sequence[InterruptionPart], scored_ms: int, speech_ms: int
) -> InterrupterPart:
    sure = [event for event in events if event.confidence >= COUNTED_CONFIDENCE]
    counts = Counter(event.overlap_class for event in sure)
    weighted = (
        counts[OverlapClass.SUCCESSFUL]
        + counts[OverlapClass.TALK_OVER]
        + counts[OverlapClass.BUTTING_IN] / 2
    )
    enough = speech_ms >= MIN_SCORED_SPEECH_MS and scored_ms > 0

    def count(overlap_class: OverlapClass) -> int | None:
        return counts[overlap_class] if log.direction_known else None

    return InterrupterPart(
        successful=count(OverlapClass.SUCCESSFUL),
        talk_over=count(OverlapClass.TALK_OVER),
        butting_in=count(OverlapClass.BUTTING_IN),
        cooperative=count(OverlapClass.COOPERATIVE),
        terminal_overlap=count(OverlapClass.TERMINAL_OVERLAP),
        backchannel=count(OverlapClass.BACKCHANNEL),
        collision=count(OverlapClass.COLLISION),
        pause_cut_in=count(OverlapClass.PAUSE_CUT_IN),
        possible=len(events) - len(sure) if log.direction_known else None,
        per_10min=(
            round(weighted * 600_000 / scored_ms, 2) if log.direction_known and enough else None
        ),
        overlap_ms=sum(event.overlap_ms for event in sure) if log.direction_known else None,
    )


def _raised_voices(log: CallLog) -> tuple[RaisedVoicePart, ...]:
    started: dict[str, RaisedVoiceStarted] = {}
    parts = []
    for event in log.events:
        if isinstance(event, RaisedVoiceStarted):
            started[event.id] = event
        elif isinstance(event, RaisedVoiceEnded) and event.id in started:
            begun = started[event.id]
            parts.append(
                RaisedVoicePart(
                    id=event.id,
                    channel=event.channel,
                    begin_ms=event.begin_ms,
                    end_ms=event.end_ms,
                    peak_score=event.peak_score,
                    confidence=begun.confidence,
                    level_delta_db=begun.level_delta_db,
                    f0_delta_st=begun.f0_delta_st,
                )
            )
    return tuple(parts)


def _transcript(log: CallLog) -> tuple[TranscriptPart, ...]:
    both = intersect(log.speech[Channel.AGENT], log.speech[Channel.CUSTOMER])
    return tuple(
        TranscriptPart(
            id=final.utterance_id,
            channel=final.channel,
            start_ms=final.start_ms,
            end_ms=final.end_ms,
            text=final.text,
            words=final.words,
            overlapped=bool(intersect([(final.start_ms, final.end_ms)], both)),
            status=final.status,
        )
        for final in log.finals
        if final.text != ""
    )


def _cues(log: CallLog) -> tuple[CuePart, ...]:
    cleared = {e.id: e for e in log.events if isinstance(e, CueCleared)}
    feedback = {e.cue_id: e.verdict for e in log.events if isinstance(e, CueFeedback)}
    return tuple(
        CuePart(
            id=cue.id,
            rule=cue.rule,
            text=cue.text,
            raised_ms=cue.at_ms,
            cleared_ms=cleared[cue.id].at_ms if cue.id in cleared else None,
            outcome=cleared[cue.id].outcome if cue.id in cleared else None,
            evidence=cue.evidence,
            values=cue.values,
            feedback=feedback.get(cue.id),
        )
        for cue in log.events
        if isinstance(cue, CueRaised)
    )


def _promises(log: CallLog) -> tuple[PromisePart, ...]:
    """Return each promise once, with its newest due time and what the agent made of it."""
    newest = {e.id: e for e in log.events if isinstance(e, PromiseMade)}
    reviews = {e.promise_id: e for e in log.events if isinstance(e, PromiseReviewed)}
    parts = []
    for event in newest.values():
        review = reviews.get(event.id)
        edited = review is not None and review.verdict == "edited"
        parts.append(
            PromisePart(
                id=event.id,
                text=event.text,
                what=(review.what if review and edited else None) or event.what,
                due=event.due,
                confidence=event.confidence,
                start_ms=event.start_ms,
                who=event.who,
                due_at=(review.due_at if review and edited else None) or event.due_at,
                precision=event.precision,
                status="draft" if review is None else review.verdict,
            )
        )
    return tuple(parts)


def _timing(log: CallLog) -> TimingPart:
    onset_to_cue = sorted(
        part.live_cue_ms - part.begin_ms
        for part in (
            _interruption(
                event,
                [e for e in log.events if isinstance(e, CueRaised) and e.rule == "talk_over"],
            )
            for event in log.overlaps
        )
        if part.live_cue_ms is not None
    )
    end_to_final = sorted(final.at_ms - final.end_ms for final in log.finals)
    return TimingPart(
        asr_rtf=None,
        cue_latency_ms={
            "p50": quantile(onset_to_cue, 0.5),
            "p95": quantile(onset_to_cue, 0.95),
        },
        final_latency_ms={
            "p50": quantile(end_to_final, 0.5),
            "p95": quantile(end_to_final, 0.95),
        },
    )
