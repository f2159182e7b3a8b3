import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJsonLines } from "../backend";
import { reduceAll } from "../store";
import type { Card } from "../types/events.gen";
import { cardOf } from "./card";
import {
  empty,
  noFilters,
  openAlerts,
  reduceWall,
  virtualWindow,
  visible,
  type WallState,
} from "./store";

function card(id: string, scene: string, seconds: number): Card {
  const text = readFileSync(`../tests/golden/${scene}.jsonl`, "utf-8");
  const events = parseJsonLines(text).filter((event) => event.at_ms <= seconds * 1000);
  return { ...cardOf(reduceAll(events)), call_id: id };
}

function wall(...cards: readonly Card[]): WallState {
  return reduceWall(empty, { type: "snapshot", seq: 0, cards, gone: [] }, 0);
}

describe("the wall", () => {
  const quiet = card("quiet", "calm", 18);
  const soon = card("soon", "upset", 54);
  const now = card("now", "trouble", 152);

  it("orders calls by need", () => {
    expect(wall(quiet, soon, now).order).toEqual(["now", "soon", "quiet"]);
  });

  it("keeps its order while no severity changes", () => {
    const before = wall(quiet, soon, now);
    const later = { ...quiet, position_ms: 900_000, last_words: "still here" };
    const after = reduceWall(before, { type: "event", seq: 1, cards: [later], gone: [] }, 1);
    expect(after.order).toBe(before.order);
    expect(after.entries.get("quiet")?.heardAt).toBe(1);
  });

  it("moves a call whose severity changes, the longest need first, and forgets one that ended", () => {
    const worse = { ...quiet, severity: 4, since_ms: quiet.position_ms - 200_000 };
    const after = reduceWall(
      wall(quiet, soon, now),
      { type: "event", seq: 1, cards: [worse], gone: ["soon"] },
      1,
    );
    expect(after.order).toEqual(["quiet", "now"]);
  });

  it("filters by need, agent, reason, duration and words", () => {
    const state = wall(quiet, soon, now);
    expect(visible(state, { ...noFilters, needOnly: true })).toEqual(["now", "soon"]);
    expect(visible(state, { ...noFilters, agent: "Ife Adeyemi" })).toEqual(["quiet"]);
    const teams = wall({ ...quiet, team: "billing" }, { ...soon, team: "sales" }, now);
    expect(visible(teams, { ...noFilters, team: "sales" })).toEqual(["soon"]);
    expect(visible(state, { ...noFilters, reason: "raised_voice" })).toEqual(["soon"]);
    expect(visible(state, { ...noFilters, overMinutes: 2 })).toEqual(["now"]);
    expect(visible(state, { ...noFilters, text: "HUSBAND" })).toEqual(["now"]);
  });

  it("lists alerts, unanswered first, and leaves out muted rules", () => {
    const state = wall(card("taken", "upset", 59), now);
    expect(openAlerts(state, []).map(({ alert }) => [alert.rule, alert.answer])).toEqual([
      ["sup_vulnerable", null],
      ["sup_escalation", "taken"],
      ["sup_hold", "acknowledged"],
    ]);
    expect(openAlerts(state, ["sup_vulnerable"]).map(({ alert }) => alert.rule)).not.toContain(
      "sup_vulnerable",
    );
  });

  it("says nothing of an agent's habits", () => {
    const words = JSON.stringify(card("upset", "upset", 30));
    expect(words).not.toMatch(/talk_over|interrupt|overlap|pace|words_per_minute|Let them finish/);
  });
});

describe("virtualWindow", () => {
  it("renders what is near the viewport, however many calls there are", () => {
    const window = virtualWindow(200, 3, 244, 2_440, 800);
    expect(window.height).toBe(67 * 244);
    expect(window.first).toBe(27);
    expect(window.last - window.first).toBeLessThanOrEqual(21);
    expect(virtualWindow(0, 3, 244, 0, 800)).toEqual({ first: 0, last: 0, height: 0 });
  });
});
