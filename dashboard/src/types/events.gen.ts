// Generated from conversation/events.py by `python -m server.typescript`. Do not edit.

export const SCHEMA_VERSION = 1;

/** Who is heard on a channel of the call. */
export type Channel = "agent" | "customer" | "mixed";

/** What kind of simultaneous speech (or cut-in) an event was; `interruptions.md` section 9. */
export type OverlapClass = "successful" | "butting_in" | "talk_over" | "cooperative" | "terminal_overlap" | "backchannel" | "collision" | "pause_cut_in" | "bleed";

/** Who may be said to hold the floor. */
export type FloorState = "free" | "held" | "contested" | "suspended";

/** One recognised word with its time. */
export interface Word {
  readonly text: string;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly probability: number;
}

/** One fact that a decision rests on, linkable to a moment of the call. */
export interface Evidence {
  readonly kind: string;
  readonly at_ms: number;
  readonly value: number | number | string | null;
}

/** First event of every call; the only one that carries wall time. */
export interface CallStarted {
  readonly type: "call_started";
  readonly at_ms: number;
  readonly call_id: string;
  readonly started_at: string;
  readonly channels: readonly (Channel)[];
  readonly source: string;
  readonly agent: string | null;
  readonly language: string;
  readonly model: string | null;
  readonly settings: Record<string, unknown>;
  readonly schema_version: number;
}

/** Someone began to speak. */
export interface SpeechStarted {
  readonly type: "speech_started";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly margin: number;
}

/** Someone stopped; `end_ms` is the raw end, without hangover or padding. */
export interface SpeechEnded {
  readonly type: "speech_ended";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly truncated: boolean;
  readonly tail_db: number | null;
}

/** Words of an utterance that is still going on. */
export interface PartialTranscript {
  readonly type: "partial_transcript";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly utterance_id: string;
  readonly rev: number;
  readonly start_ms: number;
  readonly audio_end_ms: number;
  readonly stable: string;
  readonly tail: string;
  readonly stable_words: number;
  readonly asr_level: number;
}

/** The words of a finished utterance; replaces its partials once and for all. */
export interface FinalTranscript {
  readonly type: "final_transcript";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly utterance_id: string;
  readonly rev: number;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly text: string | null;
  readonly words: readonly (Word)[];
  readonly status: string;
  readonly no_speech_probability: number | null;
  readonly flags: readonly (string)[];
  readonly model: string | null;
}

/** Voice measures of one 240 ms tick, relative to the speaker's own baseline. */
export interface ProsodyFrame {
  readonly type: "prosody_frame";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly usable_ms: number;
  readonly level_db: number;
  readonly level_delta_db: number | null;
  readonly alpha_db: number;
  readonly slope_db_oct: number;
  readonly f0_st: number | null;
  readonly f0_delta_st: number | null;
  readonly z_tilt: number | null;
  readonly score: number | null;
  readonly state: string;
  readonly flags: readonly (string)[];
}

/** A voice is being raised above its own usual effort. */
export interface RaisedVoiceStarted {
  readonly type: "raised_voice_started";
  readonly at_ms: number;
  readonly id: string;
  readonly channel: Channel;
  readonly begin_ms: number;
  readonly grade: string;
  readonly score: number;
  readonly confidence: number;
  readonly level_delta_db: number | null;
  readonly f0_delta_st: number | null;
  readonly alpha_delta_db: number | null;
}

/** The voice is back to its usual effort, or silent. */
export interface RaisedVoiceEnded {
  readonly type: "raised_voice_ended";
  readonly at_ms: number;
  readonly id: string;
  readonly channel: Channel;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly peak_score: number;
  readonly reason: string;
}

/** Output of a language model for one final utterance, so that replay runs no model. */
export interface UtteranceScored {
  readonly type: "utterance_scored";
  readonly at_ms: number;
  readonly utterance_id: string;
  readonly channel: Channel;
  readonly pack: string;
  readonly model_sha256: string;
  readonly permille: Record<string, number>;
}

/** How far a channel can be trusted. */
export interface ChannelQuality {
  readonly type: "channel_quality";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly bleed_grade: string | null;
  readonly echo_return_loss_db: number | null;
  readonly lag_ms: number | null;
  readonly snr_db: number | null;
  readonly rtt_ms: number | null;
  readonly rtt_source: string | null;
  readonly flags: readonly (string)[];
}

/** Audio that is missing: unknown, not silent. */
export interface AudioGap {
  readonly type: "audio_gap";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly reason: string;
}

/** The customer was put on hold. */
export interface HoldStarted {
  readonly type: "hold_started";
  readonly at_ms: number;
}

/** The call goes on. */
export interface HoldEnded {
  readonly type: "hold_ended";
  readonly at_ms: number;
}

/** Nothing is heard or kept from here on. */
export interface CapturePaused {
  readonly type: "capture_paused";
  readonly at_ms: number;
  readonly mode: string;
}

/** Capture goes on. */
export interface CaptureResumed {
  readonly type: "capture_resumed";
  readonly at_ms: number;
}

/** What the agent said of a cue. */
export interface CueFeedback {
  readonly type: "cue_feedback";
  readonly at_ms: number;
  readonly cue_id: string;
  readonly verdict: string;
}

/** Stream time moved on; changes promptness, never results. */
export interface ClockAdvanced {
  readonly type: "clock_advanced";
  readonly at_ms: number;
}

/** Last observation of every call. */
export interface CallEnded {
  readonly type: "call_ended";
  readonly at_ms: number;
  readonly reason: string;
}

/** A speaker took the floor. */
export interface TurnStarted {
  readonly type: "turn_started";
  readonly at_ms: number;
  readonly id: string;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly floor_transfer_offset_ms: number | null;
}

/** A speaker's turn is over. */
export interface TurnEnded {
  readonly type: "turn_ended";
  readonly at_ms: number;
  readonly id: string;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly speech_ms: number;
}

/** `by` came in while `over` held the floor or was speaking. */
export interface OverlapStarted {
  readonly type: "overlap_started";
  readonly at_ms: number;
  readonly id: string;
  readonly by: Channel;
  readonly over: Channel;
  readonly begin_ms: number;
}

/** Provisional class of an overlap that is still going on; at most three per overlap. */
export interface OverlapUpdated {
  readonly type: "overlap_updated";
  readonly at_ms: number;
  readonly id: string;
  readonly by: Channel;
  readonly over: Channel;
  readonly begin_ms: number;
  readonly overlap_class: OverlapClass;
  readonly overlap_ms: number;
  readonly p_backchannel: number;
  readonly p_complete: number;
  readonly confidence: number;
  readonly evidence: readonly (Evidence)[];
}

/** Settled class and cost of an overlap. */
export interface OverlapEnded {
  readonly type: "overlap_ended";
  readonly at_ms: number;
  readonly id: string;
  readonly by: Channel;
  readonly over: Channel;
  readonly overlap_class: OverlapClass;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly overlap_ms: number;
  readonly yield_ms: number | null;
  readonly severity: number;
  readonly confidence: number;
  readonly interrupted_text: string | null;
  readonly interrupting_text: string | null;
  readonly resumed: boolean | null;
  readonly revision: number;
  readonly evidence: readonly (Evidence)[];
}

/** Nobody has spoken for 1 s (or longer). */
export interface SilenceStarted {
  readonly type: "silence_started";
  readonly at_ms: number;
  readonly begin_ms: number;
  readonly owed_by: Channel | null;
}

/** Somebody spoke again. */
export interface SilenceEnded {
  readonly type: "silence_ended";
  readonly at_ms: number;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly owed_by: Channel | null;
}

/** Something was said that has a function: an apology, a promise, a feeling. */
export interface ActDetected {
  readonly type: "act_detected";
  readonly at_ms: number;
  readonly id: string;
  readonly channel: Channel;
  readonly kind: string;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly text: string;
  readonly confidence: number;
  readonly utterance_id: string;
}

/** The agent or the company said it would do something later. */
export interface PromiseMade {
  readonly type: "promise_made";
  readonly at_ms: number;
  readonly id: string;
  readonly text: string;
  readonly what: string;
  readonly due: string | null;
  readonly confidence: number;
  readonly start_ms: number;
}

/** A cue is on the agent's screen now. */
export interface CueRaised {
  readonly type: "cue_raised";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
  readonly text: string;
  readonly priority: number;
  readonly evidence_line: string;
  readonly ttl_ms: number;
  readonly evidence: readonly (Evidence)[];
  readonly values: Record<string, number | number | string | boolean | null>;
  readonly icon: string | null;
}

/** A cue left the screen. */
export interface CueCleared {
  readonly type: "cue_cleared";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
  readonly outcome: string;
}

/** A rule was true but nothing was shown. */
export interface CueWithheld {
  readonly type: "cue_withheld";
  readonly at_ms: number;
  readonly rule: string;
  readonly reason: string;
  readonly values: Record<string, number | number | string | boolean | null>;
}

/** A supervisor should know. */
export interface AlertRaised {
  readonly type: "alert_raised";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
  readonly reason: string;
  readonly suggested_action: string;
  readonly evidence: readonly (Evidence)[];
}

/** The alert's condition is over. */
export interface AlertCleared {
  readonly type: "alert_cleared";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
  readonly reason: string;
}

/** Running figures of the call, about once a second. */
export interface MetricsUpdated {
  readonly type: "metrics_updated";
  readonly at_ms: number;
  readonly talk_share_agent: number | null;
  readonly agent_ms: number;
  readonly customer_ms: number;
  readonly overlap_ms: number;
  readonly longest_silence_ms: number;
  readonly interruptions_agent: number;
  readonly interruptions_customer: number;
  readonly words_per_minute_agent: number | null;
  readonly words_per_minute_customer: number | null;
  readonly floor: FloorState;
  readonly floor_holder: Channel | null;
}

export type Observation = CallStarted | SpeechStarted | SpeechEnded | PartialTranscript | FinalTranscript | ProsodyFrame | RaisedVoiceStarted | RaisedVoiceEnded | UtteranceScored | ChannelQuality | AudioGap | HoldStarted | HoldEnded | CapturePaused | CaptureResumed | CueFeedback | ClockAdvanced | CallEnded;

export type Derived = TurnStarted | TurnEnded | OverlapStarted | OverlapUpdated | OverlapEnded | SilenceStarted | SilenceEnded | ActDetected | PromiseMade | CueRaised | CueCleared | CueWithheld | AlertRaised | AlertCleared | MetricsUpdated;

export type CallEvent = Observation | Derived;
