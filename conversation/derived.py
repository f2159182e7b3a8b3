"""Derived events: what follows from observations, and leaves the core; `events` has their rules."""

from __future__ import annotations

import msgspec

from conversation.event_base import Channel, Event, Evidence, FloorState, OverlapClass


class TurnStarted(Event, frozen=True, kw_only=True, tag="turn_started"):
    """A speaker took the floor."""

    id: str
    channel: Channel
    start_ms: int
    floor_transfer_offset_ms: int | None
    """Start minus the end of the other's turn; negative is overlap; None for the first turn."""


class TurnEnded(Event, frozen=True, kw_only=True, tag="turn_ended"):
    """A speaker's turn is over."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    speech_ms: int


class LineDoubted(Event, frozen=True, kw_only=True, tag="line_doubted"):
    """Something about the line makes what is said of the call less sure."""

    code: str
    """`several_voices` (more than one person seems to speak on a channel; never who),
    `misaligned` (channels on different clocks) or `same_signal` (one signal on both)."""
    channel: Channel | None
    """Where; None for the whole call."""
    begin_ms: int
    """From when on: of several voices, the first utterance of the one heard second."""
    over: bool = False
    """Whether the doubt is gone."""


class OverlapStarted(Event, frozen=True, kw_only=True, tag="overlap_started"):
    """`by` came in while `over` held the floor or was speaking."""

    id: str
    by: Channel
    over: Channel
    begin_ms: int


class OverlapUpdated(Event, frozen=True, kw_only=True, tag="overlap_updated"):
    """Provisional class of an overlap that is still going on; at most three per overlap."""

    id: str
    by: Channel
    over: Channel
    begin_ms: int
    overlap_class: OverlapClass
    overlap_ms: int
    p_backchannel: float
    p_complete: float
    confidence: float
    evidence: tuple[Evidence, ...] = ()


class OverlapEnded(Event, frozen=True, kw_only=True, tag="overlap_ended"):
    """Settled class and cost of an overlap."""

    id: str
    by: Channel
    over: Channel
    overlap_class: OverlapClass
    begin_ms: int
    end_ms: int
    overlap_ms: int
    yield_ms: int | None
    """From the onset until the interrupted party stopped; None when they did not."""
    severity: int
    """0 to 100, unvalidated."""
    confidence: float
    interrupted_text: str | None
    interrupting_text: str | None
    resumed: bool | None
    revision: int
    """0 live, 1 after the call."""
    evidence: tuple[Evidence, ...] = ()


class SilenceStarted(Event, frozen=True, kw_only=True, tag="silence_started"):
    """Nobody has spoken for 1 s (or longer)."""

    begin_ms: int
    owed_by: Channel | None
    """Who is expected to speak next, when known."""


class SilenceEnded(Event, frozen=True, kw_only=True, tag="silence_ended"):
    """Somebody spoke again."""

    begin_ms: int
    end_ms: int
    owed_by: Channel | None


class ActDetected(Event, frozen=True, kw_only=True, tag="act_detected"):
    """Something was said that has a function: an apology, a promise, a feeling."""

    id: str
    channel: Channel
    kind: str
    start_ms: int
    end_ms: int
    text: str
    """The words that carry the act, redacted."""
    confidence: float
    utterance_id: str


class PromiseMade(Event, frozen=True, kw_only=True, tag="promise_made"):
    """The agent or the company said it would do something later."""

    id: str
    text: str
    what: str
    due: str | None
    """The words that say when."""
    confidence: float
    start_ms: int
    who: str = "me"
    """Who will do it: `me` (the agent), `team` or `company`."""
    due_at: str | None = None
    """The latest time that keeps it, ISO 8601 with offset; None when nothing definite was said."""
    precision: str = "none"
    """Of the due time: `minute`, `day`, `range`, `vague` or `none`."""


class CueRaised(Event, frozen=True, kw_only=True, tag="cue_raised"):
    """A cue is on the agent's screen now."""

    id: str
    rule: str
    text: str
    priority: int
    evidence_line: str
    ttl_ms: int
    evidence: tuple[Evidence, ...] = ()
    values: dict[str, int | float | str | bool | None] = msgspec.field(default_factory=dict)
    icon: str | None = None


class CueCleared(Event, frozen=True, kw_only=True, tag="cue_cleared"):
    """A cue left the screen."""

    id: str
    rule: str
    outcome: str
    """`cleared`, `expired`, `dismissed` or `superseded`."""


class CueWithheld(Event, frozen=True, kw_only=True, tag="cue_withheld"):
    """A rule was true but nothing was shown."""

    rule: str
    reason: str
    values: dict[str, int | float | str | bool | None] = msgspec.field(default_factory=dict)


class AlertRaised(Event, frozen=True, kw_only=True, tag="alert_raised"):
    """A supervisor should know."""

    id: str
    rule: str
    reason: str
    suggested_action: str
    evidence: tuple[Evidence, ...] = ()


class AlertCleared(Event, frozen=True, kw_only=True, tag="alert_cleared"):
    """The alert's condition is over."""

    id: str
    rule: str
    reason: str


class NoticeShown(Event, frozen=True, kw_only=True, tag="notice_shown"):
    """A chip or an indicator appeared beside the cue; it takes neither its place nor budget."""

    id: str
    rule: str
    text: str
    surface: str
    """`chip` or `indicator`."""
    subject: str | None = None
    """Id of what it is about, such as a promise."""


class NoticeCleared(Event, frozen=True, kw_only=True, tag="notice_cleared"):
    """A chip or an indicator is gone."""

    id: str
    rule: str


class MetricsUpdated(Event, frozen=True, kw_only=True, tag="metrics_updated"):
    """Running figures of the call, about once a second."""

    talk_share_agent: float | None
    agent_ms: int
    customer_ms: int
    overlap_ms: int
    longest_silence_ms: int
    interruptions_agent: int
    interruptions_customer: int
    words_per_minute_agent: float | None
    words_per_minute_customer: float | None
    floor: FloorState
    floor_holder: Channel | None
    customer_word_sentiment: float | None = None
    """Mean over six customer turns of what their words said, -2 (anger) to 1 (thanks)."""


Derived = (
    TurnStarted
    | TurnEnded
    | LineDoubted
    | OverlapStarted
    | OverlapUpdated
    | OverlapEnded
    | SilenceStarted
    | SilenceEnded
    | ActDetected
    | PromiseMade
    | CueRaised
    | CueCleared
    | CueWithheld
    | AlertRaised
    | AlertCleared
    | NoticeShown
    | NoticeCleared
    | MetricsUpdated
)
