import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJsonLines } from "../backend";
import { reduceAll } from "../store";
import type { CallView } from "../types/events.gen";
import { gaugesOf } from "./gauges";
import { notes } from "./status";

function at(name: string, seconds: number): CallView {
  const events = parseJsonLines(readFileSync(`../tests/golden/${name}.jsonl`, "utf-8"));
  const view = reduceAll(events.filter((event) => event.at_ms <= seconds * 1000));
  return { ...view, position_ms: seconds * 1000 };
}

describe("gauges", () => {
  const value = (view: CallView) =>
    Object.fromEntries(gaugesOf(view).map((gauge) => [gauge.name, gauge.value]));

  it("are unknown before they are measured, and never 0 then", () => {
    expect(new Set(Object.values(value(at("upset", 2))))).toEqual(new Set([null]));
    expect(value(at("upset", 7))).toMatchObject({ share: null, pace: null });
  });

  it("know what the call has shown", () => {
    expect(value(at("upset", 40))).toEqual({
      share: 46,
      pace: 152,
      interruptions: 1,
      silence: 3.2,
    });
  });

  it("blame nobody on one channel", () => {
    expect(value(at("one_channel", 13)).interruptions).toBeNull();
  });

  it("hold the pace against the agent's own usual where that is known", () => {
    const pace = (view: CallView) => gaugesOf(view).find(({ name }) => name === "pace")?.usual;
    expect(pace(at("upset", 40))).toEqual([120, 180]);
    expect(pace({ ...at("upset", 40), usual_wpm: 100 })).toEqual([75, 125]);
  });
});

describe("what is not known is said", () => {
  const said = (view: CallView, link: Parameters<typeof notes>[1] = "live", quietMs = 0) =>
    notes(view, link, quietMs).map(({ text }) => text);
  const calm = at("calm", 3);

  it("says nothing when nothing is wrong", () => expect(said(calm)).toEqual([]));

  it.each([
    ["a lost connection", said(calm, "offline"), /^Connection lost/],
    ["a link that is used up", said(calm, "refused"), /no longer valid/],
    ["no audio at all", said(calm, "live", 5_000), /^No audio is arriving for 5 s/],
    ["no audio of one", said(at("trouble", 134.2)), /^No audio from the customer for 7 s/],
    [
      "words that are late",
      said({ ...at("calm", 4.5), position_ms: 9_000 }),
      /^Transcript 5 s behind/,
    ],
    ["overload", said({ ...calm, asr_level: 2 }), /^Overloaded: transcript paused, timing cues on/],
    [
      "an analysis that is behind",
      said({ ...calm, analysis_level: 4 }),
      /^Overloaded: raised voices less sure, timing cues on/,
    ],
    ["no recogniser", said({ ...calm, asr_available: false }), /^No words now/],
    ["one channel", said(at("one_channel", 3)), /^Direction unknown: one channel only/],
    ["leaking channels", said({ ...calm, bleed: "C" }), /^Channels leak/],
    [
      "a second voice",
      said({ ...calm, doubts: [{ code: "several_voices", channel: "customer" }] }),
      /^More than one person on the customer's line/,
    ],
    [
      "channels out of step",
      said({ ...calm, doubts: [{ code: "misaligned", channel: null }] }),
      /^Channels are not in step/,
    ],
    ["masked card data", said(at("trouble", 11)), /^Recording masked: card data/],
  ])("says %s", (_, found, wanted) => {
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(wanted);
  });

  it("says only once why there are no words", () => {
    const late = { ...at("calm", 4.5), position_ms: 9_000, asr_level: 2 };
    expect(said(late)).toEqual(["Overloaded: transcript paused, timing cues on"]);
  });
});
