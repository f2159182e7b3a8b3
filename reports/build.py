"""Folds an event log into a report: a pure function, so a stored call can be reported again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conversation.events import (
    ActDetected,
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    CueCleared,
    CueFeedback,
    CueRaised,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    OverlapClass,
    OverlapEnded,
    PromiseMade,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
)
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
    TalkPart,
    TranscriptPart,
)
from reports.scorecard import build_scorecard
from reports.spans import Span, intersect, subtract, total_ms, union

COUNTED_CONFIDENCE = 0.6
"""Below this an event is `possible` and in no count (`interruptions.md` section 9)."""
MIN_SCORED_SPEECH_MS = 120_000
"""Rates need this much speech (`interruptions.md` section 13)."""
_CUE_WINDOW_MS = 2_500
"""A live cue belongs to an interruption raised at most this long before it."""

PARTIES = (Channel.AGENT, Channel.CUSTOMER)


class CallLog:
    """A call's events, sorted into what the parts of a report need.

    Raises:
        ValueError: the log does not begin with `CallStarted`.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = list(events)
        if not self.events or not isinstance(self.events[0], CallStarted):
            raise ValueError("An event log begins with call_started; this one does not.")
        self.started = self.events[0]
        ends = [event.at_ms for event in self.events if isinstance(event, CallEnded)]
        self.end_ms = ends[-1] if ends else max(event.at_ms for event in self.events)
        self.direction_known = set(self.started.channels) >= set(PARTIES)
        self.gaps = [event for event in self.events if isinstance(event, AudioGap)]
        self.unknown = union([*self._held_spans(), *((g.begin_ms, g.end_ms) for g in self.gaps)])
        self.speech = {channel: self._speech(channel) for channel in Channel}
        self.finals = self._newest_finals()
        self.overlaps = self._newest_overlaps()
        self.acts = [event for event in self.events if isinstance(event, ActDetected)]

    def _held_spans(self) -> list[Span]:
        spans: list[Span] = []
        begin: dict[type[Event], int] = {}
        closes: dict[type[Event], type[Event]] = {
            HoldEnded: HoldStarted,
            CaptureResumed: CapturePaused,
        }
        for event in self.events:
            kind = type(event)
            if kind in (HoldStarted, CapturePaused):
                begin.setdefault(kind, event.at_ms)
            elif kind in closes and closes[kind] in begin:
                spans.append((begin.pop(closes[kind]), event.at_ms))
        return [*spans, *((start, self.end_ms) for start in begin.values())]

    def _speech(self, channel: Channel) -> list[Span]:
        spans: list[Span] = []
        open_ms: int | None = None
        for event in self.events:
            if isinstance(event, SpeechStarted) and event.channel is channel:
                open_ms = event.start_ms
            elif isinstance(event, SpeechEnded) and event.channel is channel:
                spans.append((event.start_ms, event.end_ms))
                open_ms = None
        if open_ms is not None:
            spans.append((open_ms, self.end_ms))
        return subtract(union(spans), self.unknown)

    def _newest_finals(self) -> list[FinalTranscript]:
        newest: dict[str, FinalTranscript] = {}
        for event in self.events:
            if isinstance(event, FinalTranscript):
                held = newest.get(event.utterance_id)
                if held is None or event.rev >= held.rev:
                    newest[event.utterance_id] = event
        return sorted(newest.values(), key=lambda final: (final.start_ms, final.channel))

    def _newest_overlaps(self) -> list[OverlapEnded]:
        ended = [event for event in self.events if isinstance(event, OverlapEnded)]
        newest = max((event.revision for event in ended), default=0)
        chosen = [event for event in ended if event.revision == newest]
        return sorted(chosen, key=lambda event: (event.begin_ms, event.id))


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
        talk=_talk(log, scored_ms),
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
        promises=tuple(
            PromisePart(
                id=event.id,
                text=event.text,
                what=event.what,
                due=event.due,
                confidence=event.confidence,
                start_ms=event.start_ms,
            )
            for event in log.events
            if isinstance(event, PromiseMade)
        ),
        scorecard=build_scorecard(log) if log.direction_known else (),
        timing=_timing(log),
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


def _talk(log: CallLog, scored_ms: int) -> TalkPart:
    agent, customer = log.speech[Channel.AGENT], log.speech[Channel.CUSTOMER]
    everyone = union(span for spans in log.speech.values() for span in spans)
    agent_ms, customer_ms = total_ms(agent), total_ms(customer)
    known = log.direction_known
    turns = [event for event in log.events if isinstance(event, TurnEnded)]
    backchannels = Counter(
        event.by for event in log.overlaps if event.overlap_class is OverlapClass.BACKCHANNEL
    )
    return TalkPart(
        agent_ms=agent_ms if known else None,
        customer_ms=customer_ms if known else None,
        overlap_ms=total_ms(intersect(agent, customer)) if known else None,
        silence_ms=max(0, scored_ms - total_ms(everyone)),
        talk_share_agent=(
            round(agent_ms / (agent_ms + customer_ms), 4)
            if known and agent_ms + customer_ms
            else None
        ),
        longest_monologue_ms={
            party: max((t.end_ms - t.start_ms for t in turns if t.channel is party), default=None)
            for party in PARTIES
        },
        turns={
            party: sum(t.channel is party for t in turns) if known else None for party in PARTIES
        },
        response_latency_ms={party: _latency(log, party) for party in PARTIES},
        words_per_minute={party: _words_per_minute(log, party) for party in PARTIES},
        backchannels={party: backchannels[party] if known else None for party in PARTIES},
    )


def _latency(log: CallLog, party: Channel) -> dict[str, float | None]:
    offsets = sorted(
        event.floor_transfer_offset_ms
        for event in log.events
        if isinstance(event, TurnStarted)
        and event.channel is party
        and event.floor_transfer_offset_ms is not None
        and event.floor_transfer_offset_ms > 0
    )
    return {"median": _quantile(offsets, 0.5), "p90": _quantile(offsets, 0.9)}


def _quantile(ordered: Sequence[int], q: float) -> float | None:
    """Linear interpolation between order statistics; None for an empty sequence."""
    if not ordered:
        return None
    position = q * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (position - low), 1)


def _words_per_minute(log: CallLog, party: Channel) -> float | None:
    """Words over articulation time of utterances of at least 8 words (`prosody.md` section 8)."""
    long = [f for f in log.finals if f.channel is party and len(f.words) >= 8]
    spoken = intersect(union((f.start_ms, f.end_ms) for f in long), log.speech[party])
    spoken_ms = total_ms(spoken)
    return round(sum(len(f.words) for f in long) * 60_000 / spoken_ms, 1) if spoken_ms else None


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


def _timing(log: CallLog) -> dict[str, float | None]:
    """Delays in stream time: from the onset of an overlap to its cue, from words to their final."""
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
    return {
        "cue_after_onset_ms_p50": _quantile(onset_to_cue, 0.5),
        "cue_after_onset_ms_p95": _quantile(onset_to_cue, 0.95),
        "final_after_end_ms_p50": _quantile(end_to_final, 0.5),
        "final_after_end_ms_p95": _quantile(end_to_final, 0.95),
    }
