"""Folds an event log into a report: a pure function, so a stored call can be reported again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from conversation.events import (
    CallEnded,
    Channel,
    ChannelQuality,
    CueCleared,
    CueFeedback,
    CueRaised,
    Event,
    OverlapClass,
    OverlapEnded,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    RolesSwapped,
    SourceNotice,
    TurnEnded,
)
from conversation.overlap_classes import COUNTED_CONFIDENCE, INTERRUPTING, LIMITED_RTT_MS
from reports.audit import cue_audit, live_cues
from reports.corrected import corrected
from reports.curves import curves, holds
from reports.customer_words import customer_words
from reports.intervals import poisson_interval, rate_interval
from reports.log import PARTIES, CallLog
from reports.model import (
    ActPart,
    CallPart,
    CuePart,
    InterrupterPart,
    InterruptionPart,
    InterruptionsPart,
    QualityPart,
    RaisedVoicePart,
    RaisedVoicesPart,
    Report,
    SpeechPart,
    TimingPart,
    TranscriptPart,
)
from reports.promises import promises_of
from reports.scorecard import build_scorecard
from reports.spans import intersect, quantile, total_ms
from reports.summary import practise, summary
from reports.talk import talk

MIN_SCORED_SPEECH_MS = 120_000
"""Rates need this much speech (`interruptions.md` section 13)."""
_WHOLE_CALL = frozenset({"ended"})
"""Reasons after which nothing of the call is missing at its end."""


def build_report(events: Iterable[Event]) -> Report:
    """Build the report of one call from its journalled events, in journal order.

    Raises:
        ValueError: the log does not begin with `CallStarted`.
    """
    report = _parts(CallLog(corrected(events)))
    return msgspec.structs.replace(report, summary=summary(report), practise=practise(report))


def _parts(log: CallLog) -> Report:
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
        holds=holds(log.events, log.end_ms),
        curves=curves(log.events),
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
        promises=promises_of(log.events),
        scorecard=build_scorecard(log) if log.direction_known else (),
        timing=_timing(log),
        customer_words=customer_words(log),
        cue_audit=cue_audit(log),
    )


def _quality(log: CallLog, scored_ms: int) -> QualityPart:
    newest: dict[Channel, ChannelQuality] = {
        event.channel: event for event in log.events if isinstance(event, ChannelQuality)
    }
    warnings = []
    if log.same_signal:
        warnings.append("direction unknown: both channels carry the same signal")
    elif not log.direction_known:
        warnings.append("direction unknown: one channel only, so nobody is said to interrupt")
    warnings += _source_warnings(log)
    if log.offset_ms:
        warnings.append(
            f"channels_misaligned: the customer's channel seems {log.offset_ms} ms late; "
            "nobody is said to interrupt"
        )
    if any(quality.bleed_grade == "C" for quality in newest.values()):
        warnings.append("bleed: one channel is heard in the other, events are only possible")
    if any((quality.rtt_ms or 0) > LIMITED_RTT_MS for quality in newest.values()):
        warnings.append("latency_limited: the round trip is too long to blame single overlaps")
    for party in PARTIES:
        begin_ms = log.several_voices.get(party)
        if begin_ms is not None:
            warnings.append(
                f"several_voices: from {begin_ms // 60_000}:{begin_ms // 1_000 % 60:02} on more "
                f"than one person seems to speak on the {party.value}'s channel; who of them "
                "interrupted is not told, and raised voices and usual values there are uncertain"
            )
    undecoded = sum(final.text is None for final in log.finals)
    if undecoded:
        warnings.append(f"{undecoded} utterances could not be transcribed")
    return QualityPart(
        bleed={
            channel: newest[channel].bleed_grade if channel in newest else None
            for channel in PARTIES
        },
        offset_ms=log.offset_ms,
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


def _source_warnings(log: CallLog) -> list[str]:
    """What the report's reader must know of how the call came in."""
    notices = {e.code: e.detail for e in log.events if isinstance(e, SourceNotice)}
    warnings = [f"{code}: {detail}" for code, detail in notices.items()]
    for event in log.events:
        if isinstance(event, RolesSwapped):
            warnings.append(
                f"roles swapped at {event.at_ms // 60_000}:{event.at_ms // 1_000 % 60:02}: the "
                "whole call is reported with the corrected roles"
            )
        elif isinstance(event, CallEnded) and event.reason not in _WHOLE_CALL:
            warnings.append(f"partial: the call ended with {event.reason}")
    return warnings


def _interruptions(log: CallLog, scored_ms: int) -> InterruptionsPart:
    cues = live_cues(log)
    speech_ms = sum(total_ms(log.speech[party]) for party in PARTIES)
    events = tuple(_interruption(event, cues.get(event.id)) for event in log.overlaps)
    return InterruptionsPart(
        by={
            party: _interrupter(log, [e for e in events if e.by is party], scored_ms, speech_ms)
            for party in PARTIES
        },
        events=events,
    )


def _interruption(event: OverlapEnded, cue_ms: int | None) -> InterruptionPart:
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
        live_cue_ms=cue_ms,
        evidence=event.evidence,
    )


def _interrupter(
    log: CallLog, events: Sequence[InterruptionPart], scored_ms: int, speech_ms: int
) -> InterrupterPart:
    known = log.direction_known and not log.offset_ms
    sure = [event for event in events if event.confidence >= COUNTED_CONFIDENCE]
    counts = Counter(event.overlap_class for event in sure)
    cut = [event for event in sure if event.overlap_class in INTERRUPTING]
    weighted = len(cut) - counts[OverlapClass.BUTTING_IN] / 2
    rated = known and speech_ms >= MIN_SCORED_SPEECH_MS and scored_ms > 0
    yields = sorted(event.yield_ms for event in cut if event.yield_ms is not None)
    stopped = [event for event in cut if event.resumed is not None]

    def count(overlap_class: OverlapClass) -> int | None:
        return counts[overlap_class] if known else None

    return InterrupterPart(
        successful=count(OverlapClass.SUCCESSFUL),
        talk_over=count(OverlapClass.TALK_OVER),
        butting_in=count(OverlapClass.BUTTING_IN),
        cooperative=count(OverlapClass.COOPERATIVE),
        terminal_overlap=count(OverlapClass.TERMINAL_OVERLAP),
        backchannel=count(OverlapClass.BACKCHANNEL),
        collision=count(OverlapClass.COLLISION),
        pause_cut_in=count(OverlapClass.PAUSE_CUT_IN),
        possible=len(events) - len(sure) if known else None,
        per_10min=round(weighted * 600_000 / scored_ms, 2) if rated else None,
        overlap_ms=sum(event.overlap_ms for event in sure) if known else None,
        count=len(cut) if known else None,
        count_interval=poisson_interval(len(cut)) if known else None,
        per_10min_interval=rate_interval(len(cut), 600_000 / scored_ms) if rated else None,
        turns_interrupted=_turns_cut(log, cut) if known else None,
        success_rate=(
            round(counts[OverlapClass.SUCCESSFUL] / len(cut), 4) if known and cut else None
        ),
        yield_ms_median=quantile(yields, 0.5) if known else None,
        taken_up_again=(
            round(sum(bool(e.resumed) for e in stopped) / len(stopped), 4)
            if known and stopped
            else None
        ),
    )


def _turns_cut(log: CallLog, cut: Sequence[InterruptionPart]) -> int:
    turns = [event for event in log.events if isinstance(event, TurnEnded)]
    return sum(
        any(e.over is turn.channel and turn.start_ms <= e.begin_ms <= turn.end_ms for e in cut)
        for turn in turns
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


def _timing(log: CallLog) -> TimingPart:
    begins = {event.id: event.begin_ms for event in log.overlaps}
    onset_to_cue = sorted(at_ms - begins[name] for name, at_ms in live_cues(log).items())
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
