/** Draws two lanes of speech on a canvas: customer above, agent below. No state, no clock. */
import { cutInBy, mixed } from "../store";
import { clock, strings } from "../strings";
import type { Bar, CallView, Channel, OverlapMark, RaisedBar } from "../types/events.gen";

export interface Palette {
  readonly agent: string;
  readonly customer: string;
  readonly mark: string;
  readonly line: string;
  readonly label: string;
  readonly card: string;
}

export interface LaneData {
  readonly speech: readonly Bar[];
  readonly raised: readonly RaisedBar[];
  readonly mixed: boolean;
  /** Cut-ins to be marked: at what time, by whom. */
  readonly cuts: readonly { readonly atMs: number; readonly by: Channel }[];
}

export interface Frame {
  readonly fromMs: number;
  readonly toMs: number;
  /** End of what is known: open bars end here. */
  readonly nowMs: number;
  readonly width: number;
  readonly height: number;
  /** Whether names, time marks and labels are written; a card's strip has none. */
  readonly labels: boolean;
  /** Whether the frame ends now and moves, so that times count back from now. */
  readonly rolling: boolean;
}

/** Silences of both from this length on are marked, in milliseconds. */
const SILENCE_MS = 2_500;
const STEPS_MS = [5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000] as const;

/** What the lanes show of a call. */
export function laneData(view: CallView): LaneData {
  const cut = (mark: OverlapMark) => {
    const by = cutInBy(view, mark);
    return by === null ? [] : [{ atMs: mark.begin_ms, by }];
  };
  return {
    speech: view.speech,
    raised: view.raised,
    mixed: mixed(view),
    cuts: view.overlaps.flatMap(cut),
  };
}

/** Stretches in which both bars are there. */
export function simultaneous(
  bars: readonly Bar[],
  nowMs: number,
): readonly (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  const agents = bars.filter((bar) => bar.channel === "agent");
  for (const customer of bars.filter((bar) => bar.channel === "customer")) {
    for (const agent of agents) {
      const begin = Math.max(customer.start_ms, agent.start_ms);
      const end = Math.min(customer.end_ms ?? nowMs, agent.end_ms ?? nowMs);
      if (end > begin) found.push([begin, end]);
    }
  }
  return found;
}

/** Stretches of at least `SILENCE_MS` in which nobody speaks, up to `nowMs`. */
export function silences(
  bars: readonly Bar[],
  nowMs: number,
): readonly (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  let free: number | null = null;
  for (const bar of [...bars].sort((a, b) => a.start_ms - b.start_ms)) {
    if (free !== null && bar.start_ms - free >= SILENCE_MS) found.push([free, bar.start_ms]);
    free = Math.max(free ?? 0, bar.end_ms ?? nowMs);
  }
  if (free !== null && nowMs - free >= SILENCE_MS) found.push([free, nowMs]);
  return found;
}

/** Draw `data` in `frame`. */
export function drawLanes(
  context: CanvasRenderingContext2D,
  data: LaneData,
  frame: Frame,
  palette: Palette,
): void {
  const { fromMs, toMs, nowMs, width, height, labels } = frame;
  context.clearRect(0, 0, width, height);
  const lanes: readonly Channel[] = data.mixed ? ["mixed"] : ["customer", "agent"];
  const left = labels ? 76 : 0;
  const right = width - (labels ? 4 : 0);
  const top = labels ? 20 : 0;
  const bottom = height - (labels ? 20 : 0);
  const lane = (bottom - top) / lanes.length;
  const thick = Math.min(14, lane * 0.42);
  const scale = (right - left) / (toMs - fromMs);
  const x = (ms: number) => Math.min(right, Math.max(left, left + (ms - fromMs) * scale));
  const seen = (bar: Bar) => (bar.end_ms ?? nowMs) > fromMs && bar.start_ms < toMs;
  const speech = data.speech.filter(seen);
  const middle = (row: number) => top + lane * (row + 0.5);
  context.font = '500 12px "Inter Variable", sans-serif';
  context.textBaseline = "middle";

  if (labels) drawGrid(context, frame, palette, x, left, right, top, bottom);
  lanes.forEach((channel, row) => {
    if (labels) {
      context.fillStyle = palette.label;
      context.textAlign = "left";
      context.fillText(strings.channel[channel], 0, middle(row));
    }
    context.strokeStyle = palette.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, middle(row));
    context.lineTo(right, middle(row));
    context.stroke();
    context.fillStyle = channel === "agent" ? palette.agent : palette.customer;
    const bar = (item: Bar, size: number) => {
      const start = x(item.start_ms);
      const length = Math.max(3, x(item.end_ms ?? nowMs) - start);
      context.beginPath();
      context.roundRect(start, middle(row) - size / 2, length, size, Math.min(size, length) / 2);
      context.fill();
    };
    for (const item of speech) if (item.channel === channel) bar(item, thick);
    for (const item of data.raised) {
      if (item.channel !== channel || !seen(item)) continue;
      for (const part of within(speech, item, nowMs)) bar(part, thick * 1.75);
      if (labels) drawRaised(context, palette, x(item.start_ms), middle(row) - thick - 8, right);
    }
  });
  for (const [begin, end] of simultaneous(speech, nowMs)) {
    if (end <= fromMs) continue;
    hatch(context, palette, x(begin), top, Math.max(2, x(end) - x(begin)), bottom - top);
  }
  if (!labels) return;
  const earlier = data.speech.findLast((bar) => (bar.end_ms ?? nowMs) <= fromMs);
  for (const [begin, end] of silences(earlier ? [earlier, ...speech] : speech, nowMs)) {
    drawSilence(context, palette, x(begin), x(end), (top + bottom) / 2, end - begin);
  }
  drawCuts(context, data, frame, palette, x, middle, left, right, thick);
}

/** The parts of a channel's speech inside a raised passage. */
function within(speech: readonly Bar[], raised: Bar, nowMs: number): readonly Bar[] {
  return speech.flatMap((bar) => {
    const start_ms = Math.max(bar.start_ms, raised.start_ms);
    const end_ms = Math.min(bar.end_ms ?? nowMs, raised.end_ms ?? nowMs);
    return bar.channel === raised.channel && end_ms > start_ms
      ? [{ ...bar, start_ms, end_ms }]
      : [];
  });
}

function drawGrid(
  context: CanvasRenderingContext2D,
  { fromMs, toMs, nowMs, rolling }: Frame,
  palette: Palette,
  x: (ms: number) => number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): void {
  const span = toMs - fromMs;
  const step = STEPS_MS.find((size) => (span / size) * 56 <= right - left) ?? 3_600_000;
  context.strokeStyle = palette.line;
  context.fillStyle = palette.label;
  context.lineWidth = 1;
  context.textAlign = "center";
  const mark = (at: number, label: string) => {
    context.beginPath();
    context.moveTo(Math.round(at) + 0.5, top);
    context.lineTo(Math.round(at) + 0.5, bottom);
    context.stroke();
    const half = context.measureText(label).width / 2;
    context.fillText(label, Math.min(right - half, Math.max(left + half, at)), bottom + 11);
  };
  if (rolling) {
    for (let back = 0; back <= span; back += 10_000) {
      mark(x(toMs - back), back === 0 ? strings.now : `−${back / 1000} s`);
    }
    return;
  }
  for (let at = Math.ceil(fromMs / step) * step; at <= Math.min(toMs, nowMs); at += step) {
    mark(x(at), clock(at));
  }
}

function drawRaised(
  context: CanvasRenderingContext2D,
  palette: Palette,
  at: number,
  y: number,
  right: number,
): void {
  const label = `▲ ${strings.raised}`;
  context.fillStyle = palette.label;
  context.textAlign = "left";
  context.fillText(label, Math.min(at, right - context.measureText(label).width), y);
}

function hatch(
  context: CanvasRenderingContext2D,
  palette: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  context.save();
  context.beginPath();
  context.roundRect(x, y, w, h, Math.min(4, w / 2));
  context.globalAlpha = 0.14;
  context.fillStyle = palette.mark;
  context.fill();
  context.clip();
  context.globalAlpha = 0.7;
  context.strokeStyle = palette.mark;
  context.lineWidth = 1.25;
  context.beginPath();
  for (let at = x - h; at < x + w; at += 6) {
    context.moveTo(at, y + h);
    context.lineTo(at + h, y);
  }
  context.stroke();
  context.restore();
}

function drawSilence(
  context: CanvasRenderingContext2D,
  palette: Palette,
  from: number,
  to: number,
  y: number,
  ms: number,
): void {
  if (to - from < 30) return;
  const label = `${Math.round(ms / 1000)} s`;
  const size = context.measureText(label).width + 10;
  context.strokeStyle = palette.label;
  context.setLineDash([2, 3]);
  context.beginPath();
  context.moveTo(from + 4, y);
  context.lineTo(to - 4, y);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = palette.card;
  context.fillRect((from + to - size) / 2, y - 8, size, 16);
  context.fillStyle = palette.label;
  context.textAlign = "center";
  context.fillText(label, (from + to) / 2, y);
}

function drawCuts(
  context: CanvasRenderingContext2D,
  data: LaneData,
  { fromMs, toMs }: Frame,
  palette: Palette,
  x: (ms: number) => number,
  middle: (row: number) => number,
  left: number,
  right: number,
  thick: number,
): void {
  let free = left;
  const spare = toMs - fromMs > 60_000;
  for (const { atMs, by } of data.cuts) {
    if (atMs < fromMs || atMs > toMs) continue;
    const at = x(atMs);
    const tip = middle(by === "customer" ? 0 : 1) - thick / 2 - 2;
    context.fillStyle = palette.mark;
    context.beginPath();
    context.moveTo(at - 5, tip - 8);
    context.lineTo(at + 5, tip - 8);
    context.lineTo(at, tip);
    context.fill();
    const label = strings.cutIn(by);
    const size = context.measureText(label).width;
    const start = Math.min(right - size, Math.max(left, at - size / 2));
    if (spare || start < free) continue;
    context.textAlign = "left";
    context.fillText(label, start, 9);
    free = start + size + 10;
  }
}
