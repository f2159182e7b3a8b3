/** Draws the two lanes of the last 30 s on a canvas. */
import { type Bar, cutInBy, type State } from "./store";
import { strings } from "./strings";
import type { Channel } from "./types/events.gen";

const SPAN_MS = 30_000;

export interface Palette {
  readonly agent: string;
  readonly customer: string;
  readonly mark: string;
  readonly line: string;
  readonly label: string;
  readonly ground: string;
}

function hatch(
  context: CanvasRenderingContext2D,
  palette: Palette,
  x: number,
  y: number,
  w: number,
  h: number,
) {
  context.save();
  context.beginPath();
  context.roundRect(x, y, w, h, 4);
  context.globalAlpha = 0.16;
  context.fillStyle = palette.mark;
  context.fill();
  context.clip();
  context.globalAlpha = 0.75;
  context.strokeStyle = palette.mark;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = x - h; at < x + w; at += 7) {
    context.moveTo(at, y + h);
    context.lineTo(at + h, y);
  }
  context.stroke();
  context.restore();
}

/** Stretches in which both bars are there. */
export function simultaneous(
  bars: readonly Bar[],
  nowMs: number,
): readonly (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (const customer of bars.filter((bar) => bar.channel === "customer")) {
    for (const agent of bars.filter((bar) => bar.channel === "agent")) {
      const begin = Math.max(customer.startMs, agent.startMs);
      const end = Math.min(customer.endMs ?? nowMs, agent.endMs ?? nowMs);
      if (end > begin) found.push([begin, end]);
    }
  }
  return found;
}

/** Draw `state` as of `nowMs` on a canvas of `width` × `height` CSS pixels. */
export function drawLanes(
  context: CanvasRenderingContext2D,
  state: State,
  nowMs: number,
  width: number,
  height: number,
  palette: Palette,
): void {
  context.clearRect(0, 0, width, height);
  const lanes: readonly Channel[] = state.mixed ? ["mixed"] : ["customer", "agent"];
  const left = 72;
  const right = width - 6;
  const top = 18;
  const lane = (height - top - 16) / lanes.length;
  const x = (ms: number) =>
    Math.min(right, Math.max(left, right - ((nowMs - ms) / SPAN_MS) * (right - left)));
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  lanes.forEach((channel, row) => {
    const middle = top + lane * (row + 0.5);
    context.fillStyle = palette.label;
    context.textAlign = "left";
    context.fillText(strings.channel[channel], 0, middle);
    context.strokeStyle = palette.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, middle);
    context.lineTo(right, middle);
    context.stroke();
    context.fillStyle = channel === "agent" ? palette.agent : palette.customer;
    const bar = (from: number, to: number, thick: number) => {
      if (to <= nowMs - SPAN_MS) return;
      const start = x(from);
      context.beginPath();
      context.roundRect(start, middle - thick / 2, Math.max(3, x(to) - start), thick, thick / 2);
      context.fill();
    };
    for (const item of state.speech) {
      if (item.channel === channel) bar(item.startMs, item.endMs ?? nowMs, 14);
    }
    for (const item of state.raised) {
      if (item.channel === channel) bar(item.startMs, item.endMs ?? nowMs, 26);
    }
  });
  for (const [begin, end] of simultaneous(state.speech, nowMs)) {
    if (end > nowMs - SPAN_MS) {
      hatch(context, palette, x(begin), top, Math.max(3, x(end) - x(begin)), lane * 2);
    }
  }
  context.fillStyle = palette.label;
  let free = left;
  for (const overlap of state.overlaps) {
    const by = cutInBy(state, overlap);
    if (by === null || overlap.beginMs < nowMs - SPAN_MS) continue;
    const at = x(overlap.beginMs);
    const row = by === "customer" ? 0 : 1;
    context.fillStyle = palette.mark;
    context.beginPath();
    const tip = top + lane * (row + 0.5);
    context.moveTo(at - 5, tip - 16);
    context.lineTo(at + 5, tip - 16);
    context.lineTo(at, tip - 8);
    context.fill();
    const label = strings.cutIn(by);
    const size = context.measureText(label).width;
    const start = Math.min(right - size, Math.max(left, at - size / 2));
    if (start >= free) {
      context.fillText(label, start, 8);
      free = start + size + 10;
    }
  }
  context.fillStyle = palette.label;
  context.textAlign = "left";
  context.fillText("−30 s", left, height - 7);
  context.textAlign = "right";
  context.fillText("0", right, height - 7);
  context.textAlign = "left";
}
