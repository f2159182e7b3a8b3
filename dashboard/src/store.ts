/** The pure store of the agent panel: `reduce(state, event)`, no clock, no DOM. */
import type {
  ActDetected,
  CallEvent,
  Channel,
  CueRaised,
  MetricsUpdated,
  OverlapClass,
} from "./types/events.gen";

/** A stretch of speech; `endMs` is null while it goes on. */
export interface Bar {
  readonly channel: Channel;
  readonly startMs: number;
  readonly endMs: number | null;
}

/** A raised voice on one channel. */
export interface Raised extends Bar {
  readonly id: string;
}

export interface Overlap {
  readonly id: string;
  readonly by: Channel;
  readonly beginMs: number;
  readonly endMs: number | null;
  readonly kind: OverlapClass | null;
}

export interface Utterance {
  readonly id: string;
  readonly channel: Channel;
  readonly startMs: number;
  readonly audioEndMs: number;
  readonly stable: string;
  readonly tail: string;
  readonly final: boolean;
  readonly failed: boolean;
}

export interface State {
  readonly callId: string | null;
  readonly mixed: boolean;
  /** Whether words are recognised in this call at all. */
  readonly transcribed: boolean;
  readonly positionMs: number;
  readonly started: boolean;
  readonly ended: boolean;
  readonly paused: boolean;
  readonly onHold: boolean;
  readonly speech: readonly Bar[];
  readonly raised: readonly Raised[];
  readonly overlaps: readonly Overlap[];
  readonly blameless: boolean;
  readonly utterances: readonly Utterance[];
  readonly acts: Readonly<Record<string, readonly ActDetected[]>>;
  readonly cue: CueRaised | null;
  /** The cue that was resolved last, shown with a tick for a moment. */
  readonly resolved: CueRaised | null;
  readonly metrics: MetricsUpdated | null;
}

export const initial: State = {
  callId: null,
  mixed: false,
  transcribed: true,
  positionMs: 0,
  started: false,
  ended: false,
  paused: false,
  onHold: false,
  speech: [],
  raised: [],
  overlaps: [],
  blameless: false,
  utterances: [],
  acts: {},
  cue: null,
  resolved: null,
  metrics: null,
};

/** Milliseconds of lanes kept: the 30 s shown and as much again. */
const KEEP_MS = 60_000;

const BLAMED: ReadonlySet<OverlapClass> = new Set([
  "successful",
  "butting_in",
  "talk_over",
  "pause_cut_in",
] as const);

function recent<T extends { readonly endMs: number | null }>(
  items: readonly T[],
  nowMs: number,
): T[] {
  return items.filter((item) => item.endMs === null || item.endMs > nowMs - KEEP_MS);
}

function upsert<T extends { readonly id: string }>(items: readonly T[], item: T): readonly T[] {
  const index = items.findLastIndex((other) => other.id === item.id);
  return index < 0 ? [...items, item] : items.with(index, item);
}

function place(items: readonly Utterance[], item: Utterance): readonly Utterance[] {
  const old = items.find((other) => other.id === item.id);
  if (old?.final && !item.final) return items;
  if (old) return upsert(items, item);
  const before = items.findLastIndex((other) => other.startMs <= item.startMs);
  return items.toSpliced(before + 1, 0, item);
}

/** Return the state after one event. */
export function reduce(previous: State, event: CallEvent): State {
  const state = { ...previous, positionMs: Math.max(previous.positionMs, event.at_ms) };
  const now = state.positionMs;
  switch (event.type) {
    case "call_started":
      return {
        ...initial,
        positionMs: event.at_ms,
        callId: event.call_id,
        started: true,
        mixed: event.channels.includes("mixed"),
        transcribed: event.model !== null,
      };
    case "speech_started":
      return {
        ...state,
        speech: [
          ...recent(state.speech, now),
          { channel: event.channel, startMs: event.start_ms, endMs: null },
        ],
      };
    case "speech_ended":
      return {
        ...state,
        speech: [
          ...recent(state.speech, now).filter(
            (bar) => bar.channel !== event.channel || bar.endMs !== null,
          ),
          { channel: event.channel, startMs: event.start_ms, endMs: event.end_ms },
        ],
      };
    case "raised_voice_started":
      return {
        ...state,
        raised: upsert(recent(state.raised, now), {
          id: event.id,
          channel: event.channel,
          startMs: event.begin_ms,
          endMs: null,
        }),
      };
    case "raised_voice_ended":
      return {
        ...state,
        raised: upsert(recent(state.raised, now), {
          id: event.id,
          channel: event.channel,
          startMs: event.begin_ms,
          endMs: event.end_ms,
        }),
      };
    case "overlap_started":
    case "overlap_updated":
    case "overlap_ended":
      return {
        ...state,
        overlaps: upsert(recent(state.overlaps, now), {
          id: event.id,
          by: event.by,
          beginMs: event.begin_ms,
          endMs: event.type === "overlap_ended" ? event.end_ms : null,
          kind: event.type === "overlap_started" ? null : event.overlap_class,
        }),
      };
    case "channel_quality":
      return event.bleed_grade === null
        ? state
        : { ...state, blameless: event.bleed_grade === "C" };
    case "partial_transcript":
      return {
        ...state,
        utterances: place(state.utterances, {
          id: event.utterance_id,
          channel: event.channel,
          startMs: event.start_ms,
          audioEndMs: event.audio_end_ms,
          stable: event.stable,
          tail: event.tail,
          final: false,
          failed: false,
        }),
      };
    case "final_transcript":
      return {
        ...state,
        utterances: place(state.utterances, {
          id: event.utterance_id,
          channel: event.channel,
          startMs: event.start_ms,
          audioEndMs: event.end_ms,
          stable: event.text ?? "",
          tail: "",
          final: true,
          failed: event.text === null,
        }),
      };
    case "act_detected":
      return {
        ...state,
        acts: {
          ...state.acts,
          [event.utterance_id]: upsert(state.acts[event.utterance_id] ?? [], event),
        },
      };
    case "cue_raised":
      return { ...state, cue: event, resolved: null };
    case "cue_cleared":
      if (state.cue?.id !== event.id) return state;
      return { ...state, cue: null, resolved: event.outcome === "cleared" ? state.cue : null };
    case "metrics_updated":
      return { ...state, metrics: event };
    case "hold_started":
      return { ...state, onHold: true };
    case "hold_ended":
      return { ...state, onHold: false };
    case "capture_paused":
      return { ...state, paused: true };
    case "capture_resumed":
      return { ...state, paused: false };
    case "call_ended":
      return { ...state, ended: true, cue: null, resolved: null };
    default:
      return state;
  }
}

/** Who speaks now. */
export function speakers(state: State): readonly Channel[] {
  return [...new Set(state.speech.filter((bar) => bar.endMs === null).map((bar) => bar.channel))];
}

/** Who cut in, when that can be said at all. */
export function cutInBy(state: State, overlap: Overlap): Channel | null {
  if (state.mixed || state.blameless || overlap.kind === null) return null;
  return BLAMED.has(overlap.kind) ? overlap.by : null;
}

/** How far the words are behind a speaker who is speaking now, in milliseconds. */
export function transcriptDelay(state: State): number {
  let delay = 0;
  for (const bar of state.speech) {
    if (bar.endMs !== null) continue;
    let heard = bar.startMs;
    for (const utterance of state.utterances) {
      if (utterance.channel === bar.channel) heard = Math.max(heard, utterance.audioEndMs);
    }
    delay = Math.max(delay, state.positionMs - heard);
  }
  return delay;
}

/** A piece of transcript text: words, or the kind of something that was redacted. */
export interface Piece {
  readonly text: string;
  readonly redacted: boolean;
}

/** Split text at redactions such as `[card]`. */
export function pieces(text: string): readonly Piece[] {
  return text
    .split(/(\[[a-z][a-z_ -]*\])/)
    .filter((part) => part !== "")
    .map((part) =>
      /^\[[a-z].*\]$/.test(part)
        ? { text: part.slice(1, -1), redacted: true }
        : { text: part, redacted: false },
    );
}
