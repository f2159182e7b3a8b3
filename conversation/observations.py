"""Observations: what enters the core; `events` has their rules."""

from __future__ import annotations

from typing import Any

import msgspec

from conversation.event_base import SCHEMA_VERSION, Channel, Event, Word


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
    roles: dict[str, Channel] = msgspec.field(default_factory=dict)
    """Which party each of the source's own tracks was taken for, such as `inbound`: customer."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """What the source says of the call, such as `consent` and `team`."""
    language: str = "en"
    model: str | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
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
    peaks: dict[str, int] = msgspec.field(default_factory=dict)
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
