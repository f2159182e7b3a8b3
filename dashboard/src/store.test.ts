import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJsonLines } from "./backend";
import { checklist } from "./checklist";
import { silences, simultaneous } from "./design/lanes";
import { Sequencer, type Sink } from "./sequence";
import { cutInBy, initial, missingFor, pieces, reduce, reduceAll, transcriptDelay } from "./store";
import type { Bar, CallEvent, CallView, Card } from "./types/events.gen";
import { cardOf } from "./wall/card";

const FOLDER = "../tests/golden";

interface State {
  readonly events: number;
  readonly view: CallView;
  readonly card: Card;
}

function golden(name: string): readonly CallEvent[] {
  return parseJsonLines(readFileSync(`${FOLDER}/${name}.jsonl`, "utf-8"));
}

function states(name: string): readonly State[] {
  return JSON.parse(readFileSync(`${FOLDER}/${name}.states.json`, "utf-8")) as readonly State[];
}

function at(name: string, seconds: number): CallView {
  return reduceAll(golden(name).filter((event) => event.at_ms <= seconds * 1000));
}

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".jsonl"))
  .map((file) => file.replace(".jsonl", ""));

describe("golden conversations", () => {
  it("are found", () => expect(names.length).toBeGreaterThanOrEqual(5));

  it.each(names)("%s gives the state that the server has, at every checkpoint", (name) => {
    const events = golden(name);
    const wanted = states(name);
    expect(wanted.at(-1)?.events).toBe(events.length);
    for (const { events: count, view, card } of wanted) {
      const state = reduceAll(events.slice(0, count));
      expect(state).toEqual(view);
      expect(cardOf(state)).toEqual(card);
    }
  });

  it.each(names)("%s gives the same from a snapshot in the middle", (name) => {
    const events = golden(name);
    for (let cut = 1; cut < events.length; cut += 5) {
      const snapshot = JSON.parse(JSON.stringify(reduceAll(events.slice(0, cut)))) as CallView;
      expect(reduceAll(events.slice(cut), snapshot)).toEqual(reduceAll(events));
    }
  });
});

describe("reduce", () => {
  it("shows one cue, and keeps it as resolved once it is cleared", () => {
    expect(at("upset", 24).cue?.rule).toBe("talk_over");
    expect(at("upset", 28).cue).toBeNull();
    expect(at("upset", 28).resolved?.rule).toBe("talk_over");
    expect(at("trouble", 145).resolved).toBeNull();
  });

  it("never lets a late partial replace final words", () => {
    const events = golden("upset");
    const partial = events.find((event) => event.type === "partial_transcript");
    expect(partial && reduce(reduceAll(events), partial).lines).toEqual(reduceAll(events).lines);
  });

  it("names who cut in, but nobody on one channel or when channels leak", () => {
    const view = at("upset", 26);
    const [mark] = view.overlaps;
    expect(mark && cutInBy(view, mark)).toBe("agent");
    expect(mark && cutInBy({ ...view, bleed: "C" }, mark)).toBeNull();
    const doubts = [{ code: "misaligned", channel: null }];
    expect(mark && cutInBy({ ...view, doubts }, mark)).toBeNull();
    expect(mark && cutInBy({ ...view, channels: ["mixed"] }, mark)).toBeNull();
  });

  it("knows how long audio is missing, and that it is back", () => {
    expect(missingFor({ ...at("trouble", 134.2), position_ms: 134_000 }, "customer")).toBe(7_000);
    expect(missingFor(at("trouble", 150), "customer")).toBe(0);
    expect(missingFor({ ...at("trouble", 13), position_ms: 13_000 }, "customer")).toBe(0);
  });

  it("keeps an alert that somebody took, and drops one whose condition is over", () => {
    expect(at("upset", 59).alerts.map(({ answer }) => answer)).toEqual(["taken"]);
    expect(at("upset", 72).alerts).toEqual([]);
    expect(at("trouble", 124).alerts.map(({ answer }) => answer)).toEqual(["acknowledged"]);
  });

  it("bounds a long call as the server does", () => {
    let view = initial;
    for (let n = 0; n < 4_100; n += 1) {
      const channel = n % 3 ? "customer" : "agent";
      const start_ms = n * 2_000 + ((n * 7_919) % 1_000);
      const end_ms = start_ms + 700 + ((n * 104_729) % 500);
      view = reduce(view, {
        type: "speech_ended",
        at_ms: end_ms,
        channel,
        start_ms,
        end_ms,
      } as CallEvent);
    }
    expect(view.speech.length).toBe(3_101);
    expect(view.speech.reduce((sum, bar) => sum + (bar.end_ms ?? 0), 0)).toBe(14_816_886_296);
  });

  it("keeps the first act of each kind and the newest", () => {
    const act = golden("upset").find((event) => event.type === "act_detected");
    let view = initial;
    for (let n = 0; n < 4_100; n += 1) {
      view = reduce(view, {
        ...act,
        at_ms: n,
        kind: n ? "open_question" : "greeting",
      } as CallEvent);
    }
    expect(view.acts.length).toBeLessThanOrEqual(2_000);
    expect(view.acts.slice(0, 2).map(({ kind }) => kind)).toEqual(["greeting", "open_question"]);
  });

  it("measures how far the words are behind a speaker", () => {
    const view = { ...at("upset", 12), lines: [] };
    expect(transcriptDelay(view)).toBeGreaterThan(6_000);
    expect(transcriptDelay({ ...view, transcribed: false })).toBe(0);
  });
});

describe("checklist", () => {
  const state = (seconds: number) =>
    Object.fromEntries(checklist(at("upset", seconds)).map(({ name, state }) => [name, state]));

  it("asks for nothing before it is needed", () => {
    expect(new Set(checklist(at("calm", 2)).map((check) => check.state))).toEqual(
      new Set(["open"]),
    );
  });

  it("asks for an acknowledgement from the feeling until the words that give it", () => {
    expect(state(36)).toMatchObject({ greeted: "done", acknowledged: "due", restated: "due" });
    expect(state(44).acknowledged).toBe("done");
    expect(checklist(at("upset", 44))[1]?.by?.text).toBe("I'm sorry");
  });

  it("ticks everything in a call that was repaired, but the question asked too early", () => {
    expect(state(73)).toEqual({
      greeted: "done",
      acknowledged: "done",
      restated: "done",
      probed: "due",
      planned: "done",
      closed: "done",
    });
  });
});

describe("lanes", () => {
  const bar = (channel: Bar["channel"], start_ms: number, end_ms: number | null): Bar => ({
    channel,
    start_ms,
    end_ms,
  });

  it("finds where both speak, and where nobody does", () => {
    const bars = [bar("customer", 0, 5_000), bar("agent", 4_000, null)];
    expect(simultaneous(bars, 6_000)).toEqual([[4_000, 5_000]]);
    expect(silences([bar("customer", 0, 1_000), bar("agent", 5_000, 6_000)], 7_000)).toEqual([
      [1_000, 5_000],
    ]);
  });
});

describe("pieces", () => {
  it("separates redactions from words", () => {
    expect(pieces("it is [card] thanks")).toEqual([
      { text: "it is ", redacted: false },
      { text: "card", redacted: true },
      { text: " thanks", redacted: false },
    ]);
    expect(pieces("[laughs out LOUD]")[0]?.redacted).toBe(false);
  });
});

describe("Sequencer", () => {
  it("queues before the snapshot, skips what it holds, and asks again after a gap", () => {
    const seen: string[] = [];
    const sink: Sink = {
      snapshot: (view) => seen.push(`snapshot ${view.call_id}`),
      event: (event) => seen.push(`event ${event.at_ms}`),
      position: () => seen.push("position"),
      watchers: (count) => seen.push(`watchers ${count}`),
      report: (url) => seen.push(url),
    };
    const order = new Sequencer(sink);
    const event = (seq: number) =>
      ({ type: "event", seq, event: { type: "call_ended", at_ms: seq, reason: "" } }) as const;
    expect(order.accept(event(4))).toBe(true);
    expect(order.accept(event(5))).toBe(true);
    const view = { ...initial, call_id: "c" };
    const snapshot = {
      type: "snapshot",
      seq: 4,
      call_id: "c",
      position_ms: 1,
      watchers: 1,
      view,
    } as const;
    expect(order.accept(snapshot)).toBe(true);
    expect(seen).toEqual(["snapshot c", "watchers 1", "event 5"]);
    expect(order.accept(event(7))).toBe(false);
  });
});
