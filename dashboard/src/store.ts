/**
 * The pure store of a call: `reduce(view, event)`, no clock, no DOM. It mirrors `fold` in
 * `server/call_view.py`; golden logs are folded on both sides and must agree to the byte.
 */
import type {
  ActDetected,
  Alert,
  AlertAcknowledged,
  AlertCleared,
  AlertRaised,
  AudioGap,
  Bar,
  CallEvent,
  CallView,
  Channel,
  CueCleared,
  CueRaised,
  Doubt,
  FinalTranscript,
  Line,
  LineDoubted,
  Notice,
  NoticeCleared,
  NoticeShown,
  OverlapClass,
  OverlapMark,
  PartialTranscript,
  Pledge,
  PromiseMade,
  PromiseReviewed,
} from "./types/events.gen";

/** Cues about what the customer needs; no other leaves the agent's screen. */
const NEED_CUES: ReadonlySet<string> = new Set([
  "customer_upset",
  "customer_raised",
  "escalation_ask",
  "abuse",
  "vulnerable",
]);

/** What a view has at most, however long the call lasts: see `server/call_view.py`. */
const MOST_BARS = 4_000;
const MOST_MARKS = 2_000;
const MOST_LINES = 4_000;
const MOST_ACTS = 2_000;

/** Classes of overlap in which somebody cut in on somebody. */
const BLAMED: ReadonlySet<OverlapClass> = new Set([
  "successful",
  "butting_in",
  "talk_over",
  "pause_cut_in",
] as const);

export const initial: CallView = {
  call_id: "",
  agent: null,
  channels: [],
  usual_wpm: null,
  transcribed: true,
  position_ms: 0,
  ended: false,
  paused: false,
  hold_since_ms: null,
  hand_since_ms: null,
  bleed: null,
  doubts: [],
  asr_level: 0,
  analysis_level: 0,
  asr_available: true,
  speech: [],
  raised: [],
  overlaps: [],
  missing: [],
  lines: [],
  acts: [],
  cue: null,
  resolved: null,
  need_cues: 0,
  alerts: [],
  pledges: [],
  notices: [],
  metrics: null,
};

/** Return the view after one event. */
export function reduce(previous: CallView, event: CallEvent): CallView {
  if (event.type === "call_started") {
    return {
      ...initial,
      call_id: event.call_id,
      agent: event.agent,
      channels: event.channels,
      usual_wpm: event.usual_words_per_minute,
      transcribed: event.model !== null,
      position_ms: event.at_ms,
    };
  }
  const position_ms = Math.max(previous.position_ms, event.at_ms);
  return { ...apply(previous, event), position_ms };
}

/** Fold many events, from the beginning or from `view` on. */
export function reduceAll(events: Iterable<CallEvent>, view: CallView = initial): CallView {
  let state = view;
  for (const event of events) state = reduce(state, event);
  return state;
}

function apply(view: CallView, event: CallEvent): CallView {
  switch (event.type) {
    case "call_ended":
      return { ...view, ended: true, cue: null, resolved: null, notices: [] };
    case "capture_paused":
    case "capture_resumed":
      return { ...view, paused: event.type === "capture_paused" };
    case "hold_started":
      return { ...view, hold_since_ms: event.at_ms };
    case "hold_ended":
      return { ...view, hold_since_ms: null };
    case "hand_raised":
      return { ...view, hand_since_ms: event.raised ? event.at_ms : null };
    case "channel_quality":
      return { ...view, bleed: event.bleed_grade ?? view.bleed };
    case "line_doubted":
      return { ...view, doubts: doubts(view.doubts, event) };
    case "metrics_updated":
      return { ...view, metrics: event };
    case "act_detected":
      return { ...view, acts: newestActs([...view.acts, event]) };
    case "partial_transcript":
      return hearPartial({ ...view, asr_level: event.asr_level }, event);
    case "final_transcript":
      return { ...view, lines: place(view.lines, finalLine(event)) };
    case "recognition_changed":
      return { ...view, asr_level: event.level, asr_available: event.available };
    case "analysis_changed":
      return { ...view, analysis_level: event.level };
    case "notice_shown":
    case "notice_cleared":
      return { ...view, notices: notices(view.notices, event) };
    case "cue_raised":
    case "cue_cleared":
      return cue(view, event);
    case "alert_raised":
    case "alert_cleared":
    case "alert_acknowledged":
      return { ...view, alerts: alerts(view.alerts, event) };
    case "promise_made":
    case "promise_reviewed":
      return { ...view, pledges: pledges(view.pledges, event) };
    default:
      return voices(view, event);
  }
}

function put<T extends { readonly id: string }>(items: readonly T[], item: T): readonly T[] {
  const index = items.findLastIndex((other) => other.id === item.id);
  return index < 0 ? [...items, item] : items.with(index, item);
}

function voices(view: CallView, event: CallEvent): CallView {
  switch (event.type) {
    case "speech_started": {
      const bar: Bar = { channel: event.channel, start_ms: event.start_ms, end_ms: null };
      return { ...view, speech: bounded([...view.speech, bar]) };
    }
    case "speech_ended": {
      const { channel, start_ms, end_ms } = event;
      const closed = view.speech.filter((bar) => bar.channel !== channel || bar.end_ms !== null);
      return { ...view, speech: bounded([...closed, { channel, start_ms, end_ms }]) };
    }
    case "raised_voice_started":
    case "raised_voice_ended": {
      const bar = {
        id: event.id,
        channel: event.channel,
        start_ms: event.begin_ms,
        end_ms: event.type === "raised_voice_ended" ? event.end_ms : null,
      };
      return { ...view, raised: put(view.raised, bar).slice(-MOST_MARKS) };
    }
    case "overlap_started":
    case "overlap_updated":
    case "overlap_ended": {
      const mark: OverlapMark = {
        id: event.id,
        by: event.by,
        begin_ms: event.begin_ms,
        end_ms: event.type === "overlap_ended" ? event.end_ms : null,
        overlap_class: event.type === "overlap_started" ? null : event.overlap_class,
      };
      return { ...view, overlaps: put(view.overlaps, mark).slice(-MOST_MARKS) };
    }
    case "audio_gap":
      return { ...view, missing: missing(view.missing, event) };
    default:
      return view;
  }
}

/** Bridge the shorter half of the silences in the older half when there are too many bars. */
function bounded(bars: readonly Bar[]): readonly Bar[] {
  if (bars.length <= MOST_BARS) return bars;
  const older = bars.slice(0, MOST_BARS / 2);
  const ends = new Map<Channel, number>();
  const gaps: number[] = [];
  for (const { channel, start_ms, end_ms } of older) {
    if (end_ms === null) continue;
    gaps.push(start_ms - (ends.get(channel) ?? start_ms));
    ends.set(channel, end_ms);
  }
  gaps.sort((a, b) => a - b);
  const longest = gaps[Math.floor(gaps.length / 2)] ?? 0;
  const places = new Map<Channel, number>();
  const coarse: Bar[] = [];
  for (const bar of older) {
    const place = places.get(bar.channel);
    const before = place === undefined ? undefined : coarse[place];
    if (place === undefined || !before || bar.end_ms === null) {
      if (bar.end_ms !== null) places.set(bar.channel, coarse.length);
      coarse.push(bar);
    } else if (bar.start_ms - (before.end_ms ?? 0) > longest) {
      places.set(bar.channel, coarse.length);
      coarse.push(bar);
    } else {
      coarse[place] = { ...before, end_ms: bar.end_ms };
    }
  }
  return [...coarse, ...bars.slice(MOST_BARS / 2)];
}

/** Leave out the older half but for the first of each kind when there are too many. */
function newestActs(acts: readonly ActDetected[]): readonly ActDetected[] {
  if (acts.length <= MOST_ACTS) return acts;
  const firsts = new Map<string, ActDetected>();
  for (const act of acts.slice(0, MOST_ACTS / 2)) {
    const kind = `${act.channel} ${act.kind}`;
    if (!firsts.has(kind)) firsts.set(kind, act);
  }
  return [...firsts.values(), ...acts.slice(MOST_ACTS / 2)];
}

function missing(known: readonly Bar[], gap: AudioGap): readonly Bar[] {
  let start_ms = gap.begin_ms;
  for (const bar of known) {
    if (bar.channel === gap.channel && bar.end_ms !== null && bar.end_ms >= gap.begin_ms) {
      start_ms = Math.min(start_ms, bar.start_ms);
    }
  }
  const others = known.filter((bar) => bar.channel !== gap.channel);
  return [...others, { channel: gap.channel, start_ms, end_ms: gap.end_ms }];
}

function hearPartial(view: CallView, event: PartialTranscript): CallView {
  const known = view.lines.findLast((line) => line.id === event.utterance_id);
  if (known?.final) return view;
  const line: Line = {
    id: event.utterance_id,
    channel: event.channel,
    start_ms: event.start_ms,
    end_ms: event.audio_end_ms,
    stable: event.stable,
    tail: event.tail,
    final: false,
    status: "ok",
  };
  return { ...view, lines: place(view.lines, line) };
}

function finalLine(event: FinalTranscript): Line {
  return {
    id: event.utterance_id,
    channel: event.channel,
    start_ms: event.start_ms,
    end_ms: event.end_ms,
    stable: event.text ?? "",
    tail: "",
    final: true,
    status: event.text === null && event.status === "ok" ? "failed" : event.status,
  };
}

/** Replace the line of the same id, or insert by start time. */
function place(lines: readonly Line[], line: Line): readonly Line[] {
  if (lines.some((other) => other.id === line.id)) return put(lines, line);
  const before = lines.findLastIndex((other) => other.start_ms <= line.start_ms);
  return lines.toSpliced(before + 1, 0, line).slice(-MOST_LINES);
}

function cue(view: CallView, event: CueRaised | CueCleared): CallView {
  if (event.type === "cue_raised") {
    const need_cues = view.need_cues + (NEED_CUES.has(event.rule) ? 1 : 0);
    return { ...view, cue: event, resolved: null, need_cues };
  }
  if (view.cue?.id !== event.id) return view;
  return { ...view, cue: null, resolved: event.outcome === "cleared" ? view.cue : null };
}

function alerts(
  known: readonly Alert[],
  event: AlertRaised | AlertCleared | AlertAcknowledged,
): readonly Alert[] {
  if (event.type === "alert_cleared") {
    if (event.reason === "acknowledged") return known;
    return known.filter((alert) => alert.id !== event.id);
  }
  if (event.type === "alert_acknowledged") {
    const answer = event.taken ? "taken" : "acknowledged";
    return known.map((alert) => (alert.id === event.alert_id ? { ...alert, answer } : alert));
  }
  const { id, rule, reason, suggested_action, at_ms } = event;
  const raised: Alert = { id, rule, reason, suggested_action, at_ms, answer: null };
  return [...known.filter((alert) => alert.rule !== rule), raised];
}

/** Keep indicators; a chip is about a promise, which is listed by itself. */
function notices(known: readonly Notice[], event: NoticeShown | NoticeCleared): readonly Notice[] {
  if (event.type === "notice_cleared") return known.filter((notice) => notice.id !== event.id);
  return event.surface === "indicator" ? put(known, { id: event.id, text: event.text }) : known;
}

function doubts(known: readonly Doubt[], { code, channel, over }: LineDoubted): readonly Doubt[] {
  const others = known.filter((doubt) => doubt.code !== code || doubt.channel !== channel);
  return over ? others : [...others, { code, channel }];
}

function pledges(
  known: readonly Pledge[],
  event: PromiseMade | PromiseReviewed,
): readonly Pledge[] {
  if (event.type === "promise_made") {
    const { id, what, due, due_at, start_ms } = event;
    return put(known, { id, what, due, due_at, start_ms, status: "draft" });
  }
  return known.map((pledge) =>
    pledge.id === event.promise_id
      ? {
          ...pledge,
          status: event.verdict,
          what: event.what || pledge.what,
          due_at: event.due_at || pledge.due_at,
        }
      : pledge,
  );
}

/** Whether a call is known at all. */
export function started(view: CallView): boolean {
  return view.call_id !== "";
}

/** Whether both parties are on one channel. */
export function mixed(view: CallView): boolean {
  return view.channels.includes("mixed");
}

/** Who speaks now. */
export function speakers(view: CallView): readonly Channel[] {
  const open = view.speech.filter((bar) => bar.end_ms === null);
  return [...new Set(open.map((bar) => bar.channel))];
}

/** Who cut in, when that can be said at all. */
export function cutInBy(view: CallView, mark: OverlapMark): Channel | null {
  const doubtful = mixed(view) || view.bleed === "C" || view.doubts.length > 0;
  if (doubtful || mark.overlap_class === null) return null;
  return BLAMED.has(mark.overlap_class) ? mark.by : null;
}

/** How far the words are behind a speaker who is speaking now, in milliseconds. */
export function transcriptDelay(view: CallView): number {
  if (!view.transcribed) return 0;
  let delay = 0;
  for (const bar of view.speech) {
    if (bar.end_ms !== null) continue;
    let heard = bar.start_ms;
    for (const line of view.lines) {
      if (line.channel === bar.channel) heard = Math.max(heard, line.end_ms);
    }
    delay = Math.max(delay, view.position_ms - heard);
  }
  return delay;
}

/** How long the newest audio of a channel has been missing, in milliseconds; 0 when it is there. */
export function missingFor(view: CallView, channel: Channel): number {
  const bar = view.missing.find((gap) => gap.channel === channel);
  if (!bar || bar.end_ms === null || view.paused) return 0;
  return view.position_ms - bar.end_ms > 1_000 ? 0 : view.position_ms - bar.start_ms;
}

/** A piece of transcript text: words, or the kind of something that was redacted. */
export interface Piece {
  readonly text: string;
  readonly redacted: boolean;
}

/** A redaction: the kind of what was hidden, in brackets. */
const REDACTION = /(\[[a-z][a-z_ -]*\])/;

/** Split text at redactions such as `[card]`; every second part of the split is one. */
export function pieces(text: string): readonly Piece[] {
  return text
    .split(REDACTION)
    .map((part, at) =>
      at % 2 === 1 ? { text: part.slice(1, -1), redacted: true } : { text: part, redacted: false },
    )
    .filter((piece) => piece.text !== "");
}
