// Generated from the Python structs by `python -m server.typescript`. Do not edit.

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
  readonly vendor_id: string | null;
  readonly roles: Record<string, Channel>;
  readonly metadata: Record<string, string>;
  readonly language: string;
  readonly model: string | null;
  readonly settings: Record<string, unknown>;
  readonly rules: readonly (Record<string, unknown>)[];
  readonly language_overlay: string;
  readonly rules_sha256: string | null;
  readonly muted_rules: readonly (string)[];
  readonly arm: string;
  readonly usual_words_per_minute: number | null;
  readonly customer_name: string | null;
  readonly loyal_customer: boolean | null;
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
  readonly asr_level: number;
}

/** The recogniser sheds work, takes it up again, or cannot be had; cues from timing go on. */
export interface RecognitionChanged {
  readonly type: "recognition_changed";
  readonly at_ms: number;
  readonly level: number;
  readonly available: boolean;
}

/** The analysis of all calls sheds work or takes it up again; cues from timing go on. */
export interface AnalysisChanged {
  readonly type: "analysis_changed";
  readonly at_ms: number;
  readonly level: number;
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

/** How fast somebody has just spoken, against their own usual; sent with a final transcript. */
export interface PaceMeasured {
  readonly type: "pace_measured";
  readonly at_ms: number;
  readonly channel: Channel;
  readonly begin_ms: number;
  readonly end_ms: number;
  readonly words: number;
  readonly words_per_minute: number;
  readonly gross_words_per_minute: number;
  readonly usual_words_per_minute: number | null;
  readonly pace: string;
  readonly pauses: number;
  readonly longest_pause_ms: number;
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
  readonly peaks: Record<string, number>;
  readonly status: string;
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
  readonly clock: string | null;
}

/** From `at_ms` on the two sides are heard as the other party: they had been mixed up. */
export interface RolesSwapped {
  readonly type: "roles_swapped";
  readonly at_ms: number;
}

/** Something is odd about how the audio comes; it lowers trust and moves no time. */
export interface SourceNotice {
  readonly type: "source_notice";
  readonly at_ms: number;
  readonly code: string;
  readonly detail: string;
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

/** What the agent made of a promise that was logged for them. */
export interface PromiseReviewed {
  readonly type: "promise_reviewed";
  readonly at_ms: number;
  readonly promise_id: string;
  readonly verdict: string;
  readonly what: string | null;
  readonly due_at: string | null;
}

/** A supervisor wrote a line to the agent. */
export interface NudgeSent {
  readonly type: "nudge_sent";
  readonly at_ms: number;
  readonly nudge_id: string;
  readonly text: string;
}

/** The agent asked for help, or took it back. */
export interface HandRaised {
  readonly type: "hand_raised";
  readonly at_ms: number;
  readonly raised: boolean;
}

/** A supervisor has seen an alert. */
export interface AlertAcknowledged {
  readonly type: "alert_acknowledged";
  readonly at_ms: number;
  readonly alert_id: string;
  readonly taken: boolean;
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

/** Something about the line makes what is said of the call less sure. */
export interface LineDoubted {
  readonly type: "line_doubted";
  readonly at_ms: number;
  readonly code: string;
  readonly channel: Channel | null;
  readonly begin_ms: number;
  readonly over: boolean;
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
  readonly who: string;
  readonly due_at: string | null;
  readonly precision: string;
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

/** A chip or an indicator appeared beside the cue; it takes neither its place nor budget. */
export interface NoticeShown {
  readonly type: "notice_shown";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
  readonly text: string;
  readonly surface: string;
  readonly subject: string | null;
}

/** A chip or an indicator is gone. */
export interface NoticeCleared {
  readonly type: "notice_cleared";
  readonly at_ms: number;
  readonly id: string;
  readonly rule: string;
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
  readonly customer_word_sentiment: number | null;
}

export type Observation = CallStarted | SpeechStarted | SpeechEnded | PartialTranscript | FinalTranscript | RecognitionChanged | AnalysisChanged | ProsodyFrame | RaisedVoiceStarted | RaisedVoiceEnded | PaceMeasured | UtteranceScored | ChannelQuality | AudioGap | RolesSwapped | SourceNotice | HoldStarted | HoldEnded | CapturePaused | CaptureResumed | CueFeedback | PromiseReviewed | NudgeSent | HandRaised | AlertAcknowledged | ClockAdvanced | CallEnded;

export type Derived = TurnStarted | TurnEnded | LineDoubted | OverlapStarted | OverlapUpdated | OverlapEnded | SilenceStarted | SilenceEnded | ActDetected | PromiseMade | CueRaised | CueCleared | CueWithheld | AlertRaised | AlertCleared | NoticeShown | NoticeCleared | MetricsUpdated;

export type CallEvent = Observation | Derived;

/** A stretch of speech, lost audio or silence; `end_ms` is None while it goes on. */
export interface Bar {
  readonly channel: Channel;
  readonly start_ms: number;
  readonly end_ms: number | null;
}

/** A passage in a raised voice. */
export interface RaisedBar {
  readonly id: string;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly end_ms: number | null;
}

/** Simultaneous speech, or a cut into a pause. */
export interface OverlapMark {
  readonly id: string;
  readonly by: Channel;
  readonly begin_ms: number;
  readonly end_ms: number | null;
  readonly overlap_class: OverlapClass | null;
}

/** One utterance of the transcript. */
export interface Line {
  readonly id: string;
  readonly channel: Channel;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly stable: string;
  readonly tail: string;
  readonly final: boolean;
  readonly status: string;
}

/** An alert whose condition is not over, or that somebody has answered. */
export interface Alert {
  readonly id: string;
  readonly rule: string;
  readonly reason: string;
  readonly suggested_action: string;
  readonly at_ms: number;
  readonly answer: string | null;
}

/** A promise that was heard, and what the agent made of it. */
export interface Pledge {
  readonly id: string;
  readonly what: string;
  readonly due: string | null;
  readonly due_at: string | null;
  readonly start_ms: number;
  readonly status: string;
}

/** An indicator that the core shows beside the cue, such as masked card data. */
export interface Notice {
  readonly id: string;
  readonly text: string;
}

/** What makes the call less sure; see `LineDoubted`. */
export interface Doubt {
  readonly code: string;
  readonly channel: Channel | null;
}

/** Everything that dashboards show of one call. */
export interface CallView {
  readonly call_id: string;
  readonly agent: string | null;
  readonly channels: readonly (Channel)[];
  readonly usual_wpm: number | null;
  readonly transcribed: boolean;
  readonly position_ms: number;
  readonly ended: boolean;
  readonly paused: boolean;
  readonly hold_since_ms: number | null;
  readonly hand_since_ms: number | null;
  readonly bleed: string | null;
  readonly doubts: readonly (Doubt)[];
  readonly asr_level: number;
  readonly analysis_level: number;
  readonly asr_available: boolean;
  readonly speech: readonly (Bar)[];
  readonly raised: readonly (RaisedBar)[];
  readonly overlaps: readonly (OverlapMark)[];
  readonly missing: readonly (Bar)[];
  readonly lines: readonly (Line)[];
  readonly acts: readonly (ActDetected)[];
  readonly cue: CueRaised | null;
  readonly resolved: CueRaised | null;
  readonly need_cues: number;
  readonly alerts: readonly (Alert)[];
  readonly pledges: readonly (Pledge)[];
  readonly notices: readonly (Notice)[];
  readonly metrics: MetricsUpdated | null;
}

/** One reason why a call may need somebody. */
export interface Reason {
  readonly kind: string;
  readonly severity: number;
  readonly at_ms: number;
  readonly text: string | null;
}

/** What the wall shows of one call. */
export interface Card {
  readonly call_id: string;
  readonly agent: string | null;
  readonly team: string | null;
  readonly position_ms: number;
  readonly paused: boolean;
  readonly on_hold: boolean;
  readonly ended: boolean;
  readonly mixed: boolean;
  readonly severity: number;
  readonly since_ms: number;
  readonly reasons: readonly (Reason)[];
  readonly alerts: readonly (Alert)[];
  readonly need_cues: number;
  readonly last_words: string | null;
  readonly last_words_ms: number;
  readonly sentiment: readonly (number)[];
  readonly speech: readonly (Bar)[];
  readonly raised: readonly (RaisedBar)[];
}

/** One figure over all calls. */
export interface Measure {
  readonly name: string;
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number;
  readonly unit: string;
}

/** One day, or one week. */
export interface TrendPoint {
  readonly day: string;
  readonly calls: number | null;
  readonly agent_per_10min: number | null;
  readonly customer_per_10min: number | null;
  readonly delivered: number | null;
  readonly needed: number | null;
}

/** One line of the scorecard over the whole time. */
export interface BehaviourTotal {
  readonly behaviour: string;
  readonly delivered: number;
  readonly needed: number;
}

/** Calls over time. */
export interface Trend {
  readonly title: string;
  readonly since: string;
  readonly until: string;
  readonly days_per_point: number;
  readonly calls: number;
  readonly agents: number;
  readonly practice: number;
  readonly enough: boolean;
  readonly needs: string;
  readonly points: readonly (TrendPoint)[];
  readonly behaviours: readonly (BehaviourTotal)[];
  readonly measures: readonly (Measure)[];
}

/** Something whose trend may be asked for. */
export interface Scope {
  readonly kind: string;
  readonly name: string;
}

/** One time that a rule fired. */
export interface Example {
  readonly call_id: string;
  readonly at_ms: number;
  readonly evidence_line: string;
}

/** How one rule does before and after a change. */
export interface RuleTrial {
  readonly rule: string;
  readonly before: number;
  readonly after: number;
  readonly withheld_before: number;
  readonly withheld_after: number;
  readonly gone: readonly (Example)[];
  readonly come: readonly (Example)[];
}

/** What a change would have done. */
export interface Trial {
  readonly calls: number;
  readonly duration_ms: number;
  readonly total_before: number;
  readonly total_after: number;
  readonly rules: readonly (RuleTrial)[];
}

/** Days until something is deleted (`reliability.md` section 6); a legal hold stops it. */
export interface RetentionSettings {
  readonly events_days: number;
  readonly practice_days: number;
  readonly calls_days: number;
}

/** One request. */
export interface ErasureRequest {
  readonly id: string;
  readonly asked_at: string;
  readonly user_id: string;
  readonly name: string;
  readonly agent: string | null;
  readonly state: string;
  readonly decided_at: string | null;
  readonly certificate: string | null;
}

/** How much of what is stored about one person. */
export interface OwnData {
  readonly name: string;
  readonly role: string;
  readonly teams: readonly (string)[];
  readonly agent: string | null;
  readonly sessions: number;
  readonly calls: number;
  readonly calls_ms: number;
  readonly held: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly events: number;
  readonly disputes: number;
  readonly audit_entries: number;
  readonly retention: RetentionSettings;
  readonly requests: readonly (ErasureRequest)[];
}
