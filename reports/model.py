"""`report.json`, schema 1: what is known of a call once it is over.

Every number that judges a person carries evidence with a time in the call, and is `None` when
there was no opportunity or no way to know.
"""

from __future__ import annotations

import msgspec

from conversation.events import Channel, Evidence, OverlapClass, Word

SCHEMA_VERSION = 1
PRACTICE_SOURCE = "practice"
"""Source of a call in which nobody called: it is in no figure but the trainee's own."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts of a report."""


class CallPart(_Part, frozen=True, kw_only=True):
    """What call this was."""

    id: str
    started_at: str
    duration_ms: int
    source: str
    agent: str | None
    channels: tuple[Channel, ...]
    language: str
    model: str | None


class PractisePart(_Part, frozen=True, kw_only=True):
    """A moment of this call that is worth practising, and how."""

    behaviour: str
    """Line of the scorecard that it belongs to."""
    at_ms: int
    source: str
    """Id of the interruption or act."""
    text: str | None
    drill: str


class AttemptPart(_Part, frozen=True, kw_only=True):
    """One reply of a practice run: what was called for, and what was heard in it."""

    stage: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]


class PracticePart(_Part, frozen=True, kw_only=True):
    """What belongs to a practice run alone (`coaching.md` section 9)."""

    scenario: str
    role: str
    """Who the trainee was: `agent` or `customer`."""
    reflection: dict[str, tuple[str, ...]]
    """The trainee's words for what the customer felt: `named`, `missed` and `other`."""
    attempts: tuple[AttemptPart, ...]


class QualityPart(_Part, frozen=True, kw_only=True):
    """How far the rest can be trusted."""

    bleed: dict[str, str | None]
    offset_ms: int
    snr_db: dict[str, float | None]
    gaps: tuple[dict[str, str | int], ...]
    direction_known: bool
    scored_ms: int
    """Call time minus holds, pauses and lost audio."""
    warnings: tuple[str, ...]


class TalkPart(_Part, frozen=True, kw_only=True):
    """Sums and rates of speech; `interruptions.md` section 13."""

    agent_ms: int | None
    customer_ms: int | None
    overlap_ms: int | None
    silence_ms: int
    talk_share_agent: float | None
    longest_monologue_ms: dict[str, int | None]
    turns: dict[str, int | None]
    response_latency_ms: dict[str, dict[str, float | None]]
    words_per_minute: dict[str, float | None]
    backchannels: dict[str, int | None]
    overlap_share: float | None = None
    """Simultaneous speech over scored time, 0 to 1."""
    silence_share: float | None = None
    transfer_offset_ms: dict[str, dict[str, float | None]] = {}
    """From the end of the other's turn to the start of this party's: `n`, `median`, `p25`, `p75`,
    `p90`, and the shares `early` (below -200 ms), `smooth` (within 200 ms), `late` (above 2 s)."""
    patience_ms: float | None = None
    """Median silence that the agent leaves after the customer."""
    switches_per_min: float | None = None
    """Changes of turn per minute of scored time; None below 120 s of speech."""
    backchannels_per_min: dict[str, float | None] = {}
    """Listening signals per minute of the other's talk; None below 120 s of speech."""
    flags: tuple[str, ...] = ()
    """What is out of the ordinary; limits of `interruptions.md` section 13."""
    intervals: dict[str, tuple[float, float] | None] = {}
    """95 % intervals: Poisson of rates, order statistics of medians."""


class InterrupterPart(_Part, frozen=True, kw_only=True):
    """Counts of one party; None throughout when the direction is unknown."""

    successful: int | None
    talk_over: int | None
    butting_in: int | None
    cooperative: int | None
    terminal_overlap: int | None
    backchannel: int | None
    collision: int | None
    pause_cut_in: int | None
    possible: int | None
    """Events of confidence below 0.6; they are in no other count."""
    per_10min: float | None
    """(successful + talk_over + half of butting_in) per 10 minutes; None below 120 s of speech."""
    overlap_ms: int | None
    count: int | None = None
    """Interruptions: successful, talk_over and butting_in."""
    count_interval: tuple[float, float] | None = None
    """95 % Poisson interval of the count."""
    per_10min_interval: tuple[float, float] | None = None
    turns_interrupted: int | None = None
    """Turns of the other party that this one came in on."""
    success_rate: float | None = None
    """Successful over all three kinds; None when there were none."""
    yield_ms_median: float | None = None
    """Time until the other stopped, less their round trip."""
    taken_up_again: float | None = None
    """Share of cut turns that were gone on with afterwards."""


class InterruptionPart(_Part, frozen=True, kw_only=True):
    """One overlap, or cut-in, and what it was."""

    id: str
    by: Channel
    over: Channel
    overlap_class: OverlapClass = msgspec.field(name="class")
    begin_ms: int
    end_ms: int
    overlap_ms: int
    yield_ms: int | None
    severity: int
    confidence: float
    interrupted_text: str | None
    interrupting_text: str | None
    resumed: bool | None
    live_cue_ms: int | None
    """When "Let them finish" was on screen for it; None when it was not."""
    evidence: tuple[Evidence, ...]


class InterruptionsPart(_Part, frozen=True, kw_only=True):
    """Who came in on whom."""

    by: dict[str, InterrupterPart]
    events: tuple[InterruptionPart, ...]


class RaisedVoicePart(_Part, frozen=True, kw_only=True):
    """A passage in a raised voice: effort against the speaker's own usual, not a feeling."""

    id: str
    channel: Channel
    begin_ms: int
    end_ms: int
    peak_score: float
    confidence: float
    level_delta_db: float | None
    f0_delta_st: float | None


class RaisedVoicesPart(_Part, frozen=True, kw_only=True):
    """All raised voices."""

    events: tuple[RaisedVoicePart, ...]


class SpeechPart(_Part, frozen=True, kw_only=True):
    """One raw stretch of speech, for the timeline."""

    channel: Channel
    begin_ms: int
    end_ms: int


class SpanPart(_Part, frozen=True, kw_only=True):
    """A stretch of the whole call, such as a hold."""

    begin_ms: int
    end_ms: int


class CurvePart(_Part, frozen=True, kw_only=True):
    """How a voice moved against its own usual; both curves have one value per time."""

    channel: Channel
    at_ms: tuple[int, ...]
    level_delta_db: tuple[float | None, ...]
    f0_delta_st: tuple[float | None, ...]


class TranscriptPart(_Part, frozen=True, kw_only=True):
    """One utterance."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    text: str | None
    words: tuple[Word, ...]
    overlapped: bool
    status: str


class ActPart(_Part, frozen=True, kw_only=True):
    """Something said that has a function."""

    id: str
    channel: Channel
    kind: str
    start_ms: int
    end_ms: int
    text: str
    confidence: float


class CuePart(_Part, frozen=True, kw_only=True):
    """A cue that was shown to the agent."""

    id: str
    rule: str
    text: str
    raised_ms: int
    cleared_ms: int | None
    outcome: str | None
    evidence: tuple[Evidence, ...]
    values: dict[str, int | float | str | bool | None]
    feedback: str | None


class PromisePart(_Part, frozen=True, kw_only=True):
    """Something that must now be done."""

    id: str
    text: str
    what: str
    due: str | None
    confidence: float
    start_ms: int
    who: str = "me"
    """`me` (the agent), `team` or `company`."""
    due_at: str | None = None
    """ISO 8601 with offset; None when nothing definite was said."""
    precision: str = "none"
    """Of the due time: `minute`, `day`, `range`, `vague` or `none`."""
    status: str = "draft"
    """`draft`, `confirmed`, `edited` or `rejected`, as the agent said."""
    outcome: str | None = None
    """`open`, `kept`, `late` or `cancelled`; None in a report that knows the call alone."""


class OpportunityPart(_Part, frozen=True, kw_only=True):
    """One time that a behaviour was called for, linkable to a moment of the call."""

    id: str
    start_ms: int
    end_ms: int
    channel: Channel
    verdict: str
    """`delivered` or `missed`."""
    confidence: float
    acts: tuple[str, ...]
    """Ids of the acts that it rests on."""


class ScorePart(_Part, frozen=True, kw_only=True):
    """One behaviour: how often it was called for, and how often it was there."""

    behaviour: str
    opportunities: int
    delivered: int
    score: float | None
    """Delivered over opportunities; None below three opportunities, or when it is not known."""
    evidence: tuple[Evidence, ...]
    spans: tuple[OpportunityPart, ...] = ()
    """Every opportunity, in order."""
    figures: dict[str, float | None] = {}
    """Rates and times that belong to the line; None while unknown."""
    note: str | None = None
    """Why there is no score, where a score could have been expected."""


class MoodPart(_Part, frozen=True, kw_only=True):
    """What one customer turn said of their state, in words: +1 for thanks, -2 for anger."""

    start_ms: int
    value: float
    words: str


class CustomerWordsPart(_Part, frozen=True, kw_only=True):
    """The customer's state in words; nothing here comes from their voice."""

    acts_by_third: dict[str, tuple[int, int, int]]
    """How often each kind of act came in the first, second and last third of the call."""
    turns: tuple[MoodPart, ...]
    """The turns that said something of it."""
    trend: str | None
    """`better`, `worse` or `steady` from the first half to the second; None for too few turns."""


class CueAuditPart(_Part, frozen=True, kw_only=True):
    """How right the live cues about interruptions were in this call."""

    rule: str
    fired: int
    confirmed: int
    """Shown for what the whole call also calls an interruption."""
    false: int
    missed: int
    """Interruptions by the agent without a cue: budget and cooldown make them, too."""
    precision: float | None
    precision_interval: tuple[float, float] | None
    """95 % interval (Wilson)."""
    fired_by_rule: dict[str, int]
    withheld: dict[str, dict[str, int]]
    """Rule, reason, how often it was true and not shown."""


class TimingPart(msgspec.Struct, frozen=True, kw_only=True):
    """Delays in stream time."""

    asr_rtf: float | None
    """Processor seconds of recognition per second of audio; None where it was not measured."""
    cue_latency_ms: dict[str, float | None]
    """From the onset of an overlap to its cue: `p50`, `p95`."""
    final_latency_ms: dict[str, float | None]
    """From the end of an utterance to its final words: `p50`, `p95`."""


class UsualPart(_Part, frozen=True, kw_only=True):
    """One measure of a call beside the agent's own usual, the 30 days before it."""

    name: str
    value: float
    median: float
    median_interval: tuple[float, float]
    """95 % interval of the median, from order statistics."""
    low: float
    """Tenth percentile of the earlier calls."""
    high: float
    """Ninetieth percentile."""
    n: int
    """Earlier calls; fewer than 20 say nothing."""
    place: str
    """`usual`, `above` or `below`: outside the middle eight tenths or not."""
    unit: str


class Report(_Part, frozen=True, kw_only=True):
    """The whole report."""

    schema_version: int = SCHEMA_VERSION
    call: CallPart
    summary: str | None = None
    """Three sentences built from the facts below."""
    practise: tuple[PractisePart, ...] = ()
    """At most three moments worth practising."""
    practice: PracticePart | None = None
    """Present when nobody called: a practice run."""
    quality: QualityPart
    talk: TalkPart
    interruptions: InterruptionsPart
    raised_voice: RaisedVoicesPart
    speech: tuple[SpeechPart, ...]
    holds: tuple[SpanPart, ...]
    curves: tuple[CurvePart, ...]
    transcript: tuple[TranscriptPart, ...]
    acts: tuple[ActPart, ...]
    cues: tuple[CuePart, ...]
    promises: tuple[PromisePart, ...]
    scorecard: tuple[ScorePart, ...]
    timing: TimingPart
    customer_words: CustomerWordsPart | None = None
    cue_audit: CueAuditPart | None = None
    usual: tuple[UsualPart, ...] = ()
    """The call beside the agent's own usual; empty where there is too little to compare."""


def encode(report: Report) -> bytes:
    """Encode as indented JSON with a final newline; the same report gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
