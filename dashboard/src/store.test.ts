import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJsonLines } from "./backend";
import { simultaneous } from "./lanes";
import { Sequencer, type Sink } from "./sequence";
import { cutInBy, initial, pieces, reduce, transcriptDelay } from "./store";
import type { CallEvent } from "./types/events.gen";

const golden = parseJsonLines(readFileSync("demo/events.jsonl", "utf-8"));
const until = (ms: number) => golden.filter((e) => e.at_ms <= ms).reduce(reduce, initial);

describe("reduce", () => {
  it("shows a cue from raise to clear, then ticks it", () => {
    expect(until(22_800).cue).toBeNull();
    expect(until(23_000).cue?.rule).toBe("let_them_finish");
    expect(until(26_500).cue).toBeNull();
    expect(until(26_500).resolved?.id).toBe("c1");
  });
  it("keeps metrics unknown until they are measured", () => {
    expect(until(4000).metrics).toBeNull();
    expect(until(6000).metrics?.talk_share_agent).toBeNull();
    expect(until(9000).metrics?.talk_share_agent).toBe(0.44);
  });
  it("replaces partial words by the final ones, in order of start", () => {
    expect(until(8000).utterances[1]?.tail).not.toBe("");
    const all = until(40_000).utterances;
    expect(all.map((u) => u.id)).toEqual(["u1", "u2", "u3", "u4", "u5", "u6", "u7"]);
    expect(all.every((u) => u.final && u.tail === "")).toBe(true);
  });
  it("says who cut in, but never on a mixed channel", () => {
    const state = until(25_000);
    const overlap = state.overlaps[0];
    if (overlap === undefined) throw new Error("no overlap");
    expect(cutInBy(state, overlap)).toBe("agent");
    expect(cutInBy({ ...state, mixed: true }, overlap)).toBeNull();
  });
  it("finds the stretch in which both spoke", () => {
    expect(simultaneous(until(25_000).speech, 25_000)).toEqual([[22_100, 23_500]]);
  });
  it("measures the delay of the words of whoever speaks", () => {
    expect(transcriptDelay({ ...until(10_300), positionMs: 13_000 })).toBe(3100);
    expect(transcriptDelay(until(40_000))).toBe(0);
  });
  it("ends with the call", () => {
    expect(until(40_000)).toMatchObject({ ended: true, cue: null });
  });
});

describe("pieces", () => {
  it("hides redactions and nothing else", () => {
    expect(pieces("pay [card] now")).toEqual([
      { text: "pay ", redacted: false },
      { text: "card", redacted: true },
      { text: " now", redacted: false },
    ]);
  });
});

describe("Sequencer", () => {
  it("queues before the snapshot, skips what it holds and reports a gap", () => {
    const seen: string[] = [];
    const sink: Sink = {
      snapshot: (events) => seen.push(`snapshot ${events.length}`),
      event: (event) => seen.push(`event ${event.at_ms}`),
      position: () => seen.push("position"),
      report: (url) => seen.push(url),
    };
    const order = new Sequencer(sink);
    const event = (seq: number) =>
      ({ type: "event", seq, event: { type: "hold_started", at_ms: seq } as CallEvent }) as const;
    expect(order.accept(event(4))).toBe(true);
    expect(order.accept(event(5))).toBe(true);
    expect(seen).toEqual([]);
    const snapshot = {
      type: "snapshot",
      seq: 4,
      call_id: "c",
      position_ms: 1,
      events: [],
    } as const;
    expect(order.accept(snapshot)).toBe(true);
    expect(seen).toEqual(["snapshot 0", "event 5"]);
    expect(order.accept(event(7))).toBe(false);
  });
});
