"""What a dashboard knows of a call: a pure fold of its events, the same as the panel's store.

`fold(view, event)` here and `reduce(state, event)` in `dashboard/src/store.ts` give the same
state for the same events; golden logs are folded on both sides and compared. The server needs
the state itself for two things: a snapshot that does not grow with every metric of a long call,
and the cards of the supervisor wall.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from conversation.events import (
    ActDetected,
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    AnalysisChanged,
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    CueCleared,
    CueRaised,
    Event,
    FinalTranscript,
    HandRaised,
    HoldEnded,
    HoldStarted,
    LineDoubted,
    MetricsUpdated,
    NoticeCleared,
    NoticeShown,
    OverlapClass,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    PartialTranscript,
    PromiseMade,
    PromiseReviewed,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    RecognitionChanged,
    SpeechEnded,
    SpeechStarted,
)

NEED_CUES = frozenset(
    {"customer_upset", "customer_raised", "escalation_ask", "abuse", "vulnerable"}
)
"""Cues about what the customer needs; no other leaves the agent's screen (coaching.md 3.3)."""


MOST_BARS = 4_000
"""Bars that a view has at most, those of about two hours: beyond, the older half gets coarser."""
MOST_MARKS = 2_000
"""Raised passages, and overlaps, at most: the newest."""
MOST_LINES = 4_000
"""Utterances at most, those of several hours: the newest."""
MOST_ACTS = 2_000
"""Acts at most: the newest, and the first of each kind, which the checklist asks for."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts of a view."""


class Bar(_Part, frozen=True, kw_only=True):
    """A stretch of speech, lost audio or silence; `end_ms` is None while it goes on."""

    channel: Channel
    start_ms: int
    end_ms: int | None


class RaisedBar(_Part, frozen=True, kw_only=True):
    """A passage in a raised voice."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int | None


class OverlapMark(_Part, frozen=True, kw_only=True):
    """Simultaneous speech, or a cut into a pause."""

    id: str
    by: Channel
    begin_ms: int
    end_ms: int | None
    overlap_class: OverlapClass | None
    """None until the first judgement."""


class Line(_Part, frozen=True, kw_only=True):
    """One utterance of the transcript."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    """End of the audio that the words cover so far."""
    stable: str
    tail: str
    final: bool
    status: str
    """`ok`, or why there are no or fewer words; see `FinalTranscript.status`."""


class Alert(_Part, frozen=True, kw_only=True):
    """An alert whose condition is not over, or that somebody has answered."""

    id: str
    rule: str
    reason: str
    suggested_action: str
    at_ms: int
    answer: str | None
    """`acknowledged` or `taken` by a supervisor; it stays in view, and ranks low."""


class Pledge(_Part, frozen=True, kw_only=True):
    """A promise that was heard, and what the agent made of it."""

    id: str
    what: str
    due: str | None
    """The words that say when."""
    due_at: str | None
    """The latest time that keeps it, ISO 8601 with offset."""
    start_ms: int
    status: str
    """`draft`, `confirmed`, `edited` or `rejected`."""


class Notice(_Part, frozen=True, kw_only=True):
    """An indicator that the core shows beside the cue, such as masked card data."""

    id: str
    text: str


class Doubt(_Part, frozen=True, kw_only=True):
    """What makes the call less sure; see `LineDoubted`."""

    code: str
    channel: Channel | None


class CallView(_Part, frozen=True, kw_only=True):
    """Everything that dashboards show of one call.

    A view is bounded however long the call lasts; the journal, and the report, have everything.
    """

    call_id: str = ""
    agent: str | None = None
    channels: tuple[Channel, ...] = ()
    usual_wpm: float | None = None
    """The agent's own usual pace, words a minute; None while it is unknown."""
    transcribed: bool = True
    """Whether words are recognised in this call at all."""
    position_ms: int = 0
    ended: bool = False
    paused: bool = False
    hold_since_ms: int | None = None
    hand_since_ms: int | None = None
    """Since when the agent asks for help."""
    bleed: str | None = None
    doubts: tuple[Doubt, ...] = ()
    """What else is doubtful about the line, in the order in which it became known."""
    asr_level: int = 0
    """Degradation of the recogniser: 0 none, 2 no partial words, 3 finals late."""
    analysis_level: int = 0
    """Degradation of the analysis: 4 voices judged without pitch, 5 new calls refused as well."""
    asr_available: bool = True
    """False while no recogniser can be had."""
    speech: tuple[Bar, ...] = ()
    raised: tuple[RaisedBar, ...] = ()
    overlaps: tuple[OverlapMark, ...] = ()
    missing: tuple[Bar, ...] = ()
    """Newest stretch of lost audio of each channel."""
    lines: tuple[Line, ...] = ()
    acts: tuple[ActDetected, ...] = ()
    cue: CueRaised | None = None
    resolved: CueRaised | None = None
    """The cue that was cleared last."""
    need_cues: int = 0
    alerts: tuple[Alert, ...] = ()
    pledges: tuple[Pledge, ...] = ()
    notices: tuple[Notice, ...] = ()
    metrics: MetricsUpdated | None = None


def fold(view: CallView, event: Event) -> CallView:
    """Return the view after one event."""
    at_ms = max(view.position_ms, event.at_ms)
    match event:
        case CallStarted():
            return CallView(
                call_id=event.call_id,
                agent=event.agent,
                channels=event.channels,
                usual_wpm=event.usual_words_per_minute,
                transcribed=event.model is not None,
                position_ms=event.at_ms,
            )
        case CallEnded():
            view = replace(view, ended=True, cue=None, resolved=None, notices=())
        case CapturePaused() | CaptureResumed():
            view = replace(view, paused=isinstance(event, CapturePaused))
        case HoldStarted():
            view = replace(view, hold_since_ms=event.at_ms)
        case HoldEnded():
            view = replace(view, hold_since_ms=None)
        case HandRaised():
            view = replace(view, hand_since_ms=event.at_ms if event.raised else None)
        case ChannelQuality():
            view = replace(view, bleed=event.bleed_grade or view.bleed)
        case LineDoubted():
            view = replace(view, doubts=_doubts(view.doubts, event))
        case MetricsUpdated():
            view = replace(view, metrics=event)
        case ActDetected():
            view = replace(view, acts=_acts((*view.acts, event)))
        case PartialTranscript() | FinalTranscript():
            view = _hear(view, event)
        case RecognitionChanged():
            view = replace(view, asr_level=event.level, asr_available=event.available)
        case AnalysisChanged():
            view = replace(view, analysis_level=event.level)
        case NoticeShown() | NoticeCleared():
            view = replace(view, notices=_notices(view.notices, event))
        case CueRaised() | CueCleared():
            view = _cue(view, event)
        case AlertRaised() | AlertCleared() | AlertAcknowledged():
            view = replace(view, alerts=_alerts(view.alerts, event))
        case PromiseMade() | PromiseReviewed():
            view = replace(view, pledges=_pledges(view.pledges, event))
        case _:
            view = _voices(view, event)
    return replace(view, position_ms=at_ms)


def fold_all(events: Iterable[Event], view: CallView | None = None) -> CallView:
    """Fold many events, from the beginning or from `view` on."""
    view = view or CallView()
    for event in events:
        view = fold(view, event)
    return view


def _doubts(doubts: tuple[Doubt, ...], event: LineDoubted) -> tuple[Doubt, ...]:
    doubt = Doubt(code=event.code, channel=event.channel)
    others = tuple(other for other in doubts if other != doubt)
    return others if event.over else (*others, doubt)


class _Marked(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str:
        """Distinguishes it from the others of its kind."""


_Item = TypeVar("_Item", bound=_Marked)


def _put(items: tuple[_Item, ...], item: _Item) -> tuple[_Item, ...]:
    """Replace the item of the same id, or append."""
    for index in range(len(items) - 1, -1, -1):
        if items[index].id == item.id:
            return (*items[:index], item, *items[index + 1 :])
    return (*items, item)


def _voices(view: CallView, event: Event) -> CallView:
    match event:
        case SpeechStarted():
            bar = Bar(channel=event.channel, start_ms=event.start_ms, end_ms=None)
            return replace(view, speech=_bars((*view.speech, bar)))
        case SpeechEnded():
            bar = Bar(channel=event.channel, start_ms=event.start_ms, end_ms=event.end_ms)
            closed = tuple(
                b for b in view.speech if b.channel is not event.channel or b.end_ms is not None
            )
            return replace(view, speech=_bars((*closed, bar)))
        case RaisedVoiceStarted() | RaisedVoiceEnded():
            raised = RaisedBar(
                id=event.id,
                channel=event.channel,
                start_ms=event.begin_ms,
                end_ms=event.end_ms if isinstance(event, RaisedVoiceEnded) else None,
            )
            return replace(view, raised=_put(view.raised, raised)[-MOST_MARKS:])
        case OverlapStarted() | OverlapUpdated() | OverlapEnded():
            mark = OverlapMark(
                id=event.id,
                by=event.by,
                begin_ms=event.begin_ms,
                end_ms=event.end_ms if isinstance(event, OverlapEnded) else None,
                overlap_class=(None if isinstance(event, OverlapStarted) else event.overlap_class),
            )
            return replace(view, overlaps=_put(view.overlaps, mark)[-MOST_MARKS:])
        case AudioGap():
            return replace(view, missing=_missing(view.missing, event))
    return view


def _bars(bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Bridge the shorter half of the silences in the older half when there are too many bars."""
    if len(bars) <= MOST_BARS:
        return bars
    older, newer = bars[: MOST_BARS // 2], bars[MOST_BARS // 2 :]
    ends: dict[Channel, int] = {}
    gaps: list[int] = []
    for bar in older:
        if bar.end_ms is not None:
            gaps.append(bar.start_ms - ends.get(bar.channel, bar.start_ms))
            ends[bar.channel] = bar.end_ms
    longest = sorted(gaps)[len(gaps) // 2]
    places: dict[Channel, int] = {}
    coarse: list[Bar] = []
    for bar in older:
        place = places.get(bar.channel)
        before = None if place is None else coarse[place].end_ms
        if place is None or bar.end_ms is None or bar.start_ms - (before or 0) > longest:
            if bar.end_ms is not None:
                places[bar.channel] = len(coarse)
            coarse.append(bar)
        else:
            coarse[place] = replace(coarse[place], end_ms=bar.end_ms)
    return (*coarse, *newer)


def _acts(acts: tuple[ActDetected, ...]) -> tuple[ActDetected, ...]:
    """Leave out the older half but for the first of each kind when there are too many."""
    if len(acts) <= MOST_ACTS:
        return acts
    firsts: dict[tuple[Channel, str], ActDetected] = {}
    for act in acts[: MOST_ACTS // 2]:
        firsts.setdefault((act.channel, act.kind), act)
    return (*firsts.values(), *acts[MOST_ACTS // 2 :])


def _missing(missing: tuple[Bar, ...], gap: AudioGap) -> tuple[Bar, ...]:
    begin_ms = gap.begin_ms
    for bar in missing:
        if bar.channel is gap.channel and bar.end_ms is not None and bar.end_ms >= gap.begin_ms:
            begin_ms = min(begin_ms, bar.start_ms)
    others = tuple(bar for bar in missing if bar.channel is not gap.channel)
    return (*others, Bar(channel=gap.channel, start_ms=begin_ms, end_ms=gap.end_ms))


def _hear(view: CallView, event: PartialTranscript | FinalTranscript) -> CallView:
    known = next((line for line in reversed(view.lines) if line.id == event.utterance_id), None)
    if isinstance(event, PartialTranscript):
        view = replace(view, asr_level=event.asr_level)
        if known is not None and known.final:
            return view
        line = Line(
            id=event.utterance_id,
            channel=event.channel,
            start_ms=event.start_ms,
            end_ms=event.audio_end_ms,
            stable=event.stable,
            tail=event.tail,
            final=False,
            status="ok",
        )
    else:
        line = Line(
            id=event.utterance_id,
            channel=event.channel,
            start_ms=event.start_ms,
            end_ms=event.end_ms,
            stable=event.text or "",
            tail="",
            final=True,
            status="failed" if event.text is None and event.status == "ok" else event.status,
        )
    if known is not None:
        return replace(view, lines=_put(view.lines, line))
    at = len(view.lines)
    while at > 0 and view.lines[at - 1].start_ms > line.start_ms:
        at -= 1
    lines = (*view.lines[:at], line, *view.lines[at:])
    return replace(view, lines=lines[-MOST_LINES:])


def _cue(view: CallView, event: CueRaised | CueCleared) -> CallView:
    if isinstance(event, CueRaised):
        needed = view.need_cues + (event.rule in NEED_CUES)
        return replace(view, cue=event, resolved=None, need_cues=needed)
    if view.cue is None or view.cue.id != event.id:
        return view
    return replace(view, cue=None, resolved=view.cue if event.outcome == "cleared" else None)


def _alerts(
    alerts: tuple[Alert, ...], event: AlertRaised | AlertCleared | AlertAcknowledged
) -> tuple[Alert, ...]:
    if isinstance(event, AlertCleared):
        if event.reason == "acknowledged":
            return alerts
        return tuple(alert for alert in alerts if alert.id != event.id)
    if isinstance(event, AlertAcknowledged):
        answer = "taken" if event.taken else "acknowledged"
        return tuple(
            replace(alert, answer=answer) if alert.id == event.alert_id else alert
            for alert in alerts
        )
    raised = Alert(
        id=event.id,
        rule=event.rule,
        reason=event.reason,
        suggested_action=event.suggested_action,
        at_ms=event.at_ms,
        answer=None,
    )
    return (*(alert for alert in alerts if alert.rule != event.rule), raised)


def _notices(notices: tuple[Notice, ...], event: NoticeShown | NoticeCleared) -> tuple[Notice, ...]:
    """Keep indicators; a chip is about a promise, which is listed by itself."""
    if isinstance(event, NoticeCleared):
        return tuple(notice for notice in notices if notice.id != event.id)
    if event.surface != "indicator":
        return notices
    return _put(notices, Notice(id=event.id, text=event.text))


def _pledges(
    pledges: tuple[Pledge, ...], event: PromiseMade | PromiseReviewed
) -> tuple[Pledge, ...]:
    if isinstance(event, PromiseMade):
        pledge = Pledge(
            id=event.id,
            what=event.what,
            due=event.due,
            due_at=event.due_at,
            start_ms=event.start_ms,
            status="draft",
        )
        return _put(pledges, pledge)
    return tuple(
        replace(
            pledge,
            status=event.verdict,
            what=event.what or pledge.what,
            due_at=event.due_at or pledge.due_at,
        )
        if pledge.id == event.promise_id
        else pledge
        for pledge in pledges
    )
