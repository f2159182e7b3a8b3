"""The vocabulary of a call: everything that is observed, and everything that follows from it.

Two unions. An *Observation* enters the core (`Conversation.receive`); a *Derived* event leaves it.
Both are journalled, and replaying the observations reproduces the derived events byte for byte.

Rules:
    * Times are integer milliseconds of *stream* time, from sample counters. No event reads a clock.
    * `at_ms` is the stream position at which the event became known; observations enter the core
      in the order of `at_ms`. `start_ms`, `begin_ms`, `end_ms` say when the thing itself happened.
    * Events are immutable, carry no defaults that depend on the environment, and are tagged by
      `type` on the wire.
    * A field that can be unknown is `None` when it is; zero is a measurement.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

import msgspec

SCHEMA_VERSION = 1


class Channel(StrEnum):
    """Who is heard on a channel of the call."""

    AGENT = "agent"
    CUSTOMER = "customer"
    MIXED = "mixed"
    """Both parties on one channel: nothing may be said about who interrupted whom."""

    @property
    def other(self) -> Channel:
        """The other party; `MIXED` has none and returns itself."""
        if self is Channel.AGENT:
            return Channel.CUSTOMER
        return Channel.AGENT if self is Channel.CUSTOMER else self


class OverlapClass(StrEnum):
    """What kind of simultaneous speech (or cut-in) an event was; `interruptions.md` section 9."""

    SUCCESSFUL = "successful"
    BUTTING_IN = "butting_in"
    TALK_OVER = "talk_over"
    COOPERATIVE = "cooperative"
    TERMINAL_OVERLAP = "terminal_overlap"
    BACKCHANNEL = "backchannel"
    COLLISION = "collision"
    PAUSE_CUT_IN = "pause_cut_in"
    BLEED = "bleed"


class FloorState(StrEnum):
    """Who may be said to hold the floor."""

    FREE = "free"
    HELD = "held"
    CONTESTED = "contested"
    SUSPENDED = "suspended"


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """Base of all events."""

    at_ms: int
    """Stream time at which this became known, milliseconds from the start of the call."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised word with its time."""

    text: str
    start_ms: int
    end_ms: int
    probability: float
    """Recogniser's probability, 0 to 1."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a decision rests on, linkable to a moment of the call."""

    kind: str
    at_ms: int
    value: int | float | str | None = None


# --------------------------------------------------------------------------- observations


class CallStarted(Event, frozen=True, kw_only=True, tag="call_started"):
    """First event of every call; the only one that carries wall time."""

    call_id: str
    started_at: str
    """Wall time in ISO 8601 with offset."""
    channels: tuple[Channel, ...]
    source: str
    """Where the audio comes from: `file`, `microphone`, `ingest`, `demo`, `transcript`, or the
    name of a telephony system, such as `twilio`."""
    agent: str | None = None
    vendor_id: str | None = None
    """The telephony system's own id of the call; None when the source has none."""
    roles: dict[str, Channel] = {}
    """Which party each of the source's own tracks was taken for, such as `inbound`: customer."""
    metadata: dict[str, str] = {}
    """What the source says of the call, such as `consent` and `team`."""
    language: str = "en"
    model: str | None = None
    settings: dict[str, Any] = {}
    """Effective settings of the core, so that replay needs no files."""
    rules: tuple[dict[str, Any], ...] = ()
    """Effective cue rules, for the same reason; empty stands for the packaged ones."""
    language_overlay: str = ""
    """A site's additions to the language pack, TOML."""
    rules_sha256: str | None = None
    """Hash of the effective cue rules and of the overlay."""
    muted_rules: tuple[str, ...] = ()
    """Cue rules that this agent has muted."""
    arm: str = "shown"
    """Arm of the experiment: `shown`, or `silent`, where only priority 0 is shown."""
    usual_words_per_minute: float | None = None
    """The agent's own usual pace over 30 days; None while unknown."""
    customer_name: str | None = None
    """What the customer is called, where the source said so."""
    loyal_customer: bool | None = None
    """Whether the source calls them a long-standing customer; None when it said nothing."""
    schema_version: int = SCHEMA_VERSION


class SpeechStarted(Event, frozen=True, kw_only=True, tag="speech_started"):
    """Someone began to speak."""

    channel: Channel
    start_ms: int
    """Back-dated onset of the speech."""
    margin: float = 0.5
    """Mean voice-activity probability over the confirmation minus 0.5, -0.5 to 0.5."""


class SpeechEnded(Event, frozen=True, kw_only=True, tag="speech_ended"):
    """Someone stopped; `end_ms` is the raw end, without hangover or padding."""

    channel: Channel
    start_ms: int
    end_ms: int
    truncated: bool = False
    """True when lost or paused audio, not silence, ended the segment."""
    tail_db: float | None = None
    """Loudest 8 ms of the last 240 to 40 ms over the speaker's median speech level, dB: finished
    sentences fade, cut-off ones do not. None while the median is unknown."""


class PartialTranscript(Event, frozen=True, kw_only=True, tag="partial_transcript"):
    """Words of an utterance that is still going on."""

    channel: Channel
    utterance_id: str
    rev: int
    start_ms: int
    audio_end_ms: int
    stable: str
    """Words that will not change before the final."""
    tail: str
    """Words that may still change."""
    stable_words: int
    asr_level: int = 0
    """Degradation level of the recogniser, 0 = none."""


class FinalTranscript(Event, frozen=True, kw_only=True, tag="final_transcript"):
    """The words of a finished utterance; replaces its partials once and for all."""

    channel: Channel
    utterance_id: str
    rev: int
    start_ms: int
    end_ms: int
    text: str | None
    """None when the utterance could not be decoded; `status` says why."""
    words: tuple[Word, ...] = ()
    status: str = "ok"
    """`ok`, `delayed`, `truncated`, `failed` or `skipped`."""
    no_speech_probability: float | None = None
    flags: tuple[str, ...] = ()
    model: str | None = None
    asr_level: int = 0
    """Degradation level of the recogniser, 0 = none."""


class RecognitionChanged(Event, frozen=True, kw_only=True, tag="recognition_changed"):
    """The recogniser sheds work, takes it up again, or cannot be had; cues from timing go on."""

    level: int
    """0 as specified, 1 slower partials, 2 no partials, 3 finals late or after the call."""
    available: bool = True
    """False while no worker process can be had."""


class AnalysisChanged(Event, frozen=True, kw_only=True, tag="analysis_changed"):
    """The analysis of all calls sheds work or takes it up again; cues from timing go on."""

    level: int
    """0 as specified, 4 voices judged without pitch, 5 new calls refused as well."""


class ProsodyFrame(Event, frozen=True, kw_only=True, tag="prosody_frame"):
    """Voice measures of one 240 ms tick, relative to the speaker's own baseline."""

    channel: Channel
    begin_ms: int
    end_ms: int
    usable_ms: int
    level_db: float
    level_delta_db: float | None
    alpha_db: float
    slope_db_oct: float
    f0_st: float | None
    """75th percentile of the fundamental frequency in semitones re 55 Hz."""
    f0_delta_st: float | None
    z_tilt: float | None
    score: float | None
    state: str
    """Baseline state: `cold`, `warm` or `ready`."""
    flags: tuple[str, ...] = ()


class RaisedVoiceStarted(Event, frozen=True, kw_only=True, tag="raised_voice_started"):
    """A voice is being raised above its own usual effort."""

    id: str
    channel: Channel
    begin_ms: int
    grade: str
    """`raised` or `strong`; `strong` re-sends the same id."""
    score: float
    confidence: float
    level_delta_db: float | None
    f0_delta_st: float | None
    alpha_delta_db: float | None


class RaisedVoiceEnded(Event, frozen=True, kw_only=True, tag="raised_voice_ended"):
    """The voice is back to its usual effort, or silent."""

    id: str
    channel: Channel
    begin_ms: int
    end_ms: int
    peak_score: float
    reason: str
    """`off`, `silence`, `hold`, `reset` or `call_ended`."""


class PaceMeasured(Event, frozen=True, kw_only=True, tag="pace_measured"):
    """How fast somebody has just spoken, against their own usual; sent with a final transcript."""

    channel: Channel
    begin_ms: int
    """Start of the stretch of speech that the final belongs to."""
    end_ms: int
    words: int
    """Words of the stretch that count; numbers, spelling and overlapped words do not."""
    words_per_minute: float
    """Articulation rate over the newest 10 s of speech: words over speech without pauses."""
    gross_words_per_minute: float
    """Words of the stretch over its whole length, pauses included."""
    usual_words_per_minute: float | None
    """Median articulation rate of this speaker in this call, None before 60 words."""
    pace: str
    """`fast`, `slow`, `usual`, or `unknown` while the usual is."""
    pauses: int
    """Silent pauses of 250 ms or more inside the stretch, from voice activity."""
    longest_pause_ms: int


class UtteranceScored(Event, frozen=True, kw_only=True, tag="utterance_scored"):
    """Output of a language model for one final utterance, so that replay runs no model.

    It comes just before the `FinalTranscript` that it is about.
    """

    utterance_id: str
    channel: Channel
    pack: str
    model_sha256: str
    permille: dict[str, int]
    """Calibrated probability of each act of this speaker, 0 to 1000; empty when shed."""
    peaks: dict[str, int] = {}
    """Index of the word that speaks most for each act."""
    status: str = "ok"
    """`ok`, or `shed` when scoring was more than a second behind: patterns decide alone."""


class ChannelQuality(Event, frozen=True, kw_only=True, tag="channel_quality"):
    """How far a channel can be trusted."""

    channel: Channel
    bleed_grade: str | None = None
    """`A` (clean), `B` or `C` (no blame can be assigned); None while unknown."""
    echo_return_loss_db: float | None = None
    lag_ms: int | None = None
    snr_db: float | None = None
    rtt_ms: int | None = None
    rtt_source: str | None = None
    flags: tuple[str, ...] = ()
    """What else is known: `same_signal` (both channels carry one signal)."""


class AudioGap(Event, frozen=True, kw_only=True, tag="audio_gap"):
    """Audio that is missing: unknown, not silent."""

    channel: Channel
    begin_ms: int
    end_ms: int
    reason: str
    """`loss late pause discard disconnect dtx mute overrun device`."""
    clock: str | None = None
    """`server` when the length is by this machine's clock, None when the source stated it."""


class RolesSwapped(Event, frozen=True, kw_only=True, tag="roles_swapped"):
    """From `at_ms` on the two sides are heard as the other party: they had been mixed up."""


class SourceNotice(Event, frozen=True, kw_only=True, tag="source_notice"):
    """Something is odd about how the audio comes; it lowers trust and moves no time."""

    code: str
    """`rate_mismatch`."""
    detail: str
    """One sentence with the figures, without anything that was said."""


class HoldStarted(Event, frozen=True, kw_only=True, tag="hold_started"):
    """The customer was put on hold."""


class HoldEnded(Event, frozen=True, kw_only=True, tag="hold_ended"):
    """The call goes on."""


class CapturePaused(Event, frozen=True, kw_only=True, tag="capture_paused"):
    """Nothing is heard or kept from here on."""

    mode: str
    """`auto` or `manual`."""


class CaptureResumed(Event, frozen=True, kw_only=True, tag="capture_resumed"):
    """Capture goes on."""


class CueFeedback(Event, frozen=True, kw_only=True, tag="cue_feedback"):
    """What the agent said of a cue."""

    cue_id: str
    verdict: str
    """`up`, `down`, `justified`, `dismiss`, `snooze_5min` or `snooze_call`."""


class PromiseReviewed(Event, frozen=True, kw_only=True, tag="promise_reviewed"):
    """What the agent made of a promise that was logged for them."""

    promise_id: str
    verdict: str
    """`confirmed`, `edited` or `rejected`."""
    what: str | None = None
    """The corrected wording of an edit."""
    due_at: str | None = None
    """The corrected due time of an edit, ISO 8601 with offset."""


class NudgeSent(Event, frozen=True, kw_only=True, tag="nudge_sent"):
    """A supervisor wrote a line to the agent."""

    nudge_id: str
    text: str
    """At most 60 characters."""


class HandRaised(Event, frozen=True, kw_only=True, tag="hand_raised"):
    """The agent asked for help, or took it back."""

    raised: bool = True


class AlertAcknowledged(Event, frozen=True, kw_only=True, tag="alert_acknowledged"):
    """A supervisor has seen an alert."""

    alert_id: str
    taken: bool = False
    """Whether they see to it themselves."""


class ClockAdvanced(Event, frozen=True, kw_only=True, tag="clock_advanced"):
    """Stream time moved on; changes promptness, never results."""


class CallEnded(Event, frozen=True, kw_only=True, tag="call_ended"):
    """Last observation of every call."""

    reason: str = "ended"


Observation = (
    CallStarted
    | SpeechStarted
    | SpeechEnded
    | PartialTranscript
    | FinalTranscript
    | RecognitionChanged
    | AnalysisChanged
    | ProsodyFrame
    | RaisedVoiceStarted
    | RaisedVoiceEnded
    | PaceMeasured
    | UtteranceScored
    | ChannelQuality
    | AudioGap
    | RolesSwapped
    | SourceNotice
    | HoldStarted
    | HoldEnded
    | CapturePaused
    | CaptureResumed
    | CueFeedback
    | PromiseReviewed
    | NudgeSent
    | HandRaised
    | AlertAcknowledged
    | ClockAdvanced
    | CallEnded
)

# --------------------------------------------------------------------------- derived events


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
    values: dict[str, int | float | str | bool | None] = {}
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
    values: dict[str, int | float | str | bool | None] = {}


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


class EventLog:
    """Encodes and decodes events as JSON lines, deterministically."""

    _encoder: ClassVar[msgspec.json.Encoder] = msgspec.json.Encoder(order="deterministic")
    _decoder: ClassVar[msgspec.json.Decoder[Observation | Derived]] = msgspec.json.Decoder(
        Observation | Derived
    )

    @classmethod
    def encode(cls, event: Event) -> bytes:
        """Encode one event as compact JSON with sorted keys, without a newline."""
        return cls._encoder.encode(event)

    @classmethod
    def decode(cls, line: bytes | str) -> Observation | Derived:
        """Decode one event.

        Raises:
            msgspec.ValidationError: the line is not an event of this schema.
        """
        return cls._decoder.decode(line)


def is_observation(event: Event) -> bool:
    """Return True for events that enter the core, False for those that leave it."""
    return isinstance(event, Observation)
